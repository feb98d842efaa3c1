#pragma once

#include <string>
#include <vector>

#include "kernel/apiserver/registry/call.h"

namespace atl::apiserver {

// What every body goes through before a rule of the kind is asked: type, names against the URL,
// unknown fields by the caller's fieldValidation, types of fields, defaults.

// apiVersion and kind must be those of the URL; where both are missing they are filled in.
// kBadRequest.
Result<> check_type(const api::Gvk& wanted, json::Value& document);
// What metadata.name has to be: anything (create), that of the URL or missing, that of the URL.
enum class NameInBody : uint8_t { kFree, kOptional, kRequired };
// metadata.namespace and metadata.name must be those of the URL; a missing one is filled in.
// kBadRequest.
Result<> check_address(const Call& call, json::Value& document, NameInBody name_in_body);
// Removes unknown fields; by call.validation that is nothing, a warning each, or kBadRequest.
Result<> drop_unknown(const Call& call, const api::Schema* schema, Body& body);
// Wrong JSON types in an object of a built-in kind are kBadRequest: its decoder's answer.
Result<> check_types(const api::Kind& kind, const api::Schema* schema, const json::Value& document);
// What an apply needs besides: a field manager, the version of the URL, no managedFields of its
// own. Before check_type(), which fills in what is missing.
Result<> check_apply(const Call& call, const api::Gvk& wanted, const json::Value& config);
// All of it, for an object of the call's kind; defaults included.
Result<> accept_object(const Call& call, Body& body, NameInBody name_in_body);

}  // namespace atl::apiserver
