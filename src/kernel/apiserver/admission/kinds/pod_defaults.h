#pragma once

#include <string_view>

#include "base/text/json.h"

// What of a pod depends on its other fields. Pure functions over documents whose schema defaults
// are set.
namespace atl::apiserver {

// "Always" for the tag latest and for no tag at all, "IfNotPresent" for the rest.
std::string_view pull_policy_of(std::string_view image);
// For pods and for templates of pods.
void default_pod_spec(json::Value& spec);
// For pods alone, after default_pod_spec: requests follow limits, service links are on.
void default_pod(json::Value& pod);
// BestEffort, Burstable or Guaranteed, by requests and limits of cpu and memory.
std::string_view quality_of(const json::Value& spec);

}  // namespace atl::apiserver
