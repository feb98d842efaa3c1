#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/text/json.h"
#include "kernel/controllers/job_indexes.h"

namespace atl::controllers {

// What the rules of a Job's podFailurePolicy say of a failed pod. Pure.
enum class FailureAction : uint8_t {
  kCount,      // towards backoffLimit, as without a policy
  kIgnore,     // as if it had not happened
  kFailIndex,  // the pod's index fails, whatever its limit
  kFailJob,
};
struct FailureVerdict {
  FailureAction action = FailureAction::kCount;
  std::string message;  // which rule, for people
};
FailureVerdict judge_failure(const json::Value& policy, const json::Value& pod);

// The first rule of a Job's successPolicy that is met, as the condition's message; nothing where
// none is.
std::optional<std::string> met_success_rule(const json::Value& policy, const IndexSet& completed,
                                            int64_t completions);

}  // namespace atl::controllers
