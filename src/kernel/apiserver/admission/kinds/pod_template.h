#pragma once

#include <initializer_list>
#include <string>
#include <string_view>

#include "api/validate/validate.h"
#include "base/text/json.h"

// Rules that every kind with a pod template and a label selector shares. Pure.
namespace atl::apiserver {

// The template at object.<path...>: the same defaults as a pod's spec.
void default_pod_template(json::Value& object, json::Path template_path);
// spec.selector must be one, must not be empty, and must match the labels of spec.template.
// `kind` as messages name it: "deployment".
void check_selector(const json::Value& object, std::string_view kind, api::Findings& out);
// `spec.<field>: Invalid value: ...: field is immutable` where it changed.
void check_immutable(const json::Value& object, const json::Value* old, std::string_view field,
                     api::Findings& out);
// The template's pod spec, and that its restart policy is one of `allowed`.
void check_pod_template(const json::Value& object, std::initializer_list<std::string_view> allowed,
                        api::Findings& out);
// A number of pods, or a share of them ("25%"). `path` for the finding.
void check_int_or_percent(const json::Value* value, std::string path, api::Findings& out);
// The same for what cannot be more than all of them: at most "100%".
void check_part(const json::Value* value, std::string path, api::Findings& out);
// True for 0 and "0%".
bool is_zero(const json::Value* int_or_percent);

}  // namespace atl::apiserver
