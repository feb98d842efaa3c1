#pragma once

#include <string_view>

namespace atl::api {

// Whether a text has a format that CustomResourceDefinitions may ask for; true for formats unknown
// here.
bool has_format(std::string_view format, std::string_view text);

}  // namespace atl::api
