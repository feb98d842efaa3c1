#pragma once

#include <string>
#include <string_view>

#include "api/validate/validate.h"
#include "base/text/json.h"

// Rules of pods that span several fields. What one field alone must be stands in kinds/. Pure.
namespace atl::apiserver {

// Of a pod, or of the template of a workload: `path` is where the spec stands.
api::Findings check_pod_spec(const json::Value& spec, std::string_view path);
// What an update of a pod may change: images, activeDeadlineSeconds (shorter), tolerations (more),
// scheduling gates (fewer).
api::Findings check_pod_update(const json::Value& pod, const json::Value& old);
// pods/ephemeralcontainers: may only add; pods/resize: may only change resources.
api::Findings check_ephemeral_update(const json::Value& pod, const json::Value& old);
api::Findings check_resize(const json::Value& pod, const json::Value& old);

// The parts, each with its own file.
void check_container(const json::Value& container, const json::Value& spec, const std::string& path,
                     api::Findings& out);
void check_resources(const json::Value& resources, const std::string& path, api::Findings& out);
void check_volumes(const json::Value& spec, std::string_view path, api::Findings& out);

}  // namespace atl::apiserver
