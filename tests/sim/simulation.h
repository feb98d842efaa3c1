#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "api/cache/fake_world.h"
#include "api/controller/controller_loop.h"
#include "kernel/controllers/fake_kinds.h"
#include "kernel/controllers/fake_node.h"
#include "kernel/controllers/manager.h"
#include "kernel/scheduler/scheduler.h"

namespace atl::sim {

// How rough the world is; 0: nothing of the kind.
struct Roughness {
  uint64_t fault_percent = 4;                             // of calls that go wrong
  Duration latency{std::chrono::milliseconds(40)};        // at most, each call
  Duration event_delay{std::chrono::milliseconds(1500)};  // at most, each event
  Duration disaster_every{
      std::chrono::seconds(20)};  // watches break, history is lost, the control plane crashes
};

// A cluster from a seed: an API in memory, nodes that run pods, and a control plane that can die.
class Simulation {
 public:
  explicit Simulation(uint64_t seed, Roughness roughness = {});
  ~Simulation();

  // Runs the body in virtual time with everything started. The error's text, or empty.
  std::string run(std::function<Task<>()> body);
  // From here on nothing goes wrong.
  void calm();

  // Called before every API call, when the state is consistent.
  void set_invariant(std::function<void()> check) { invariant_ = std::move(check); }

  api::FakeWorld& world() { return world_; }
  uint64_t below(uint64_t bound) { return dice_.below(bound); }
  uint64_t crashes() const { return crashes_; }
  uint64_t faults() const { return faults_; }

  // What a user does; free of faults.
  void put(const api::Gvr& resource, json::Value document);
  json::Value get(const api::Gvr& resource, const api::ObjectKey& key) const;
  std::vector<json::Value> all(const api::Gvr& resource) const;

 private:
  struct ControlPlane;
  std::optional<api::Fault> fault(const api::FakeCall& call);
  Async<void> disasters();
  Async<void> heartbeats();

  Roughness roughness_;
  api::FakeWorld world_;
  SeededRng dice_;
  controllers::FakeKinds kinds_;
  std::function<void()> invariant_;
  std::unique_ptr<ControlPlane> control_;
  api::InformerSet node_informers_;
  std::vector<std::unique_ptr<controllers::FakeNode>> nodes_;
  std::vector<std::unique_ptr<api::ControllerLoop>> node_loops_;
  uint64_t crashes_ = 0;
  uint64_t faults_ = 0;
};

}  // namespace atl::sim
