#include "sim/simulation.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>

namespace atl::sim {
namespace {

using namespace std::chrono_literals;
using namespace controllers;

constexpr int64_t kSurge = 1;
constexpr int64_t kLess = 1;

// One Deployment as its user sees it, and what may be true of its pods meanwhile.
struct App {
  std::string name;
  int64_t replicas = 1;
  int version = 1;
  int64_t most_allowed = 0;   // live pods; falls again once converged
  int64_t least_allowed = 0;  // ready pods; only while it rolls from a converged state
};

class SimulationTest : public testing::TestWithParam<uint64_t> {
 protected:
  SimulationTest() : sim_(GetParam()) {}

  void apply(const App& app) {
    json::Value document =
        *json::parse(R"({"apiVersion":"apps/v1","kind":"Deployment","metadata":{"namespace":"d"},
      "spec":{"strategy":{"rollingUpdate":{"maxSurge":1,"maxUnavailable":1}},"revisionHistoryLimit":2,
        "template":{"spec":{"containers":[{"name":"c","resources":{"requests":{"cpu":"100m"}}}]}}}})");
    json::set(document, {"metadata", "name"}, json::Value(app.name));
    json::set(document, {"spec", "replicas"}, json::Value(app.replicas));
    json::set(document, {"spec", "selector", "matchLabels", "app"}, json::Value(app.name));
    json::set(document, {"spec", "template", "metadata", "labels", "app"}, json::Value(app.name));
    document.at("spec").at("template").at("spec").at("containers").at(0).as_object()["image"] =
        "v" + std::to_string(app.version);
    sim_.put(kDeployments, std::move(document));
  }
  void apply_service(const App& app) {
    json::Value document = *json::parse(
        R"({"apiVersion":"v1","kind":"Service","metadata":{"namespace":"d"},"spec":{"ports":[{"port":80}]}})");
    json::set(document, {"metadata", "name"}, json::Value(app.name));
    json::set(document, {"spec", "selector", "app"}, json::Value(app.name));
    sim_.put(kServices, std::move(document));
  }
  struct Counts {
    int64_t live = 0, ready = 0, right = 0;  // right: of the newest version, ready
  };
  Counts count(const App& app) {
    Counts out;
    const std::string image = "\"v" + std::to_string(app.version) + "\"";
    for (const api::ObjectPtr& pod : sim_.world().client.peek_all(kPods)) {
      if (api::label(pod->header().labels, "app") != app.name || pod->header().deleting) continue;
      const bool ready = pod->text().find(R"("status":"True","type":"Ready")") != std::string::npos;
      ++out.live;
      out.ready += ready;
      out.right += ready && pod->text().find(image) != std::string::npos;
    }
    return out;
  }
  bool converged(const App& app) {
    const Counts pods = count(app);
    if (pods.live != app.replicas || pods.right != app.replicas) return false;
    const json::Value deployment = sim_.get(kDeployments, {"d", app.name});
    return json::int_at(deployment, {"status", "availableReplicas"}) == app.replicas &&
           json::int_at(deployment, {"status", "updatedReplicas"}) == app.replicas &&
           json::int_at(deployment, {"status", "observedGeneration"}) ==
               json::int_at(deployment, {"metadata", "generation"});
  }
  int64_t ready_endpoints(const App& app) {
    int64_t count = 0;
    for (const json::Value& slice : sim_.all(kEndpointSlices)) {
      if (json::string_at(slice, {"metadata", "labels", "kubernetes.io/service-name"}) != app.name)
        continue;
      for (const json::Value& e : json::array_at(slice, {"endpoints"}))
        count += json::bool_at(e, {"conditions", "ready"});
    }
    return count;
  }
  std::string left_in(const std::string& ns) {
    std::string out;
    for (const api::Gvr& resource : sim_.world().client.resources()) {
      for (const api::ObjectPtr& object : sim_.world().client.peek_all(resource)) {
        if (object->ns() == ns) out += resource.resource + " " + object->text() + "\n";
      }
    }
    return out;
  }
  void check_bounds() {
    for (const App& app : apps_) {
      const Counts pods = count(app);
      if (pods.live > app.most_allowed)
        broken_ = app.name + ": " + std::to_string(pods.live) + " pods, allowed " +
                  std::to_string(app.most_allowed);
      if (pods.ready < app.least_allowed)
        broken_ = app.name + ": " + std::to_string(pods.ready) + " ready, needed " +
                  std::to_string(app.least_allowed);
    }
  }
  // One change by the user; the bounds move with it.
  void change(App& app) {
    const int64_t before = app.replicas;
    const bool settled = converged(app);
    app.least_allowed = 0;
    if (sim_.below(2) == 0) {
      app.replicas = int64_t(sim_.below(7));
    } else {
      ++app.version;
      if (settled) app.least_allowed = std::max<int64_t>(0, app.replicas - kLess);
    }
    app.most_allowed = std::max({app.most_allowed, before + kSurge, app.replicas + kSurge});
    if (settled) app.most_allowed = std::max(before, app.replicas) + kSurge;
    apply(app);
  }
  Async<bool> all_converged(Duration limit) {
    return sim_.world().eventually(
        [this] {
          return std::all_of(apps_.begin(), apps_.end(),
                             [&](const App& app) { return converged(app); });
        },
        limit);
  }

  Simulation sim_;
  std::vector<App> apps_;
  std::string broken_;
};

TEST_P(SimulationTest, DeploymentsConvergeWithinTheirBoundsAndLeaveNothing) {
  const std::string failure = sim_.run([&]() -> Task<> {
    sim_.put(kNamespaces,
             *json::parse(R"({"apiVersion":"v1","kind":"Namespace","metadata":{"name":"d"}})"));
    for (const char* name : {"one", "two", "three"}) {
      App app{name, 1 + int64_t(sim_.below(6)), 1, 0, 0};
      app.most_allowed = app.replicas + kSurge;
      apply(app);
      apply_service(app);
      apps_.push_back(app);
    }
    sim_.set_invariant([this] { check_bounds(); });
    for (int step = 0; step < 12; ++step) {
      co_await sim_.world().timer.sleep_for(Duration(int64_t(sim_.below(40'000'000'000))));
      change(apps_[sim_.below(apps_.size())]);
    }
    sim_.calm();
    const bool converged_in_time = co_await all_converged(10min);
    EXPECT_TRUE(converged_in_time);
    for (const App& app : apps_) {
      const bool served =
          co_await sim_.world().eventually([&] { return ready_endpoints(app) == app.replicas; });
      EXPECT_TRUE(served) << app.name << ": " << ready_endpoints(app) << " ready endpoints of "
                          << app.replicas;
    }
    EXPECT_EQ(broken_, "");

    // One app goes by its owner, the rest with the namespace.
    sim_.set_invariant({});
    CO_TRY_OK(co_await sim_.world().client.remove(kDeployments, {"d", "one"}, {}));
    CO_TRY_OK(co_await sim_.world().client.remove(kServices, {"d", "one"}, {}));
    const bool app_gone = co_await sim_.world().eventually(
        [&] { return count(apps_[0]).live == 0 && ready_endpoints(apps_[0]) == 0; });
    EXPECT_TRUE(app_gone);
    CO_TRY_OK(co_await sim_.world().client.remove(kNamespaces, {"", "d"}, {}));
    const bool empty = co_await sim_.world().eventually([&] {
      for (const api::Gvr& resource : sim_.world().client.resources()) {
        for (const api::ObjectPtr& object : sim_.world().client.peek_all(resource)) {
          if (object->ns() == "d") return false;
        }
      }
      return sim_.world().client.peek(kNamespaces, {"", "d"}) == nullptr;
    });
    EXPECT_TRUE(empty) << left_in("d");
    co_return Unit{};
  });
  EXPECT_EQ(failure, "");
  EXPECT_GT(sim_.faults(), 10u) << "a world without faults proves nothing";
}

std::vector<uint64_t> seeds() {
  if (const char* one = std::getenv("ATOLL_SIM_SEED")) return {std::strtoull(one, nullptr, 10)};
  const char* text = std::getenv("ATOLL_SIM_ROUNDS");
  const uint64_t rounds = text ? std::strtoull(text, nullptr, 10) : 5;
  std::vector<uint64_t> out;
  for (uint64_t seed = 1; seed <= rounds; ++seed) out.push_back(seed);
  return out;
}

INSTANTIATE_TEST_SUITE_P(Seed, SimulationTest, testing::ValuesIn(seeds()),
                         [](const auto& info) { return std::to_string(info.param); });

}  // namespace
}  // namespace atl::sim
