#include "api/patch/patch.h"

namespace atl::api {

json::Value merge_patch(json::Value document, const json::Value& patch) {
  if (!patch.is_object()) return patch;
  if (!document.is_object()) document.emplace_object();
  json::Object& target = document.get_object();
  for (const auto& [key, value] : patch.get_object()) {
    if (value.is_null()) {
      target.erase(key);
      continue;
    }
    json::Value& member = target[key];
    member = merge_patch(std::move(member), value);
  }
  return document;
}

}  // namespace atl::api
