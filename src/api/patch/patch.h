#pragma once

#include "api/schema/schema.h"
#include "base/core/result.h"
#include "base/text/json.h"

// The three patches of the API on trees. Pure functions; each takes the document by value and gives
// the patched one back. Time and memory are bounded by the limits below, so that a small request
// cannot cost much. Keys of objects keep no order: canonical text sorts them.
namespace atl::api {

inline constexpr size_t kJsonPatchOperationsMax = 10'000;
inline constexpr size_t kPatchedBytesMax = 3 * 1024 * 1024;
inline constexpr size_t kPatchedDepthMax = 512;
// Array elements that insertions, removals and moves of one patch may shift or visit.
inline constexpr size_t kJsonPatchWorkMax = 100'000'000;

// RFC 6902. kInvalid where an operation does not fit the document (test failed, path missing),
// kBadRequest where the patch itself is malformed, kTooLarge past the limits. Two habits of the
// field beyond the RFC: `test` with null passes on a missing member, and nothing else does.
Result<json::Value> json_patch(json::Value document, const json::Value& patch);

// RFC 7386.
json::Value merge_patch(json::Value document, const json::Value& patch);

// Kubernetes strategic merge patch by the schema's merge keys and $patch, $retainKeys,
// $setElementOrder, $deleteFromPrimitiveList directives. kBadRequest on a malformed directive,
// kInvalid on lists of lists. Fields without a schema merge as objects and replace as lists.
Result<json::Value> strategic_patch(const Schema& schema, json::Value document,
                                    const json::Value& patch);

}  // namespace atl::api
