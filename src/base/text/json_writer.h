#pragma once

#include <string>
#include <string_view>

#include "base/text/json.h"

// Canonical text made piece by piece, for those who put documents together from parts.
namespace atl::json {

// Appends what serialize() gives.
void append(std::string& out, const Value& value);
// Appends a string in quotes, escaped.
void append_quoted(std::string& out, std::string_view text);

}  // namespace atl::json
