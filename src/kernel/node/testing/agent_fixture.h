#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "api/cache/fake_world.h"
#include "kernel/node/agent.h"
#include "kernel/node/testing/fake_actions.h"
#include "kernel/node/testing/fake_images.h"
#include "kernel/node/testing/fake_network.h"
#include "kernel/node/testing/fake_runtime.h"

namespace atl::node {

inline const api::Gvr kPods{"", "v1", "pods"};
inline const api::Gvr kEvents{"", "v1", "events"};

// A node in virtual time: the API, the keeper, images and network stay while agents come and go.
class AgentFixture : public testing::Test {
 protected:
  AgentFixture() : runtime_(world_.timer), actions_(world_.timer) {
    char name[] = "/tmp/atoll-node-XXXXXX";
    folder_ = ::mkdtemp(name);
    images_.here["web:1"] = FakeImages::image("web:1");
  }
  ~AgentFixture() override { std::filesystem::remove_all(folder_); }

  std::unique_ptr<Agent> make_agent() {
    AgentParts parts{world_.seams(), world_.client, runtime_, images_, network_, actions_, nullptr};
    parts.folder = folder_ + "/pods";
    parts.run_folder = folder_ + "/run";
    parts.facts.name = "n1";
    parts.facts.address = "192.0.2.1";
    parts.trouble = [] { return std::string(); };
    return std::make_unique<Agent>(std::move(parts));
  }

  static json::Value pod(const std::string& name,
                         const std::string& containers = R"([{"name":"main","image":"web:1"}])",
                         const std::string& more = "") {
    auto value = json::parse(R"({"apiVersion":"v1","kind":"Pod","metadata":{"name":")" + name +
                             R"(","namespace":"default","generation":1},"spec":{"nodeName":"n1",)" +
                             more + R"("containers":)" + containers + "}}");
    EXPECT_TRUE(value) << value.error().message();
    return *std::move(value);
  }

  json::Value seen(const std::string& name) const {
    const api::ObjectPtr object = world_.client.peek(kPods, {"default", name});
    return object ? object->parse() : json::Value();
  }
  std::string uid(const std::string& name) const {
    const api::ObjectPtr object = world_.client.peek(kPods, {"default", name});
    return object ? object->uid() : std::string();
  }
  std::string phase(const std::string& name) const {
    return std::string(json::string_at(seen(name), {"status", "phase"}));
  }
  json::Value status_of(const std::string& name, size_t index = 0,
                        std::string_view list = "containerStatuses") const {
    const json::Value value = seen(name);
    const json::Array& all = json::array_at(value, {"status", list});
    return index < all.size() ? all[index] : json::Value();
  }
  std::string waiting(const std::string& name) const {
    return std::string(json::string_at(status_of(name), {"state", "waiting", "reason"}));
  }
  std::string condition(const std::string& name, std::string_view type) const {
    const json::Value value = seen(name);
    for (const json::Value& c : json::array_at(value, {"status", "conditions"})) {
      if (json::string_at(c, {"type"}) == type) return std::string(json::string_at(c, {"status"}));
    }
    return {};
  }
  std::vector<std::string> events() const {
    std::vector<std::string> out;
    for (const api::ObjectPtr& e : world_.client.peek_all(kEvents)) {
      const json::Value doc = e->parse();
      out.push_back(std::string(json::string_at(doc, {"reason"})) + ": " +
                    std::string(json::string_at(doc, {"message"})));
    }
    return out;
  }
  // The agent of one test from start to stop.
  void with_agent(std::function<Task<>(Agent& agent)> body) {
    const auto agent = make_agent();
    EXPECT_EQ(world_.run([&]() -> Task<> {
      CO_TRY_OK(co_await agent->start());
      auto done = co_await body(*agent);
      co_await agent->events().flush();
      co_await agent->stop();
      co_return done;
    }),
              "");
    runtime_.forget_agent();
  }
#define EVENTUALLY(condition)                                                         \
  {                                                                                   \
    const bool came_true = co_await world_.eventually([&]() { return (condition); }); \
    EXPECT_TRUE(came_true) << #condition << "\n"                                      \
                           << json::pretty(json::object_at(seen("a"), {"status"}));   \
  }

  api::FakeWorld world_;
  FakeRuntime runtime_;
  FakeImages images_;
  FakeNetwork network_;
  FakeActions actions_;
  std::string folder_;
};

}  // namespace atl::node
