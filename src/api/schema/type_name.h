#pragma once

#include <string_view>

#include "api/schema/schema.h"

namespace atl::api {

// As OpenAPI spells it; "integer,string" for a value that may be either, "" for one of any type.
std::string_view type_name(SchemaType type);

}  // namespace atl::api
