#pragma once

#include <string>
#include <string_view>

#include "base/text/json.h"

namespace atl::api {

inline constexpr std::string_view kOpenApiV2Protobuf =
    "application/com.github.proto-openapi.spec.v2.v1.0+protobuf";
// What clients call it: "@" may not stand in a media type, so the answer's name has none.
inline constexpr std::string_view kOpenApiV2ProtobufAsked =
    "application/com.github.proto-openapi.spec.v2@v1.0+protobuf";

// An OpenAPI v2 document in the encoding that kubectl and client-go ask for (messages of
// openapi.v2, google/gnostic OpenAPIv2.proto). Of operations: their names, query parameters and
// extensions. What has no JSON type of its own there is YAML, of which JSON is a part. Pure.
std::string openapi_v2_protobuf(const json::Value& document);

}  // namespace atl::api
