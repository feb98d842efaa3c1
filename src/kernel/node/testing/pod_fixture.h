#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <vector>

#include "api/cache/fake_world.h"
#include "kernel/node/pod/pod_record.h"
#include "kernel/node/pod/pod_reporter.h"
#include "kernel/node/pod/pod_tasks.h"
#include "kernel/node/testing/fake_actions.h"
#include "kernel/node/testing/fake_images.h"
#include "kernel/node/testing/fake_network.h"
#include "kernel/node/testing/fake_runtime.h"

namespace atl::node {

// The parts of one pod's worker, each on its own, in virtual time: pod "a" of namespace "default".
class PodFixture : public testing::Test {
 protected:
  PodFixture()
      : runtime_(world_.timer),
        actions_(world_.timer),
        events_(world_.client, world_.seams(), "kubelet"),
        context_{world_.seams(), world_.client, runtime_, images_, network_, events_, actions_} {
    char name[] = "/tmp/atoll-pod-XXXXXX";
    folder_ = ::mkdtemp(name);
    context_.folder = folder_ + "/pods";
    context_.run_folder = folder_ + "/run";
    (void)world_.client.put(pods_, *json::parse(R"({"apiVersion":"v1","kind":"Pod",
        "metadata":{"name":"a","namespace":"default"},"spec":{"nodeName":"n1",
        "initContainers":[{"name":"first","image":"i"}],
        "containers":[{"name":"main","image":"i"}]}})"));
    auto spec = read_pod(*world_.client.peek(pods_, {"default", "a"}));
    EXPECT_TRUE(spec) << spec.error().message();
    record_ = std::make_unique<PodRecord>(context_, *spec);
  }
  ~PodFixture() override { std::filesystem::remove_all(folder_); }

  PodReporter make_reporter() {
    return {context_, *record_, tasks_, {[this] { return passing_; }, [this] { ++times_gone_; }}};
  }
  // What a test's body and the pod's tasks do, to the end of the body.
  void play(std::function<Task<>()> body) {
    EXPECT_EQ(world_.run([&]() -> Task<> {
      auto done = co_await body();
      co_await events_.flush();
      co_await tasks_.stop();
      co_await events_.stop();
      co_return done;
    }),
              "");
  }
  // reason, message and the part of the pod that it is about
  std::vector<std::string> events() const {
    std::vector<std::string> out;
    for (const api::ObjectPtr& e : world_.client.peek_all({"", "v1", "events"})) {
      const json::Value doc = e->parse();
      out.push_back(std::string(json::string_at(doc, {"reason"})) + " " +
                    std::string(json::string_at(doc, {"involvedObject", "fieldPath"})) + ": " +
                    std::string(json::string_at(doc, {"message"})));
    }
    return out;
  }
  json::Value seen() const { return world_.client.peek(pods_, {"default", "a"})->parse(); }

  const api::Gvr pods_{"", "v1", "pods"};
  api::FakeWorld world_;
  FakeRuntime runtime_;
  FakeImages images_;
  FakeNetwork network_;
  FakeActions actions_;
  api::EventRecorder events_;
  PodContext context_;
  std::unique_ptr<PodRecord> record_;
  std::vector<std::string> faults_;
  PodTasks tasks_{world_.loop.get_executor(), world_.timer,
                  [this](const std::string& task, const std::string& fault) {
                    faults_.push_back(task + ": " + fault);
                  }};
  bool passing_ = false;
  int times_gone_ = 0;
  std::string folder_;
};

}  // namespace atl::node
