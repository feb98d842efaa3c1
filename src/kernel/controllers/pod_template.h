#pragma once

#include <cstdint>
#include <string>

#include "api/object/object.h"
#include "base/text/json.h"

namespace atl::controllers {

inline constexpr std::string_view kTemplateHashLabel = "pod-template-hash";

// Whether two pod templates describe the same pods: nulls and the hash label do not count.
bool same_template(const json::Value& a, const json::Value& b);

// The value of pod-template-hash: FNV-1a over the canonical text, in letters that make no words.
// Differs by `collisions`, so that two templates with one hash can be told apart.
std::string template_hash(const json::Value& pod_template, int64_t collisions);

// The pod that a template describes, controlled by `owner`; without a name.
json::Value pod_from_template(const json::Value& pod_template, const api::Object& owner);

}  // namespace atl::controllers
