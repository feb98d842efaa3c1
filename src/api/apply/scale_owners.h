#pragma once

#include <string_view>

#include "api/apply/field_set.h"
#include "base/text/json.h"

// managedFields seen through the subresource scale: its readers and writers know one field, the
// number of replicas, and call it .spec.replicas whatever its place in the object is. Pure
// functions; what cannot be decoded counts as owned by nobody.
namespace atl::api {

// The managers of the object that own the number, each as the owner of .spec.replicas of a Scale.
// `place` is the number's path in the object: {"f:spec", "f:replicas"}.
json::Array scale_owners(const json::Value* managed_fields, const fields::Path& place);

// The inverse, after a write to the Scale: who owns the number now by `of_scale` owns it in the
// object, who does no more has lost it, and what else managers own stays. New owners are of the
// object's `api_version`.
json::Array object_owners(const json::Value* managed_fields, const json::Value* of_scale,
                          const fields::Path& place, std::string_view api_version);

}  // namespace atl::api
