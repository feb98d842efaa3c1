#include "api/openapi/openapi.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <set>

#include "base/io/files.h"

namespace atl::api {
namespace {

const KindSet& kinds() {
  static const KindSet kKinds = *KindSet::builtin();
  return kKinds;
}

void collect_references(const json::Value& value, std::set<std::string>& out) {
  if (const json::Array* list = value.if_array()) {
    for (const json::Value& item : *list) collect_references(item, out);
  }
  if (const json::Object* object = value.if_object()) {
    for (const auto& [key, item] : *object) {
      if (key == "$ref" && item.is_string()) out.insert(std::string(item.get_string()));
      collect_references(item, out);
    }
  }
}

TEST(OpenApi, EveryReferenceIsDefined) {
  for (const GroupVersion& gv : kinds().group_versions()) {
    const json::Value document = openapi_v3(kinds(), gv);
    std::set<std::string> references;
    collect_references(document, references);
    const json::Object& schemas = json::object_at(document, {"components", "schemas"});
    for (const std::string& reference : references) {
      EXPECT_TRUE(schemas.contains(reference.substr(reference.rfind('/') + 1)))
          << gv.text() << ": " << reference;
    }
  }
}

TEST(OpenApi, ClientsFindWhatTheyProbe) {
  const json::Value apps = openapi_v3(kinds(), {"apps", "v1"});
  const json::Object& paths = json::object_at(apps, {"paths"});
  const json::Value* item =
      paths.if_contains("/apis/apps/v1/namespaces/{namespace}/deployments/{name}");
  ASSERT_NE(item, nullptr);
  bool field_validation = false;
  for (const json::Value& parameter : json::array_at(*item, {"patch", "parameters"})) {
    field_validation |= json::string_at(parameter, {"name"}) == "fieldValidation";
  }
  EXPECT_TRUE(field_validation);
  EXPECT_NE(json::find(*item, {"patch", "requestBody", "content",
                               "application/strategic-merge-patch+json"}),
            nullptr);
  EXPECT_EQ(json::string_at(*item, {"patch", "x-kubernetes-group-version-kind", "kind"}),
            "Deployment");
  EXPECT_TRUE(paths.contains("/apis/apps/v1/namespaces/{namespace}/deployments/{name}/scale"));
  EXPECT_TRUE(paths.contains("/apis/apps/v1/deployments"));
}

TEST(OpenApi, SubresourcesNameTheirKindsAndStreamsAreConnectedTo) {
  const json::Value core = openapi_v3(kinds(), {"", "v1"});
  const json::Object& schemas = json::object_at(core, {"components", "schemas"});
  for (const char* body : {"io.k8s.api.autoscaling.v1.Scale", "io.k8s.api.policy.v1.Eviction",
                           "io.k8s.api.authentication.v1.TokenRequest"}) {
    const json::Array& names =
        json::array_at(schemas.at(body), {"x-kubernetes-group-version-kind"});
    ASSERT_EQ(names.size(), 1u) << body;
    EXPECT_TRUE(std::string_view(body).ends_with(json::string_at(names[0], {"kind"})));
  }
  const json::Value& exec =
      json::object_at(core, {"paths"}).at("/api/v1/namespaces/{namespace}/pods/{name}/exec");
  EXPECT_EQ(json::string_at(exec, {"get", "x-kubernetes-action"}), "connect");
  EXPECT_EQ(json::string_at(exec, {"post", "operationId"}), "connectCoreV1PostNamespacedPodExec");
}

// What a strategic patch and an apply patch do with a field is said as Kubernetes says it.
TEST(OpenApi, MergeRulesAgreeWithThePublishedOnes) {
  const char* home = std::getenv("HOME");
  const std::string folder =
      std::string(home ? home : "") + "/go/pkg/mod/k8s.io/kubernetes@v1.36.0/api/openapi-spec/v3/";
  if (!std::filesystem::exists(folder))
    GTEST_SKIP() << "the published documents are not on this machine";
  for (const auto& [file, gv] : std::vector<std::pair<std::string, GroupVersion>>{
           {"api__v1_openapi.json", {"", "v1"}},
           {"apis__apps__v1_openapi.json", {"apps", "v1"}},
           {"apis__policy__v1_openapi.json", {"policy", "v1"}}}) {
    const auto published = json::parse(*io::read_file(folder + file), {.max_bytes = 64 << 20});
    ASSERT_TRUE(published);
    const json::Value ours = openapi_v3(kinds(), gv);
    const json::Object& schemas = json::object_at(ours, {"components", "schemas"});
    for (const auto& [name, schema] : json::object_at(*published, {"components", "schemas"})) {
      const json::Value* mine = schemas.if_contains(name);
      if (!mine) continue;
      for (const auto& [field, property] : json::object_at(schema, {"properties"})) {
        const json::Value* have = json::find(*mine, {"properties", field});
        ASSERT_NE(have, nullptr) << name << "." << field;
        for (const char* rule : {"x-kubernetes-patch-strategy", "x-kubernetes-patch-merge-key",
                                 "x-kubernetes-list-map-keys"}) {
          const json::Value* want = json::find(property, {rule});
          const json::Value* got = json::find(*have, {rule});
          EXPECT_EQ(want ? json::serialize(*want) : "", got ? json::serialize(*got) : "")
              << name << "." << field << " " << rule;
        }
      }
    }
  }
}

TEST(OpenApi, CustomKindsTakeNoStrategicPatch) {
  KindSet set = kinds();
  auto kind = std::make_shared<Kind>();
  kind->gvk = {"demo.example.com", "v1", "Widget"};
  kind->gvr = {"demo.example.com", "v1", "widgets"};
  kind->list_kind = "WidgetList";
  kind->namespaced = kind->custom = true;
  kind->verbs = {"get", "list", "patch"};
  set.put(kind);
  const json::Value document = openapi_v3(set, {"demo.example.com", "v1"});
  EXPECT_TRUE(
      json::object_at(document, {"components", "schemas"}).contains("com.example.demo.v1.Widget"));
  const json::Value& item =
      json::object_at(document, {"paths"})
          .at("/apis/demo.example.com/v1/namespaces/{namespace}/widgets/{name}");
  EXPECT_EQ(json::find(item, {"patch", "requestBody", "content",
                              "application/strategic-merge-patch+json"}),
            nullptr);
  EXPECT_NE(json::find(item, {"patch", "requestBody", "content", "application/apply-patch+yaml"}),
            nullptr);
}

TEST(OpenApi, TheHashFollowsTheContent) {
  KindSet set = kinds();
  const std::string before = openapi_hash(set, {"apps", "v1"});
  EXPECT_EQ(openapi_hash(set, {"apps", "v1"}), before);
  set.remove({"apps", "v1", "deployments"});
  EXPECT_NE(openapi_hash(set, {"apps", "v1"}), before);
}

TEST(OpenApi, Version2HoldsEveryPathAndResolves) {
  const json::Value document = openapi_v2(kinds());
  std::set<std::string> references;
  collect_references(document, references);
  const json::Object& definitions = json::object_at(document, {"definitions"});
  for (const std::string& reference : references)
    EXPECT_TRUE(definitions.contains(reference.substr(reference.rfind('/') + 1))) << reference;
  EXPECT_TRUE(json::object_at(document, {"paths"})
                  .contains("/api/v1/namespaces/{namespace}/pods/{name}/log"));
}

// The published documents of Kubernetes 1.36, where the machine has them: the same paths and
// operations.
TEST(OpenApi, PathsAgreeWithThePublishedOnes) {
  const char* home = std::getenv("HOME");
  const std::string folder =
      std::string(home ? home : "") + "/go/pkg/mod/k8s.io/kubernetes@v1.36.0/api/openapi-spec/v3/";
  if (!std::filesystem::exists(folder))
    GTEST_SKIP() << "the published documents are not on this machine";
  for (const auto& [file, gv] : std::vector<std::pair<std::string, GroupVersion>>{
           {"api__v1_openapi.json", {"", "v1"}},
           {"apis__apps__v1_openapi.json", {"apps", "v1"}},
           {"apis__batch__v1_openapi.json", {"batch", "v1"}}}) {
    const auto published = json::parse(*io::read_file(folder + file), {.max_bytes = 64 << 20});
    ASSERT_TRUE(published);
    const json::Value ours = openapi_v3(kinds(), gv);
    const json::Object& paths = json::object_at(ours, {"paths"});
    for (const auto& [path, item] : json::object_at(*published, {"paths"})) {
      const bool old_watch = std::string_view(path).find("/watch/") != std::string_view::npos ||
                             std::string_view(path).ends_with("/");
      const bool proxy = std::string_view(path).find("/proxy") != std::string_view::npos;
      if (old_watch || proxy) continue;
      ASSERT_TRUE(paths.contains(path)) << path;
      for (const char* method : {"get", "put", "post", "patch", "delete"}) {
        if (!item.as_object().contains(method)) continue;
        EXPECT_TRUE(paths.at(path).as_object().contains(method)) << method << " " << path;
      }
    }
  }
}

TEST(Discovery, AggregatedHasWhatKubectlMaps) {
  const json::Value groups = aggregated_discovery(kinds(), false);
  bool found = false;
  for (const json::Value& group : json::array_at(groups, {"items"})) {
    if (json::string_at(group, {"metadata", "name"}) != "apps") continue;
    for (const json::Value& resource :
         json::array_at(json::array_at(group, {"versions"}).at(0), {"resources"})) {
      if (json::string_at(resource, {"resource"}) != "deployments") continue;
      found = true;
      EXPECT_EQ(json::string_at(resource, {"responseKind", "kind"}), "Deployment");
      EXPECT_EQ(json::string_at(resource, {"scope"}), "Namespaced");
      EXPECT_EQ(json::array_at(resource, {"shortNames"}), json::Array{"deploy"});
      EXPECT_EQ(json::array_at(resource, {"subresources"}).size(), 2u);
    }
  }
  EXPECT_TRUE(found);
  EXPECT_EQ(json::array_at(aggregated_discovery(kinds(), true), {"items"}).size(), 1u);
}

TEST(Discovery, LegacyListsNameForeignBodies) {
  const auto core = api_resource_list(kinds(), {"", "v1"});
  ASSERT_TRUE(core);
  for (const json::Value& resource : json::array_at(*core, {"resources"})) {
    if (json::string_at(resource, {"name"}) != "pods/eviction") continue;
    EXPECT_EQ(json::string_at(resource, {"group"}), "policy");
    EXPECT_EQ(json::string_at(resource, {"kind"}), "Eviction");
  }
  EXPECT_FALSE(api_resource_list(kinds(), {"none", "v1"}));
  EXPECT_FALSE(api_group(kinds(), "none"));
  EXPECT_TRUE(api_group(kinds(), "apps"));
}

}  // namespace
}  // namespace atl::api
