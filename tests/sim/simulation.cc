#include "sim/simulation.h"

#include "base/async/task_group.h"

namespace atl::sim {
namespace {

constexpr int kNodeCount = 3;

json::Value node_document(const std::string& name, WallTime now) {
  json::Object ready{{"type", "Ready"},
                     {"status", "True"},
                     {"reason", "KubeletReady"},
                     {"lastHeartbeatTime", rfc3339(now)}};
  json::Object allocatable{{"cpu", "8"}, {"memory", "16Gi"}, {"pods", "110"}};
  return json::Object{{"apiVersion", "v1"},
                      {"kind", "Node"},
                      {"metadata", json::Object{{"name", name}}},
                      {"spec", json::Object{}},
                      {"status", json::Object{{"allocatable", std::move(allocatable)},
                                              {"conditions", json::Array{std::move(ready)}}}}};
}

}  // namespace

// What dies and starts anew: caches, controllers, scheduler. The API's state survives.
struct Simulation::ControlPlane {
  explicit ControlPlane(Simulation& sim)
      : informers(sim.world_.client, sim.world_.seams()),
        events(sim.world_.client, sim.world_.seams(), "default-scheduler"),
        manager([&sim](std::string_view) -> api::Client& { return sim.world_.client; }, informers,
                sim.world_.seams(), sim.kinds_, {.root_ca_pem = "CA", .only = {}}),
        scheduler(sim.world_.client, informers, sim.world_.seams(), events, {}) {}

  void start() {
    informers.start();
    manager.start();
    scheduler.start();
  }
  Async<void> stop() {
    co_await manager.stop();
    co_await scheduler.stop();
    co_await events.stop();
    co_await informers.stop();
  }

  api::InformerSet informers;
  api::EventRecorder events;
  controllers::Manager manager;
  scheduler::Scheduler scheduler;
};

Simulation::Simulation(uint64_t seed, Roughness roughness)
    : roughness_(roughness),
      world_(seed),
      dice_(seed ^ 0x5eed),
      node_informers_(world_.client, world_.seams()) {
  world_.client.set_faults([this](const api::FakeCall& call) { return fault(call); });
  world_.client.set_latency(
      [this] { return Duration(int64_t(dice_.below(uint64_t(roughness_.latency.count()) + 1))); });
  world_.client.set_event_delay([this] {
    return Duration(int64_t(dice_.below(uint64_t(roughness_.event_delay.count()) + 1)));
  });
  for (int i = 0; i < kNodeCount; ++i) {
    controllers::FakeNode::Options options;
    options.name = "n" + std::to_string(i);
    nodes_.push_back(std::make_unique<controllers::FakeNode>(world_.client, node_informers_,
                                                             world_.seams(), options));
    node_loops_.push_back(std::make_unique<api::ControllerLoop>(*nodes_.back(), world_.seams(),
                                                                api::ControllerLoop::Options{}));
    put(controllers::kNodes, node_document(options.name, world_.timer.now()));
  }
}

Simulation::~Simulation() = default;

void Simulation::calm() {
  roughness_.fault_percent = 0;
  roughness_.disaster_every = Duration(0);
}

std::optional<api::Fault> Simulation::fault(const api::FakeCall& call) {
  if (invariant_) invariant_();
  if (dice_.below(200) >= roughness_.fault_percent)
    return std::nullopt;  // asked twice for each write
  ++faults_;
  if (call.writes() && dice_.below(3) == 0)
    return api::Fault{api::Fault::When::kAfter, Error(Code::kTimeout, "reply lost")};
  if (call.verb == "update" && dice_.below(2) == 0) {
    return api::Fault{api::Fault::When::kBefore, Error(Code::kConflict, "somebody was faster")};
  }
  return api::Fault{};
}

Async<void> Simulation::disasters() {
  while (roughness_.disaster_every > Duration(0)) {
    co_await world_.timer.sleep_for(
        Duration(int64_t(dice_.below(uint64_t(2 * roughness_.disaster_every.count())))));
    if (roughness_.disaster_every == Duration(0)) co_return;
    switch (dice_.below(4)) {
      case 0:
        world_.client.break_watches();
        break;
      case 1:
        world_.client.break_watches();
        world_.client.compact();
        break;
      case 2:
        world_.client.send_bookmarks();
        break;
      default:
        ++crashes_;
        co_await control_->stop();
        control_ = std::make_unique<ControlPlane>(*this);
        co_await world_.timer.sleep_for(Duration(int64_t(dice_.below(3'000'000'000))));
        control_->start();
    }
  }
}

Async<void> Simulation::heartbeats() {
  while (true) {
    for (int i = 0; i < kNodeCount; ++i) {
      json::Object lease{{"apiVersion", "coordination.k8s.io/v1"},
                         {"kind", "Lease"},
                         {"metadata", json::Object{{"name", "n" + std::to_string(i)},
                                                   {"namespace", "kube-node-lease"}}},
                         {"spec", json::Object{{"renewTime", rfc3339_micro(world_.timer.now())}}}};
      put(controllers::kLeases, std::move(lease));
    }
    const bool slept = co_await world_.timer.sleep_for(std::chrono::seconds(10));
    if (!slept) co_return;
  }
}

std::string Simulation::run(std::function<Task<>()> body) {
  control_ = std::make_unique<ControlPlane>(*this);
  return world_.run([this, body = std::move(body)]() -> Task<> {
    TaskGroup outside(world_.seams().executor);
    node_informers_.start();
    for (auto& loop : node_loops_) loop->start();
    control_->start();
    outside.spawn("disasters", [this] { return disasters(); });
    outside.spawn("heartbeats", [this] { return heartbeats(); });
    Result<> result = co_await body();
    co_await outside.stop();
    co_await control_->stop();
    for (auto& loop : node_loops_) co_await loop->stop();
    co_await node_informers_.stop();
    co_return result;
  });
}

void Simulation::put(const api::Gvr& resource, json::Value document) {
  const Result<api::ObjectPtr> made = world_.client.put(resource, std::move(document));
  if (!made) std::abort();  // the user of a simulation asks for nothing that can fail
}

json::Value Simulation::get(const api::Gvr& resource, const api::ObjectKey& key) const {
  const api::ObjectPtr object = world_.client.peek(resource, key);
  return object ? object->parse() : json::Value();
}

std::vector<json::Value> Simulation::all(const api::Gvr& resource) const {
  std::vector<json::Value> out;
  for (const api::ObjectPtr& object : world_.client.peek_all(resource))
    out.push_back(object->parse());
  return out;
}

}  // namespace atl::sim
