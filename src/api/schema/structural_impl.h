#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/core/result.h"
#include "base/text/json.h"

namespace atl::api {

// Every rule that a CustomResourceDefinition's schema breaks, sorted by text; paths below `path`.
// After an empty answer the document can be read without further checks.
std::vector<Cause> structural_findings(const json::Value& open_api_v3, std::string_view path);

}  // namespace atl::api
