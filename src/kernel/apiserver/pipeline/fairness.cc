#include "kernel/apiserver/pipeline/fairness.h"

#include <algorithm>
#include <limits>

namespace atl::apiserver {
namespace {

constexpr size_t kShareMin = 10;
constexpr size_t kShareOfRequests = 10;  // a caller's part: one in so many
constexpr size_t kShareOfStreams = 4;
constexpr size_t kUnbounded = std::numeric_limits<size_t>::max();
constexpr std::string_view kServiceAccount = "system:serviceaccount:";
constexpr std::string_view kControlPlane[] = {"system:apiserver", "system:gateway",
                                              "system:kube-controller-manager",
                                              "system:kube-scheduler"};

bool runs_the_cluster(const UserInfo& user) {
  return user.in_group(kGroupMasters) || user.in_group("system:nodes") ||
         user.name.starts_with("system:serviceaccount:kube-system:") ||
         std::ranges::find(kControlPlane, user.name) != std::end(kControlPlane);
}

// Who shares one part of the places.
std::string_view caller_of(const UserInfo& user) {
  const std::string_view name = user.name;
  if (!name.starts_with(kServiceAccount)) return name;
  return name.substr(0, name.find(':', kServiceAccount.size()));
}

Error refused() {
  return Error(Code::kTooMany, "too many requests, please try again later")
      .with_retry_after(std::chrono::seconds(1));
}

size_t share_of(size_t limit, size_t part) {
  return std::min(limit, std::max(kShareMin, limit / part));
}

}  // namespace

bool is_long_running(const RequestInfo& info) {
  if (!info.is_resource) return false;
  static constexpr std::string_view kStreams[] = {"log", "exec", "attach", "portforward", "proxy"};
  return info.verb == "watch" || std::find(std::begin(kStreams), std::end(kStreams),
                                           info.subresource) != std::end(kStreams);
}

bool is_mutating(const RequestInfo& info) {
  static constexpr std::string_view kReads[] = {"get", "list", "watch", "head", "options"};
  return std::find(std::begin(kReads), std::end(kReads), info.verb) == std::end(kReads);
}

bool is_probe(const RequestInfo& info) {
  static constexpr std::string_view kProbes[] = {"/healthz", "/livez", "/readyz"};
  return !info.is_resource && std::ranges::any_of(kProbes, [&](std::string_view probe) {
    const std::string_view path = info.path;
    return path.starts_with(probe) && (path.size() == probe.size() || path[probe.size()] == '/');
  });
}

Fairness::Fairness(Limits limits) {
  const auto set = [this](Use use, size_t limit, size_t part, size_t system_limit) {
    Places& places = places_[size_t(use)];
    places.limit = limit;
    places.share = share_of(limit, part);
    places.system_limit = system_limit;
  };
  set(Use::kRead, limits.reads, kShareOfRequests, limits.reads);
  set(Use::kWrite, limits.writes, kShareOfRequests, limits.writes);
  set(Use::kBody, limits.bodies, kShareOfRequests, limits.bodies);
  // Informers of the control plane are what everything else waits for.
  set(Use::kStream, limits.streams, kShareOfStreams, kUnbounded);
}

Result<Fairness::Ticket> Fairness::admit(Use use, const UserInfo& user) {
  Places& places = places_[size_t(use)];
  if (runs_the_cluster(user)) {
    if (places.system_taken >= places.system_limit) return refused();
    ++places.system_taken;
    return Ticket([&places] { --places.system_taken; });
  }
  if (places.taken >= places.limit) return refused();
  const std::string_view caller = caller_of(user);
  auto own = places.callers.find(caller);
  if (own == places.callers.end()) own = places.callers.emplace(caller, 0).first;
  if (own->second >= places.share) return refused();
  ++own->second;
  ++places.taken;
  return Ticket([&places, own] {
    --places.taken;
    if (--own->second == 0) places.callers.erase(own);
  });
}

size_t Fairness::under_way(Use use) const {
  const Places& places = places_[size_t(use)];
  return places.taken + places.system_taken;
}

}  // namespace atl::apiserver
