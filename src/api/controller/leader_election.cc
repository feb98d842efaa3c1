#include "api/controller/leader_election.h"

#include <algorithm>

#include "base/observe/log.h"

namespace atl::api {
namespace {

const Gvr kLeases{"coordination.k8s.io", "v1", "leases"};

}  // namespace

LeaseView view_lease(const Object& lease) {
  const json::Value document = lease.parse();
  return {std::string(json::string_at(document, {"spec", "holderIdentity"})),
          std::chrono::seconds(json::int_at(document, {"spec", "leaseDurationSeconds"})),
          std::string(json::string_at(document, {"spec", "renewTime"})),
          json::int_at(document, {"spec", "leaseTransitions"})};
}

bool may_take(const LeaseView& lease, const std::string& candidate, Duration unchanged_for) {
  return lease.holder.empty() || lease.holder == candidate || unchanged_for >= lease.lasts;
}

LeaderElection::LeaderElection(Client& client, Seams seams, Options options)
    : client_(client), seams_(seams), options_(std::move(options)), election_(seams.executor) {}

void LeaderElection::look(const ObjectPtr& lease) {
  const LeaseView now = view_lease(*lease);
  if (now.holder != seen_.holder || now.renewed != seen_.renewed)
    seen_since_ = seams_.timer->monotonic();
  seen_ = now;
}

Task<ObjectPtr> LeaderElection::write(ObjectPtr old, std::string holder) {
  const std::string now = rfc3339_micro(seams_.timer->now());
  json::Value document =
      old ? old->parse()
          : json::Value(json::Object{{"apiVersion", "coordination.k8s.io/v1"}, {"kind", "Lease"}});
  json::set(document, {"metadata", "name"}, json::Value(options_.lease.name));
  json::set(document, {"metadata", "namespace"}, json::Value(options_.lease.ns));
  if (seen_.holder != holder) {
    json::set(document, {"spec", "acquireTime"}, json::Value(now));
    json::set(document, {"spec", "leaseTransitions"}, json::Value(old ? seen_.transitions + 1 : 0));
  }
  json::set(document, {"spec", "holderIdentity"}, json::Value(holder));
  json::set(document, {"spec", "renewTime"}, json::Value(now));
  json::set(document, {"spec", "leaseDurationSeconds"},
            json::Value(std::chrono::duration_cast<std::chrono::seconds>(options_.lasts).count()));
  if (old) co_return co_await client_.update(kLeases, options_.lease, std::move(document));
  co_return co_await client_.create(kLeases, options_.lease.ns, std::move(document));
}

Task<bool> LeaderElection::try_take() {
  const Result<ObjectPtr> found = co_await client_.get(kLeases, options_.lease);
  if (!found && found.error().code() != Code::kNotFound) co_return found.error();
  const ObjectPtr old = found ? *found : nullptr;
  if (old) {
    look(old);
    if (!may_take(seen_, options_.identity, seams_.timer->monotonic() - seen_since_))
      co_return false;
  }
  const Result<ObjectPtr> written = co_await write(old, options_.identity);
  // Somebody else was faster.
  const bool lost = !written && (written.error().code() == Code::kConflict ||
                                 written.error().code() == Code::kExists);
  if (lost) co_return false;
  if (!written) co_return written.error();
  look(*written);
  co_return true;
}

// Renews until that has failed for too long, or somebody else holds the lease.
Async<void> LeaderElection::keep() {
  MonoTime renewed = seams_.timer->monotonic();
  while (seams_.timer->monotonic() - renewed < options_.give_up) {
    const bool slept = co_await seams_.timer->sleep_for(options_.retry);
    if (!slept) co_return;
    const MonoTime asked = seams_.timer->monotonic();
    const Result<bool> held = co_await try_take();
    if (held && *held) renewed = asked;
    if (held && !*held && seen_.holder != options_.identity) break;
  }
}

void LeaderElection::start(std::function<Async<void>()> lead) {
  lead_ = std::move(lead);
  election_.spawn("election " + options_.lease.text(), [this] { return run(); });
}

Async<void> LeaderElection::run() {
  while (true) {
    const Result<bool> taken = co_await try_take();
    if (!taken || !*taken) {
      const Duration jitter(int64_t(seams_.rng->below(uint64_t(options_.retry.count()))));
      const bool slept = co_await seams_.timer->sleep_for(options_.retry + jitter);
      if (!slept) co_return;
      continue;
    }
    log::info("leading", {{"lease", options_.lease.text()}, {"identity", options_.identity}});
    leading_ = true;
    work_ = std::make_unique<TaskGroup>(seams_.executor);
    work_->spawn("leader", lead_);
    co_await keep();
    leading_ = false;
    co_await work_->stop();
    log::warn("no longer leading", {{"lease", options_.lease.text()}, {"holder", seen_.holder}});
  }
}

Async<void> LeaderElection::stop() {
  co_await election_.stop();
  if (work_) co_await work_->stop();
  leading_ = false;
  if (seen_.holder != options_.identity) co_return;
  const Result<ObjectPtr> found = co_await client_.get(kLeases, options_.lease);
  if (!found || view_lease(**found).holder != options_.identity) co_return;
  const Result<ObjectPtr> given_back = co_await write(*found, "");
  if (!given_back) log::debug("lease not given back", {{"error", given_back.error()}});
}

}  // namespace atl::api
