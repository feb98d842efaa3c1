#include "kernel/controllers/job_policy.h"

#include <fmt/format.h>

#include <algorithm>

namespace atl::controllers {
namespace {

FailureAction action_of(std::string_view name) {
  if (name == "Ignore") return FailureAction::kIgnore;
  if (name == "FailIndex") return FailureAction::kFailIndex;
  return name == "FailJob" ? FailureAction::kFailJob : FailureAction::kCount;
}

std::string key_of(const json::Value& pod) {
  return fmt::format("{}/{}", json::string_at(pod, {"metadata", "namespace"}),
                     json::string_at(pod, {"metadata", "name"}));
}

// The container whose exit the rule names; nothing where it names none.
std::optional<std::string> by_exit_code(const json::Value& rule, const json::Value& pod) {
  const std::string_view only = json::string_at(rule, {"containerName"});
  const bool in = json::string_at(rule, {"operator"}) == "In";
  const json::Array& values = json::array_at(rule, {"values"});
  for (const char* list : {"containerStatuses", "initContainerStatuses"}) {
    for (const json::Value& status : json::array_at(pod, {"status", list})) {
      const std::string_view name = json::string_at(status, {"name"});
      const int64_t code = json::int_at(status, {"state", "terminated", "exitCode"});
      if (code == 0 || (!only.empty() && only != name)) continue;
      const bool named = std::any_of(values.begin(), values.end(), [&](const json::Value& value) {
        return value.is_number() && value.to_number<int64_t>() == code;
      });
      if (named == in) {
        return fmt::format("Container {} for pod {} failed with exit code {}", name, key_of(pod),
                           code);
      }
    }
  }
  return std::nullopt;
}

std::optional<std::string> by_condition(const json::Array& patterns, const json::Value& pod) {
  for (const json::Value& pattern : patterns) {
    const std::string_view type = json::string_at(pattern, {"type"});
    for (const json::Value& condition : json::array_at(pod, {"status", "conditions"})) {
      if (json::string_at(condition, {"type"}) != type) continue;
      if (json::string_at(condition, {"status"}) != json::string_at(pattern, {"status"}, "True"))
        continue;
      return fmt::format("Pod {} has condition {}", key_of(pod), type);
    }
  }
  return std::nullopt;
}

}  // namespace

FailureVerdict judge_failure(const json::Value& policy, const json::Value& pod) {
  size_t index = 0;
  for (const json::Value& rule : json::array_at(policy, {"rules"})) {
    const json::Value* codes = json::find(rule, {"onExitCodes"});
    const std::optional<std::string> what =
        codes ? by_exit_code(*codes, pod)
              : by_condition(json::array_at(rule, {"onPodConditions"}), pod);
    const std::string_view action = json::string_at(rule, {"action"});
    if (what) {
      return {action_of(action),
              fmt::format("{} matching {} rule at index {}", *what, action, index)};
    }
    ++index;
  }
  return {};
}

std::optional<std::string> met_success_rule(const json::Value& policy, const IndexSet& completed,
                                            int64_t completions) {
  size_t index = 0;
  for (const json::Value& rule : json::array_at(policy, {"rules"})) {
    const std::string_view indexes = json::string_at(rule, {"succeededIndexes"});
    int64_t have = completed.size();
    int64_t want = json::int_at(rule, {"succeededCount"}, -1);
    if (!indexes.empty()) {
      const IndexSet named = IndexSet::parse(indexes, completions);
      have = completed.common(named);
      if (want < 0) want = named.size();
    }
    if (want >= 0 && have >= want) return fmt::format("Matched rules at index {}", index);
    ++index;
  }
  return std::nullopt;
}

}  // namespace atl::controllers
