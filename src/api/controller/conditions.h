#pragma once

#include <string>
#include <string_view>

#include "base/core/clock.h"
#include "base/text/json.h"

namespace atl::api {

// One entry of status.conditions.
struct Condition {
  std::string type;
  std::string status;  // "True", "False", "Unknown"
  std::string reason;
  std::string message;
};

// What else an entry carries besides lastTransitionTime.
enum class ConditionTimes : uint8_t {
  kTransition,           // lastTransitionTime alone
  kTransitionAndUpdate,  // lastUpdateTime too (Deployment)
};

// The entry of that type in a list of conditions; null where missing.
const json::Value* find_condition(const json::Array& conditions, std::string_view type);
bool condition_is(const json::Array& conditions, std::string_view type, std::string_view status);

// Sets or adds the entry; lastTransitionTime moves only when the status changes. True if anything
// but a time changed.
bool set_condition(json::Array& conditions, const Condition& wanted, WallTime now,
                   ConditionTimes times = ConditionTimes::kTransition);
// True if it was there.
bool remove_condition(json::Array& conditions, std::string_view type);

// A time field of a document; the epoch where missing or malformed.
WallTime time_at(const json::Value& root, json::Path path);

}  // namespace atl::api
