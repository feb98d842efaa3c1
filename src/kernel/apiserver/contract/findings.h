#pragma once

#include <initializer_list>
#include <string>
#include <string_view>

#include "api/validate/findings.h"
#include "api/validate/names.h"
#include "api/validate/validate.h"
#include "base/text/json.h"

// Short forms for rules: findings of api/validate, and paths as in "spec.ports[0].name".
namespace atl::apiserver {

using api::duplicate_value;
using api::forbidden_value;
using api::invalid_value;
using api::not_found_value;
using api::required_value;
Cause unsupported_value(std::string path, const json::Value& value,
                        std::initializer_list<std::string_view> supported);

std::string at(std::string_view path, size_t index);               // "path[3]"
std::string at(std::string_view path, std::string_view key);       // "path[key]"
std::string under(std::string_view path, std::string_view field);  // "path.field"

// Adds a finding for a text that is not empty and breaks a rule of api/validate/names.h.
void check_text(api::Findings& out, std::string path, std::string_view text,
                api::Complaints (*rule)(std::string_view));

}  // namespace atl::apiserver
