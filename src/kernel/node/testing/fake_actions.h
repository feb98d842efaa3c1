#pragma once

#include <map>
#include <set>
#include <stdexcept>
#include <string>
#include <vector>

#include "kernel/node/probe/action.h"

namespace atl::node {

// Probes and hooks answer what the test says; success otherwise.
class FakeActions final : public ActionRunner {
 public:
  explicit FakeActions(Timer& timer) : timer_(timer) {}
  std::map<std::string, bool> healthy;  // by the action's httpGet path
  std::set<std::string> throwing;       // paths at which there is a fault in the node itself
  std::vector<std::string> calls;

  Task<> run(json::Value action, ActionTarget, Duration) override {
    const std::string path(json::string_at(action, {"httpGet", "path"}));
    calls.push_back(path);
    if (throwing.contains(path)) throw std::runtime_error("a fault in a probe");
    if (const json::Value* sleep = json::find(action, {"sleep"})) {
      co_await timer_.sleep_for(std::chrono::seconds(json::int_at(*sleep, {"seconds"})));
    }
    const auto it = healthy.find(path);
    if (it != healthy.end() && !it->second)
      co_return Error(Code::kUnavailable, "HTTP probe failed with statuscode: 500");
    co_return Unit{};
  }

 private:
  Timer& timer_;
};

}  // namespace atl::node
