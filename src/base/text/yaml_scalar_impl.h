#pragma once

#include <string_view>

#include "base/core/result.h"
#include "base/text/json.h"

namespace atl::yaml {

// What a plain scalar means in YAML 1.1 as go-yaml resolves it. NaN and infinities are errors.
Result<json::Value> resolve_plain(std::string_view text);
// A scalar with an explicit tag ("tag:yaml.org,2002:int"). kBadRequest where tag and text do not
// fit.
Result<json::Value> resolve_tagged(std::string_view tag, std::string_view text);
// The text of a key as JSON has it; mappings, sequences and null cannot be keys.
Result<std::string> key_text(const json::Value& key);

}  // namespace atl::yaml
