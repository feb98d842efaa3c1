#pragma once

#include "base/text/json.h"

namespace atl::controllers {

// "25%" or 3 of `total`, never less than 0; `fallback` for anything else, a missing value included.
// `total` has at most 32 bits. Pure.
enum class Rounding : uint8_t { kUp, kDown };
int64_t int_or_percent(const json::Value* value, int64_t total, Rounding rounding,
                       int64_t fallback);

}  // namespace atl::controllers
