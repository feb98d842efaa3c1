#pragma once

#include <functional>
#include <string>

#include "api/schema/kind.h"

namespace atl::api {

// The OpenAPI v3 document of one group and version: schemas and paths with the extensions clients
// read (research: x-kubernetes-group-version-kind, -action, patch media types, fieldValidation).
json::Value openapi_v3(const KindSet& kinds, const GroupVersion& group_version);
// The index at /openapi/v3, each with ?hash=. `hash` gives openapi_hash(), from memory where it
// can; empty: each is made.
using OpenApiHash = std::function<std::string(const GroupVersion&)>;
json::Value openapi_v3_index(const KindSet& kinds, const OpenApiHash& hash = {});
// Strong hash of a document's content, hex. Makes the whole document.
std::string openapi_hash(const KindSet& kinds, const GroupVersion& group_version);
// OpenAPI v2 (swagger 2.0) of everything, JSON.
json::Value openapi_v2(const KindSet& kinds);

// Discovery: /api, /apis, /apis/<g>, /apis/<g>/<v>, and the aggregated form of /api and /apis.
json::Value api_versions();
json::Value api_group_list(const KindSet& kinds);
Result<json::Value> api_group(const KindSet& kinds, std::string_view group);
Result<json::Value> api_resource_list(const KindSet& kinds, const GroupVersion& group_version);
json::Value aggregated_discovery(const KindSet& kinds, bool core);  // core: /api, else /apis

}  // namespace atl::api
