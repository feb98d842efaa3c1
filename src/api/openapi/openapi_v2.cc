#include "api/openapi/openapi.h"
#include "api/openapi/operations.h"

namespace atl::api {
namespace {

constexpr std::string_view kReferenceV3 = "#/components/schemas/";
constexpr std::string_view kReferenceV2 = "#/definitions/";

// A schema of OpenAPI 3 as Swagger 2 writes it: references elsewhere, no oneOf or nullable, and a
// lone allOf unwrapped.
json::Value schema_v2(const json::Value& value) {
  if (const json::Array* list = value.if_array()) {
    json::Array out;
    for (const json::Value& item : *list) out.push_back(schema_v2(item));
    return out;
  }
  const json::Object* object = value.if_object();
  if (!object) return value;
  json::Object out;
  for (const auto& [key, item] : *object) {
    if (key == "nullable" || key == "oneOf" || key == "anyOf" || key == "not") continue;
    const json::String* text = key == "$ref" ? item.if_string() : nullptr;
    if (text && std::string_view(*text).starts_with(kReferenceV3)) {
      out["$ref"] = std::string(kReferenceV2) +
                    std::string(std::string_view(*text).substr(kReferenceV3.size()));
    } else if (key == "allOf" && item.is_array() && item.get_array().size() == 1) {
      for (const auto& [inner_key, inner] : schema_v2(item.get_array()[0]).as_object())
        out[inner_key] = inner;
    } else {
      out[key] = schema_v2(item);
    }
  }
  return out;
}

json::Array parameters_v2(const Operation& operation) {
  json::Array out;
  for (const std::string& name : operation.query) {
    const QueryParameter known = query_parameter(name);
    out.push_back(json::Object{{"name", name},
                               {"in", "query"},
                               {"type", known.type},
                               {"uniqueItems", true},
                               {"description", known.description}});
  }
  if (operation.body.empty()) return out;
  out.push_back(
      json::Object{{"name", "body"},
                   {"in", "body"},
                   {"required", operation.method != "delete"},
                   {"schema", json::Object{{"$ref", std::string(kReferenceV2) + operation.body}}}});
  return out;
}

json::Object operation_v2(const Operation& operation) {
  json::Array consumes{"*/*"};
  if (operation.patch) {
    consumes = {"application/json-patch+json", "application/merge-patch+json"};
    if (operation.strategic) consumes.push_back("application/strategic-merge-patch+json");
    consumes.push_back("application/apply-patch+yaml");
  }
  json::Object reply{{"description", "OK"}};
  if (!operation.response.empty())
    reply["schema"] = json::Object{{"$ref", std::string(kReferenceV2) + operation.response}};
  return json::Object{
      {"operationId", operation.id},
      {"description", operation.description},
      {"consumes", std::move(consumes)},
      {"produces", json::Array{"application/json", "application/yaml"}},
      {"schemes", json::Array{"https"}},
      {"parameters", parameters_v2(operation)},
      {"responses", json::Object{{"200", std::move(reply)},
                                 {"401", json::Object{{"description", "Unauthorized"}}}}},
      {"x-kubernetes-action", operation.action},
      {"x-kubernetes-group-version-kind", json::Object{{"group", operation.gvk.group},
                                                       {"kind", operation.gvk.kind},
                                                       {"version", operation.gvk.version}}}};
}

json::Object path_v2(const PathItem& item) {
  json::Object out;
  for (const Operation& operation : item.operations)
    out[operation.method] = operation_v2(operation);
  json::Array shared;
  const auto in_path = [&](const char* name) {
    shared.push_back(json::Object{{"name", name},
                                  {"in", "path"},
                                  {"required", true},
                                  {"type", "string"},
                                  {"uniqueItems", true}});
  };
  if (item.has_name) in_path("name");
  if (item.has_namespace) in_path("namespace");
  out["parameters"] = std::move(shared);
  return out;
}

}  // namespace

json::Value openapi_v2(const KindSet& kinds) {
  json::Object paths, definitions;
  for (const GroupVersion& gv : kinds.group_versions()) {
    const json::Value document = openapi_v3(kinds, gv);
    for (const auto& [name, schema] : json::object_at(document, {"components", "schemas"})) {
      if (!definitions.contains(name)) definitions[name] = schema_v2(schema);
    }
  }
  for (const KindPtr& kind : kinds.all()) {
    for (const PathItem& item : paths_of(*kind)) paths[item.path] = path_v2(item);
  }
  return json::Object{{"swagger", "2.0"},
                      {"info", json::Object{{"title", "Atoll"}, {"version", "v1.36.0"}}},
                      {"paths", std::move(paths)},
                      {"definitions", std::move(definitions)}};
}

}  // namespace atl::api
