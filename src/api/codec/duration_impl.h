#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace atl::api {

// Go's text of a duration in nanoseconds: "1h30m0s", "1.5s", "0s".
std::string duration_text(int64_t nanoseconds);
std::optional<int64_t> parse_duration(std::string_view text);

}  // namespace atl::api
