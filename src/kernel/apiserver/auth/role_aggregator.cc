#include "kernel/apiserver/auth/role_aggregator.h"

#include <utility>

#include "base/observe/log.h"

namespace atl::apiserver {
namespace {

constexpr std::string_view kGroup = "rbac.authorization.k8s.io";
constexpr auto kRetry = std::chrono::seconds(1);

}  // namespace

RoleAggregator::RoleAggregator(Executor executor, Timer& timer, Reader& reader, api::Client& client,
                               const RbacIndex& index)
    : timer_(timer), reader_(reader), client_(client), index_(index), tasks_(std::move(executor)) {}

void RoleAggregator::start() {
  listener_ =
      reader_.listen(kGroup, "clusterroles", [this](const api::ObjectPtr&, const api::ObjectPtr&) {
        dirty_ = true;
        changed_.notify();
      });
  tasks_.spawn("role aggregator", [this]() -> Async<void> { co_await run(); });
}

Async<void> RoleAggregator::stop() {
  listener_.reset();
  co_await tasks_.stop();
}

Async<void> RoleAggregator::run() {
  for (;;) {
    if (!dirty_) {
      const bool woken = co_await changed_.wait();
      if (!woken) co_return;
    }
    dirty_ = false;
    const auto synced = co_await sync();
    if (synced) continue;
    log::warn("aggregated roles not written", {{"error", synced.error()}});
    dirty_ = true;
    const bool slept = co_await timer_.sleep_for(kRetry);
    if (!slept) co_return;
  }
}

Task<> RoleAggregator::sync() {
  const api::Gvr resource{std::string(kGroup), "v1", "clusterroles"};
  for (const std::string& name : index_.aggregated()) {
    const api::ObjectPtr stored = reader_.get(kGroup, "clusterroles", {"", name});
    if (!stored || stored->header().deleting) continue;
    json::Value document = stored->parse();
    const RbacRules wanted = index_.collected(name);
    if (rules_from_document(document) == wanted) continue;
    json::Array rules;
    for (const RbacRule& rule : wanted) rules.push_back(rule.document());
    json::set(document, {"rules"}, std::move(rules));
    auto written = co_await client_.update(resource, stored->key(), std::move(document), {});
    // Somebody else's change wakes us again.
    const bool settled = written || written.error().code() == Code::kConflict ||
                         written.error().code() == Code::kNotFound;
    if (!settled) co_return std::move(written).error();
  }
  co_return Unit{};
}

}  // namespace atl::apiserver
