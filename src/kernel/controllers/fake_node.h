#pragma once

#include <map>
#include <string>

#include "api/cache/informer_set.h"
#include "api/controller/conditions.h"
#include "api/controller/controller_loop.h"
#include "kernel/controllers/resources.h"

namespace atl::controllers {

// A node as the API sees one, for tests: runs the pods bound to it (Running and Ready after
// start_time), ends the ones that are being deleted (after stop_time), and reports the addresses it
// made up.
class FakeNode final : public api::Reconciler {
 public:
  struct Options {
    std::string name = "n1";
    bool takes_unbound = false;  // where no scheduler runs
    Duration start_time = std::chrono::seconds(1);
    Duration stop_time = std::chrono::seconds(2);
    std::function<bool(const api::Object&)> becomes_ready = [](const api::Object&) { return true; };
    // How a running pod ends after run_time: "Succeeded", "Failed"; empty: it runs on.
    std::function<std::string(const api::Object&)> ends_as = [](const api::Object&) {
      return std::string();
    };
    Duration run_time = std::chrono::seconds(3);
  };
  FakeNode(api::Client& client, api::InformerSet& informers, api::Seams seams, Options options)
      : client_(client), seams_(seams), options_(std::move(options)), pods_(informers.get(kPods)) {}

  std::string_view name() const override { return "fake-node"; }
  std::vector<api::Informer*> inputs() override { return {&pods_}; }
  void watch(api::WorkQueue& queue) override {
    pods_.add_handler([&queue](const api::ObjectKey& key, const api::ObjectPtr&,
                               const api::ObjectPtr&) { queue.add(key); });
  }

  Task<api::Outcome> reconcile(api::ObjectKey key) override {
    const api::ObjectPtr pod = pods_.get(key);
    if (!pod) co_return api::Outcome::done();
    const json::Value document = pod->parse();
    const std::string_view node = json::string_at(document, {"spec", "nodeName"});
    if (node != options_.name && !(node.empty() && options_.takes_unbound))
      co_return api::Outcome::done();
    if (pod->header().deleting) co_return co_await stop(pod);
    co_return co_await run(pod);
  }

 private:
  // The moment something began, remembered by uid.
  Duration left(std::map<std::string, MonoTime>& begun, const std::string& uid, Duration takes) {
    const auto it = begun.try_emplace(uid, seams_.timer->monotonic()).first;
    return it->second + takes - seams_.timer->monotonic();
  }
  Task<api::Outcome> stop(api::ObjectPtr pod) {
    const Duration wait = left(stopping_, pod->uid(), options_.stop_time);
    if (wait > Duration(0)) co_return api::Outcome::again_after(wait);
    api::DeleteOptions now;
    now.grace_seconds = 0;
    now.uid = pod->uid();
    const Result<> removed = co_await client_.remove(kPods, pod->key(), now);
    if (!removed && removed.error().code() != Code::kNotFound) co_return removed.error();
    co_return api::Outcome::done();
  }
  Task<api::Outcome> run(api::ObjectPtr pod) {
    const Duration wait = left(starting_, pod->uid(), options_.start_time);
    if (wait > Duration(0)) co_return api::Outcome::again_after(wait);
    json::Value document = pod->parse();
    const std::string_view phase = json::string_at(document, {"status", "phase"});
    if (phase == "Running") co_return co_await end(pod, std::move(document));
    if (phase != "Pending") co_return api::Outcome::done();
    json::Array conditions = json::array_at(document, {"status", "conditions"});
    const bool ready = options_.becomes_ready(*pod);
    api::set_condition(conditions, {"Ready", ready ? "True" : "False", "", ""},
                       seams_.timer->now());
    const std::string ip = "10.0.0." + std::to_string(++addresses_ % 250);
    json::set(document, {"status", "podIP"}, json::Value(ip));
    json::set(document, {"status", "podIPs"}, json::Array{json::Object{{"ip", ip}}});
    json::set(document, {"status", "phase"}, json::Value("Running"));
    json::set(document, {"status", "conditions"}, std::move(conditions));
    api::WriteOptions status;
    status.subresource = "status";
    CO_TRY_OK(co_await client_.update(kPods, pod->key(), std::move(document), status));
    co_return api::Outcome::done();
  }

  Task<api::Outcome> end(api::ObjectPtr pod, json::Value document) {
    const std::string phase = options_.ends_as(*pod);
    if (phase.empty()) co_return api::Outcome::done();
    const Duration wait = left(running_, pod->uid(), options_.run_time);
    if (wait > Duration(0)) co_return api::Outcome::again_after(wait);
    json::Array conditions = json::array_at(document, {"status", "conditions"});
    api::set_condition(conditions, {"Ready", "False", "PodCompleted", ""}, seams_.timer->now());
    json::set(document, {"status", "phase"}, json::Value(phase));
    json::set(document, {"status", "conditions"}, std::move(conditions));
    const json::Object exit{{"exitCode", phase == "Failed" ? 1 : 0},
                            {"finishedAt", rfc3339(seams_.timer->now())}};
    json::set(
        document, {"status", "containerStatuses"},
        json::Array{json::Object{{"name", "c"}, {"state", json::Object{{"terminated", exit}}}}});
    api::WriteOptions status;
    status.subresource = "status";
    CO_TRY_OK(co_await client_.update(kPods, pod->key(), std::move(document), status));
    co_return api::Outcome::done();
  }

  api::Client& client_;
  api::Seams seams_;
  Options options_;
  api::Informer& pods_;
  std::map<std::string, MonoTime> starting_, running_, stopping_;
  int addresses_ = 0;
};

}  // namespace atl::controllers
