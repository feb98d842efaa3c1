#pragma once

#include <vector>

#include "api/schema/kind.h"
#include "base/core/result.h"

namespace atl::api {

// One finding, in the words of the field: Cause::reason is "FieldValueInvalid" and so on,
// Cause::message "Invalid value: \"x\": must be ...", Cause::field "spec.replicas".
using Findings = std::vector<Cause>;

// Types, required fields, limits, enumerations, formats, list-map and set uniqueness.
Findings check_schema(const Schema& schema, const json::Value& document,
                      std::string_view path = {});
// apiVersion/kind/metadata rules that hold for every object: names, labels, annotations, owners,
// finalizers, sizes. `kind` says which name rule applies.
Findings check_metadata(const Kind& kind, const json::Value& document);
// metadata fields that may not change between two states of an object.
Findings check_metadata_update(const json::Value& before, const json::Value& after);

// `Deployment.apps "web" is invalid: spec.x: Required value`, code kInvalid, causes as given.
Error invalid(const Gvk& gvk, std::string_view name, Findings findings);

}  // namespace atl::api
