#include <fmt/format.h>

#include <set>

#include "api/openapi/openapi.h"
#include "api/openapi/operations.h"
#include "base/crypto/digest.h"

namespace atl::api {
namespace {

constexpr std::string_view kReference = "#/components/schemas/";

json::Object reference(const std::string& definition) {
  return json::Object{{"$ref", std::string(kReference) + definition}};
}

json::Object kind_reference(const Gvk& gvk) {
  return json::Object{{"group", gvk.group}, {"kind", gvk.kind}, {"version", gvk.version}};
}

json::Object content(const std::vector<std::string>& types, const std::string& definition) {
  json::Object out;
  for (const std::string& type : types) out[type] = json::Object{{"schema", reference(definition)}};
  return out;
}

json::Array parameters(const std::vector<std::string>& names) {
  json::Array out;
  for (const std::string& name : names) {
    const QueryParameter known = query_parameter(name);
    out.push_back(
        json::Object{{"name", name},
                     {"in", "query"},
                     {"description", known.description},
                     {"schema", json::Object{{"type", known.type}, {"uniqueItems", true}}}});
  }
  return out;
}

json::Object request_body(const Operation& operation) {
  if (!operation.patch)
    return json::Object{{"content", content({"*/*"}, operation.body)},
                        {"required", operation.method != "delete"}};
  std::vector<std::string> types = {"application/apply-patch+yaml", "application/json-patch+json",
                                    "application/merge-patch+json"};
  if (operation.strategic) types.push_back("application/strategic-merge-patch+json");
  return json::Object{{"content", content(types, operation.body)}, {"required", true}};
}

json::Object operation_document(const Operation& operation, const GroupVersion& gv) {
  json::Object reply{{"description", "OK"}};
  if (!operation.response.empty())
    reply["content"] = content({"application/json", "application/yaml"}, operation.response);
  json::Object out{
      {"operationId", operation.id},
      {"description", operation.description},
      {"tags", json::Array{gv.group.empty() ? "core_" + gv.version : gv.group + "_" + gv.version}},
      {"parameters", parameters(operation.query)},
      {"responses", json::Object{{"200", std::move(reply)},
                                 {"401", json::Object{{"description", "Unauthorized"}}}}},
      {"x-kubernetes-action", operation.action},
      {"x-kubernetes-group-version-kind", kind_reference(operation.gvk)}};
  if (!operation.body.empty()) out["requestBody"] = request_body(operation);
  return out;
}

json::Object path_parameter(const char* name, const char* description) {
  return json::Object{{"name", name},
                      {"in", "path"},
                      {"required", true},
                      {"description", description},
                      {"schema", json::Object{{"type", "string"}, {"uniqueItems", true}}}};
}

json::Object path_document(const PathItem& item, const GroupVersion& gv) {
  json::Object out;
  for (const Operation& operation : item.operations)
    out[operation.method] = operation_document(operation, gv);
  json::Array shared;
  if (item.has_name) shared.push_back(path_parameter("name", "Name of the object."));
  if (item.has_namespace) shared.push_back(path_parameter("namespace", "Namespace of the object."));
  for (json::Value& each : parameters({"pretty"})) shared.push_back(std::move(each));
  out["parameters"] = std::move(shared);
  return out;
}

// Definitions of one document: what its operations name, and what those refer to.
class Definitions {
 public:
  Definitions(const KindSet& kinds, json::Object& out) : kinds_(kinds), out_(out) {}

  void add_kind(const Kind& kind) {
    const std::string name = definition_of(kind);
    if (!out_.contains(name)) {
      json::Value document =
          kind.schema ? to_openapi(*kind.schema) : json::Value(json::Object{{"type", "object"}});
      document.as_object()["x-kubernetes-group-version-kind"] =
          json::Array{kind_reference(kind.gvk)};
      put(name, std::move(document));
    }
    add_list(kind);
  }

  void add(const std::string& name) {
    if (name.empty() || out_.contains(name)) return;
    if (name == kPatchDefinition) {
      put(name, json::Object{{"type", "object"},
                             {"description", "A patch, in the form that its content type says."}});
      return;
    }
    const Schema* schema = kinds_.definitions() ? kinds_.definitions()->find(name) : nullptr;
    put(name, schema ? to_openapi(*schema) : json::Value(json::Object{{"type", "object"}}));
  }

  // Bodies of subresources (Scale, Eviction ...) are kinds too.
  void name_body(const Operation& operation) {
    if (operation.patch || operation.body == kDeleteOptionsDefinition) return;
    const auto it = out_.find(operation.body);
    if (it == out_.end()) return;
    json::Object& document = it->value().as_object();
    if (document.contains("x-kubernetes-group-version-kind")) return;
    document["x-kubernetes-group-version-kind"] = json::Array{kind_reference(operation.gvk)};
  }

  // DeleteOptions are sent under the document's own group and version.
  void name_delete_options(const GroupVersion& gv) {
    const auto it = out_.find(kDeleteOptionsDefinition);
    if (it == out_.end()) return;
    json::Array names{kind_reference({"", "v1", "DeleteOptions"})};
    if (gv != GroupVersion{"", "v1"})
      names.push_back(kind_reference({gv.group, gv.version, "DeleteOptions"}));
    it->value().as_object()["x-kubernetes-group-version-kind"] = std::move(names);
  }

 private:
  void add_list(const Kind& kind) {
    if (kind.list_kind.empty()) return;
    json::Object items{{"type", "array"},
                       {"items", reference(definition_of(kind))},
                       {"description", "The objects."}};
    put(list_definition_of(kind),
        json::Object{
            {"type", "object"},
            {"description", "A list of " + kind.gvr.resource + "."},
            {"required", json::Array{"items"}},
            {"properties", json::Object{{"apiVersion", json::Object{{"type", "string"}}},
                                        {"kind", json::Object{{"type", "string"}}},
                                        {"metadata", reference(kListMetaDefinition)},
                                        {"items", std::move(items)}}},
            {"x-kubernetes-group-version-kind",
             json::Array{kind_reference({kind.gvk.group, kind.gvk.version, kind.list_kind})}}});
  }

  void put(const std::string& name, json::Value document) {
    out_[name] = document;
    follow(document);
  }

  void follow(const json::Value& value) {
    if (const json::Array* list = value.if_array()) {
      for (const json::Value& item : *list) follow(item);
    }
    const json::Object* object = value.if_object();
    if (!object) return;
    for (const auto& [key, item] : *object) {
      const json::String* text = key == "$ref" ? item.if_string() : nullptr;
      if (text && std::string_view(*text).starts_with(kReference)) {
        add(std::string(std::string_view(*text).substr(kReference.size())));
      } else {
        follow(item);
      }
    }
  }

  const KindSet& kinds_;
  json::Object& out_;
};

std::string url_of(const GroupVersion& gv) {
  return gv.group.empty() ? "api/" + gv.version : "apis/" + gv.group + "/" + gv.version;
}

}  // namespace

json::Value openapi_v3(const KindSet& kinds, const GroupVersion& group_version) {
  json::Object paths, schemas;
  Definitions definitions(kinds, schemas);
  for (const KindPtr& kind : kinds.all()) {
    if (kind->gvr.group_version() != group_version) continue;
    definitions.add_kind(*kind);
    for (const PathItem& item : paths_of(*kind)) {
      paths[item.path] = path_document(item, group_version);
      for (const Operation& operation : item.operations) {
        definitions.add(operation.body);
        definitions.add(operation.response);
        definitions.name_body(operation);
      }
    }
  }
  definitions.name_delete_options(group_version);
  return json::Object{{"openapi", "3.0.0"},
                      {"info", json::Object{{"title", "Atoll"}, {"version", "unversioned"}}},
                      {"paths", std::move(paths)},
                      {"components", json::Object{{"schemas", std::move(schemas)}}}};
}

std::string openapi_hash(const KindSet& kinds, const GroupVersion& group_version) {
  return crypto::sha256_hex(json::serialize(openapi_v3(kinds, group_version)));
}

json::Value openapi_v3_index(const KindSet& kinds, const OpenApiHash& hash) {
  json::Object paths;
  for (const GroupVersion& gv : kinds.group_versions()) {
    const std::string url = url_of(gv);
    paths[url] =
        json::Object{{"serverRelativeURL", fmt::format("/openapi/v3/{}?hash={}", url,
                                                       hash ? hash(gv) : openapi_hash(kinds, gv))}};
  }
  return json::Object{{"paths", std::move(paths)}};
}

}  // namespace atl::api
