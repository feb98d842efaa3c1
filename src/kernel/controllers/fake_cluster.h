#pragma once

#include <memory>
#include <string>
#include <vector>

#include "api/cache/fake_world.h"
#include "api/controller/controller_loop.h"
#include "kernel/controllers/deps.h"
#include "kernel/controllers/resources.h"

namespace atl::controllers {

// A fake API and controllers over it, for tests. add() builds a controller; run() starts all, runs
// the body in virtual time, and stops them.
class FakeCluster {
 public:
  explicit FakeCluster(uint64_t seed = 1) : world(seed), informers(world.client, world.seams()) {}

  api::FakeWorld world;
  api::InformerSet informers;

  template <class T, class... Args>
  T& add(Args... args) {
    events_.push_back(std::make_unique<api::EventRecorder>(world.client, world.seams(), "test"));
    auto made =
        std::make_unique<T>(Deps{world.client, informers, world.seams(), *events_.back()}, args...);
    T& reference = *made;
    adopt(std::move(made));
    return reference;
  }
  void adopt(std::unique_ptr<api::Reconciler> reconciler) {
    loops_.push_back(std::make_unique<api::ControllerLoop>(*reconciler, world.seams(),
                                                           api::ControllerLoop::Options{}));
    reconcilers_.push_back(std::move(reconciler));
  }
  api::ControllerLoop& loop(size_t index) { return *loops_.at(index); }

  // The error's text, or empty.
  std::string run(std::function<Task<>()> body, Duration limit = std::chrono::hours(24)) {
    return world.run(
        [this, body = std::move(body)]() -> Task<> {
          informers.start();
          for (auto& loop : loops_) loop->start();
          Result<> result = co_await body();
          for (auto& loop : loops_) co_await loop->stop();
          for (auto& events : events_) co_await events->stop();
          co_await informers.stop();
          co_return result;
        },
        limit);
  }

  Async<bool> eventually(std::function<bool()> condition,
                         Duration limit = std::chrono::minutes(5)) {
    return world.eventually(std::move(condition), limit);
  }
  // Nothing for a while: what was to happen has happened.
  Async<void> settle(Duration time = std::chrono::seconds(30)) {
    co_await world.timer.sleep_for(time);
  }

  json::Value get(const api::Gvr& resource, const api::ObjectKey& key) const {
    const api::ObjectPtr object = world.client.peek(resource, key);
    return object ? object->parse() : json::Value();
  }
  std::vector<json::Value> all(const api::Gvr& resource) const {
    std::vector<json::Value> out;
    for (const api::ObjectPtr& object : world.client.peek_all(resource))
      out.push_back(object->parse());
    return out;
  }
  // "Reason: message" of all Events.
  std::vector<std::string> events() const {
    std::vector<std::string> out;
    for (const json::Value& event : all({"", "v1", "events"})) {
      out.push_back(std::string(json::string_at(event, {"reason"})) + ": " +
                    std::string(json::string_at(event, {"message"})));
    }
    return out;
  }

 private:
  std::vector<std::unique_ptr<api::EventRecorder>> events_;
  std::vector<std::unique_ptr<api::Reconciler>> reconcilers_;
  std::vector<std::unique_ptr<api::ControllerLoop>> loops_;
};

// Manifests of tests, as text.
inline json::Value manifest(std::string_view text) {
  return *json::parse(text);
}

}  // namespace atl::controllers
