#include "kernel/apiserver/registry/body_checks.h"

#include <fmt/format.h>

#include "api/validate/validate.h"

namespace atl::apiserver {
namespace {

std::string quoted_list(std::string_view what, const std::vector<std::string>& fields) {
  std::string out;
  for (const std::string& field : fields) {
    if (!out.empty()) out += ", ";
    out += fmt::format("{} \"{}\"", what, field);
  }
  return out;
}

// Built-in decoders meet fields in one pass; custom ones find duplicates before the schema is
// asked.
Error strict_error(const Call& call, const api::Strictness& found) {
  std::string first = quoted_list("unknown field", found.unknown_fields);
  std::string second = quoted_list("duplicate field", found.duplicate_fields);
  if (call.kind->custom) std::swap(first, second);
  const std::string_view comma = !first.empty() && !second.empty() ? ", " : "";
  return Error(Code::kBadRequest,
               fmt::format("strict decoding error: {}{}{}", first, comma, second));
}

}  // namespace

Result<> check_type(const api::Gvk& wanted, json::Value& document) {
  if (!document.is_object()) {
    return Error(Code::kBadRequest, "the body of the request is not an object");
  }
  const std::string version = wanted.group_version().text();
  for (const std::string_view field : {"apiVersion", "kind"}) {
    const json::Value* at = json::find(document, {field});
    if (at && !at->is_null() && !at->is_string()) {
      return Error(
          Code::kBadRequest,
          fmt::format("couldn't get version/kind; json parse error: {} is not a string", field));
    }
  }
  if (json::string_at(document, {"apiVersion"}).empty())
    json::set(document, {"apiVersion"}, json::Value(version));
  if (json::string_at(document, {"kind"}).empty())
    json::set(document, {"kind"}, json::Value(wanted.kind));
  if (const auto given = json::string_at(document, {"apiVersion"}); given != version) {
    return Error(
        Code::kBadRequest,
        fmt::format("the API version in the data ({}) does not match the expected API version ({})",
                    given, version));
  }
  if (const auto given = json::string_at(document, {"kind"}); given != wanted.kind) {
    return Error(Code::kBadRequest,
                 fmt::format("{} in version \"{}\" cannot be handled as a {}: the kind in the data "
                             "does not match the expected kind",
                             given, wanted.version, wanted.kind));
  }
  return Unit{};
}

Result<> check_address(const Call& call, json::Value& document, NameInBody name_in_body) {
  const json::Value* metadata = json::find(document, {"metadata"});
  if (!metadata || metadata->is_null()) {
    json::set(document, {"metadata"}, json::Object{});
  } else if (!metadata->is_object()) {
    return Error(Code::kBadRequest, "metadata: must be an object");
  }
  for (const std::string_view field :
       {"name", "namespace", "generateName", "uid", "resourceVersion"}) {
    const json::Value* at = json::find(document, {"metadata", field});
    if (at && !at->is_null() && !at->is_string()) {
      return Error(Code::kBadRequest, fmt::format("metadata.{}: must be a string", field));
    }
  }
  if (call.kind->namespaced) {
    const std::string_view ns = json::string_at(document, {"metadata", "namespace"});
    if (ns.empty()) {
      json::set(document, {"metadata", "namespace"}, json::Value(call.key.ns));
    } else if (ns != call.key.ns) {
      return Error(
          Code::kBadRequest,
          "the namespace of the provided object does not match the namespace sent on the request");
    }
  } else if (!json::string_at(document, {"metadata", "namespace"}).empty()) {
    // A cluster-scoped object has none, whatever the body says.
    json::erase(document, {"metadata", "namespace"});
  }
  if (name_in_body == NameInBody::kFree) return Unit{};
  const std::string_view name = json::string_at(document, {"metadata", "name"});
  if (name.empty() && name_in_body == NameInBody::kRequired) {
    return Error(
        Code::kBadRequest,
        fmt::format(
            "the name of the object ({} based on URL) was undeterminable: name must be provided",
            call.key.name));
  }
  if (name.empty()) {
    json::set(document, {"metadata", "name"}, json::Value(call.key.name));
  } else if (name != call.key.name) {
    return Error(Code::kBadRequest,
                 fmt::format("the name of the object ({}) does not match the name on the URL ({})",
                             name, call.key.name));
  }
  return Unit{};
}

Result<> drop_unknown(const Call& call, const api::Schema* schema, Body& body) {
  api::Strictness& found = body.strictness;
  const bool silent = call.validation == FieldValidation::kIgnore;
  if (schema) api::prune(*schema, body.document, silent ? nullptr : &found.unknown_fields);
  if (silent || (found.unknown_fields.empty() && found.duplicate_fields.empty())) return Unit{};
  if (call.validation == FieldValidation::kStrict) return strict_error(call, found);
  for (const std::string& field : found.unknown_fields) {
    call.warnings->push_back(fmt::format("unknown field \"{}\"", field));
  }
  for (const std::string& field : found.duplicate_fields) {
    call.warnings->push_back(fmt::format("duplicate field \"{}\"", field));
  }
  return Unit{};
}

Result<> check_types(const api::Kind& kind, const api::Schema* schema,
                     const json::Value& document) {
  // Custom kinds: by the checks of every write, which know what was there before.
  if (!schema || kind.custom) return Unit{};
  api::Findings wrong;
  for (Cause& cause : api::check_schema(*schema, document)) {
    if (cause.reason == "FieldValueTypeInvalid") wrong.push_back(std::move(cause));
  }
  if (wrong.empty()) return Unit{};
  return Error(Code::kBadRequest,
               fmt::format("{} in version \"{}\" cannot be handled as a {}: {}: {}", kind.gvk.kind,
                           kind.gvk.version, kind.gvk.kind, wrong[0].field, wrong[0].message));
}

Result<> accept_object(const Call& call, Body& body, NameInBody name_in_body) {
  const api::Kind& kind = *call.kind;
  TRY_OK(check_type(kind.gvk, body.document));
  TRY_OK(check_address(call, body.document, name_in_body));
  TRY_OK(drop_unknown(call, kind.schema, body));
  TRY_OK(check_types(kind, kind.schema, body.document));
  if (kind.schema) api::apply_defaults(*kind.schema, body.document);
  return Unit{};
}

}  // namespace atl::apiserver
