#pragma once

#include <span>
#include <string>
#include <string_view>

#include "base/core/result.h"
#include "base/text/json.h"

// Findings in Kubernetes' words: "Invalid value: \"x\": must be ...", each with the reason that
// clients test. Texts as field.Error of apimachinery prints them; paths are written by the caller
// ("spec.ports[0].port").
namespace atl::api {

Cause required_value(std::string path, std::string_view detail = {});
Cause invalid_value(std::string path, const json::Value& value, std::string_view detail);
Cause wrong_type(std::string path, const json::Value& value, std::string_view detail);
Cause duplicate_value(std::string path, const json::Value& value);
Cause unsupported_value(std::string path, const json::Value& value,
                        std::span<const std::string> supported);
Cause forbidden_value(std::string path, std::string_view detail);
Cause not_found_value(std::string path, const json::Value& value);
Cause too_long(std::string path, uint64_t max_bytes);
Cause too_many(std::string path, uint64_t actual, uint64_t max);
Cause immutable_value(std::string path, const json::Value& value);  // "field is immutable"

// The value as it stands in a finding: strings quoted as Go does, numbers plain, the rest as JSON.
std::string shown(const json::Value& value);
// A string quoted as Go's %q does.
std::string quoted(std::string_view text);

}  // namespace atl::api
