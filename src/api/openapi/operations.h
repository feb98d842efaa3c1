#pragma once

#include <string>
#include <vector>

#include "api/schema/kind.h"

namespace atl::api {

// One HTTP operation of a resource, before it becomes OpenAPI of some version.
struct Operation {
  std::string method;  // "get", "post", "put", "patch", "delete"
  std::string action;  // x-kubernetes-action: "list", "create" ...
  std::string id;      // "listAppsV1NamespacedDeployment"
  std::string description;
  std::vector<std::string> query;  // names of query parameters
  std::string body;                // definition of the request's body, empty: none
  std::string response;            // definition of the reply
  Gvk gvk;
  bool patch = false;
  bool strategic = false;  // strategic merge patches are taken
};

struct PathItem {
  std::string path;  // "/apis/apps/v1/namespaces/{namespace}/deployments/{name}"
  bool has_namespace = false;
  bool has_name = false;
  std::vector<Operation> operations;
};

// Every path of one kind, subresources included.
std::vector<PathItem> paths_of(const Kind& kind);

// Names of definitions: of a kind's objects, of its lists, of what is shared.
std::string definition_of(const Kind& kind);
std::string list_definition_of(const Kind& kind);
inline constexpr char kPatchDefinition[] = "io.k8s.apimachinery.pkg.apis.meta.v1.Patch";
inline constexpr char kStatusDefinition[] = "io.k8s.apimachinery.pkg.apis.meta.v1.Status";
inline constexpr char kDeleteOptionsDefinition[] =
    "io.k8s.apimachinery.pkg.apis.meta.v1.DeleteOptions";
inline constexpr char kListMetaDefinition[] = "io.k8s.apimachinery.pkg.apis.meta.v1.ListMeta";

// What a query parameter is: its OpenAPI type and one sentence.
struct QueryParameter {
  std::string type;
  std::string description;
};
QueryParameter query_parameter(const std::string& name);

}  // namespace atl::api
