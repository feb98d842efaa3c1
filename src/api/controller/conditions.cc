#include "api/controller/conditions.h"

#include <algorithm>

namespace atl::api {
namespace {

auto position(const json::Array& conditions, std::string_view type) {
  return std::find_if(conditions.begin(), conditions.end(), [&](const json::Value& entry) {
    return json::string_at(entry, {"type"}) == type;
  });
}

}  // namespace

const json::Value* find_condition(const json::Array& conditions, std::string_view type) {
  const auto it = position(conditions, type);
  return it == conditions.end() ? nullptr : &*it;
}

bool condition_is(const json::Array& conditions, std::string_view type, std::string_view status) {
  const json::Value* entry = find_condition(conditions, type);
  return entry && json::string_at(*entry, {"status"}) == status;
}

bool set_condition(json::Array& conditions, const Condition& wanted, WallTime now,
                   ConditionTimes times) {
  const json::Value* found = find_condition(conditions, wanted.type);
  const bool moved = !found || json::string_at(*found, {"status"}) != wanted.status;
  if (!moved && json::string_at(*found, {"reason"}) == wanted.reason &&
      json::string_at(*found, {"message"}) == wanted.message) {
    return false;
  }
  json::Object entry{{"type", wanted.type}, {"status", wanted.status}};
  const std::string time = rfc3339(now);
  entry["lastTransitionTime"] =
      moved ? std::string_view(time) : json::string_at(*found, {"lastTransitionTime"}, time);
  if (times == ConditionTimes::kTransitionAndUpdate) entry["lastUpdateTime"] = time;
  if (!wanted.reason.empty()) entry["reason"] = wanted.reason;
  if (!wanted.message.empty()) entry["message"] = wanted.message;
  if (found) {
    conditions[size_t(found - &conditions[0])] = std::move(entry);
  } else {
    conditions.push_back(std::move(entry));
  }
  return true;
}

bool remove_condition(json::Array& conditions, std::string_view type) {
  const auto it = position(conditions, type);
  if (it == conditions.end()) return false;
  conditions.erase(it);
  return true;
}

WallTime time_at(const json::Value& root, json::Path path) {
  return parse_rfc3339(json::string_at(root, path)).value_or(WallTime{});
}

}  // namespace atl::api
