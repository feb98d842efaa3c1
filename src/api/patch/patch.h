#pragma once

#include "api/schema/schema.h"
#include "base/core/result.h"
#include "base/text/json.h"

namespace atl::api {

inline constexpr size_t kJsonPatchOperationsMax = 10'000;
inline constexpr size_t kPatchedBytesMax = 3 * 1024 * 1024;

// RFC 6902. kInvalid where an operation does not fit the document (test failed, path missing),
// kBadRequest where the patch itself is malformed, kTooLarge past the limits.
Result<json::Value> json_patch(json::Value document, const json::Value& patch);
// RFC 7386.
json::Value merge_patch(json::Value document, const json::Value& patch);
// Kubernetes strategic merge patch by the schema's merge keys and $patch, $retainKeys,
// $setElementOrder, $deleteFromPrimitiveList directives. kBadRequest on a malformed directive.
Result<json::Value> strategic_patch(const Schema& schema, json::Value document, const json::Value& patch);

}  // namespace atl::api
