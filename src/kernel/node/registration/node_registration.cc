#include "kernel/node/registration/node_registration.h"

#include "base/observe/log.h"

namespace atl::node {
namespace {

constexpr Duration kRenewEvery = std::chrono::seconds(10);
constexpr Duration kRetry = std::chrono::milliseconds(500);
constexpr Duration kStatusEvery = std::chrono::minutes(5);
constexpr int64_t kLeaseSeconds = 40;
constexpr const char* kLeaseNamespace = "kube-node-lease";
const api::Gvr kNodes{"", "v1", "nodes"};
const api::Gvr kLeases{"coordination.k8s.io", "v1", "leases"};

// Without what changes with every heartbeat.
json::Value without_times(json::Value status) {
  for (json::Value& c : status.as_object()["conditions"].as_array()) {
    c.as_object().erase("lastHeartbeatTime");
    c.as_object().erase("lastTransitionTime");
  }
  return status;
}

}  // namespace

NodeRegistration::NodeRegistration(api::Client& client, api::Seams seams, oci::ImageStore& images,
                                   NodeFacts facts, std::function<std::string()> trouble)
    : client_(client),
      seams_(seams),
      images_(images),
      facts_(std::move(facts)),
      trouble_(std::move(trouble)),
      tasks_(seams.executor) {}

void NodeRegistration::start() {
  tasks_.spawn("node", [this] { return run(); });
}

Async<void> NodeRegistration::stop() {
  co_await tasks_.stop();
}

Async<void> NodeRegistration::run() {
  for (;;) {
    Result<> done = Unit{};
    if (!registered_) done = co_await register_node();
    if (done) done = co_await write_status();
    if (done) done = co_await renew_lease();
    if (!done && done.error().message() != last_error_) {
      log::warn("node cannot be reported to the API; trying again",
                {{"node", facts_.name}, {"error", done.error()}});
    }
    last_error_ = done ? std::string() : done.error().message();
    const bool slept = co_await seams_.timer->sleep_for(done ? kRenewEvery : kRetry);
    if (!slept) co_return;
  }
}

Task<> NodeRegistration::register_node() {
  const json::Value wanted = node_object(facts_);
  auto made = co_await client_.create(kNodes, "", wanted);
  if (!made && made.error().code() != Code::kExists)
    co_return std::move(made).error().during("register node");
  if (!made) {
    const json::Value patch = json::Object{
        {"metadata", json::Object{{"labels", json::object_at(wanted, {"metadata", "labels"})}}}};
    auto patched = co_await client_.patch(kNodes, {"", facts_.name}, api::PatchType::kMerge, patch);
    if (!patched) co_return std::move(patched).error().during("update labels of the node");
  }
  registered_ = true;
  status_ = nullptr;
  log::info("node registered", {{"node", facts_.name}, {"address", facts_.address}});
  co_return Unit{};
}

Task<> NodeRegistration::write_status() {
  CO_TRY(const api::ObjectPtr node, co_await client_.get(kNodes, {"", facts_.name}));
  auto images = co_await images_.list();
  if (!images) images = std::vector<oci::ImageSummary>();
  const json::Value before = node->parse();
  const WallTime now = seams_.timer->now();
  json::Value status = node_status(facts_, trouble_(), *images,
                                   json::array_at(before, {"status", "conditions"}), now);
  const json::Value core = without_times(status);
  if (status_.is_object() && json::equal(core, status_) && now - status_at_ < kStatusEvery)
    co_return Unit{};
  api::PatchOptions options;
  options.subresource = "status";
  auto written = co_await client_.patch(kNodes, {"", facts_.name}, api::PatchType::kMerge,
                                        json::Object{{"status", std::move(status)}}, options);
  if (!written) {
    registered_ =
        written.error().code() != Code::kNotFound;  // somebody deleted the node: it comes again
    co_return std::move(written).error().during("write status of the node");
  }
  status_ = core;
  status_at_ = now;
  co_return Unit{};
}

Task<> NodeRegistration::renew_lease() {
  const json::Object spec{{"holderIdentity", facts_.name},
                          {"leaseDurationSeconds", kLeaseSeconds},
                          {"renewTime", rfc3339_micro(seams_.timer->now())}};
  auto renewed = co_await client_.patch(kLeases, {kLeaseNamespace, facts_.name},
                                        api::PatchType::kMerge, json::Object{{"spec", spec}});
  if (renewed) co_return Unit{};
  if (renewed.error().code() != Code::kNotFound)
    co_return std::move(renewed).error().during("renew lease");
  json::Object lease{
      {"apiVersion", "coordination.k8s.io/v1"},
      {"kind", "Lease"},
      {"metadata", json::Object{{"name", facts_.name}, {"namespace", kLeaseNamespace}}},
      {"spec", spec}};
  auto made = co_await client_.create(kLeases, kLeaseNamespace, std::move(lease));
  if (!made) co_return std::move(made).error().during("create lease");
  co_return Unit{};
}

}  // namespace atl::node
