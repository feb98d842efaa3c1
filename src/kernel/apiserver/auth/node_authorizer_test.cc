#include "kernel/apiserver/auth/node_authorizer.h"

#include <gtest/gtest.h>

#include "kernel/apiserver/auth/bootstrap_roles.h"
#include "kernel/apiserver/auth/fake_reader.h"
#include "kernel/apiserver/auth/rbac_authorizer.h"
#include "kernel/apiserver/auth/testing.h"

namespace atl::apiserver {
namespace {

constexpr const char* kPod = R"({
  "apiVersion": "v1", "kind": "Pod",
  "metadata": {"namespace": "d", "name": "p", "uid": "p1", "generation": 1},
  "spec": {
    "nodeName": "n1", "serviceAccountName": "runner", "imagePullSecrets": [{"name": "pull"}],
    "initContainers": [{"name": "i", "env": [
      {"name": "A", "valueFrom": {"secretKeyRef": {"name": "init-env", "key": "k"}}}]}],
    "containers": [{"name": "c",
      "env": [{"name": "A", "valueFrom": {"configMapKeyRef": {"name": "env", "key": "k"}}}],
      "envFrom": [{"secretRef": {"name": "env-from"}}, {"configMapRef": {"name": "env-from"}}]}],
    "volumes": [
      {"name": "s", "secret": {"secretName": "mounted"}},
      {"name": "c", "configMap": {"name": "mounted"}},
      {"name": "v", "persistentVolumeClaim": {"claimName": "disk"}},
      {"name": "scratch", "ephemeral": {"volumeClaimTemplate": {}}},
      {"name": "t", "projected": {"sources": [
        {"secret": {"name": "projected"}}, {"configMap": {"name": "kube-root-ca.crt"}}]}}]}})";

json::Value document(std::string_view text) {
  return *json::parse(text);
}

UserPtr user(std::string name, std::vector<std::string> groups) {
  return std::make_shared<const UserInfo>(
      UserInfo{.name = std::move(name), .groups = std::move(groups)});
}
const UserPtr kNode1 = user("system:node:n1", {"system:nodes", "system:authenticated"});

// Bootstrap roles, and one pod on the node n1.
class Nodes : public testing::Test {
 protected:
  void SetUp() override {
    auto roles = bootstrap_roles();
    ASSERT_TRUE(roles.has_value());
    for (json::Value& role : *roles) {
      const std::string kind(json::string_at(role, {"kind"}));
      std::string resource = kind + "s";
      std::ranges::transform(resource, resource.begin(), [](char c) { return char(tolower(c)); });
      reader_.put("rbac.authorization.k8s.io", resource, std::move(role));
    }
    reader_.put("", "pods", document(kPod));
  }

  Decision ask(Authorizer& authorizer, const UserPtr& who, Attributes asked) {
    asked.user = who;
    const auto decision = await(authorizer.authorize(std::move(asked)));
    EXPECT_TRUE(decision.has_value());
    return decision.value_or(Decision{});
  }
  bool may(Attributes asked) { return ask(nodes_, kNode1, std::move(asked)).allowed; }
  struct Case {
    const char* what;
    Attributes asked;
    bool want;
  };
  void check(const std::vector<Case>& cases) {
    for (const Case& c : cases) {
      SCOPED_TRACE(c.what);
      EXPECT_EQ(may(c.asked), c.want);
    }
  }
  bool reads_secret(const std::string& name) {
    return may({.verb = "get", .resource = "secrets", .ns = "d", .name = name});
  }

  FakeReader reader_;
  RbacAuthorizer rbac_{reader_};
  NodeAuthorizer nodes_{reader_, *bootstrap_rules("system:node"), rbac_};
};

TEST_F(Nodes, MayReadWhatTheirPodsUse) {
  const std::string storage = "storage.k8s.io";
  reader_.put("", "persistentvolumes",
              document(R"({"apiVersion":"v1","kind":"PersistentVolume","metadata":{"name":"pv"},
                "spec":{"claimRef":{"namespace":"d","name":"disk"}}})"));
  reader_.put("", "persistentvolumes",
              document(R"({"apiVersion":"v1","kind":"PersistentVolume","metadata":{"name":"free"},
                "spec":{}})"));
  reader_.put(storage, "volumeattachments",
              document(R"({"apiVersion":"storage.k8s.io/v1","kind":"VolumeAttachment",
                "metadata":{"name":"own"},"spec":{"nodeName":"n1"}})"));
  reader_.put(storage, "volumeattachments",
              document(R"({"apiVersion":"storage.k8s.io/v1","kind":"VolumeAttachment",
                "metadata":{"name":"other"},"spec":{"nodeName":"n2"}})"));
  check({
      {"a mounted secret",
       {.verb = "get", .resource = "secrets", .ns = "d", .name = "mounted"},
       true},
      {"watched by name",
       {.verb = "watch", .resource = "secrets", .ns = "d", .name = "mounted"},
       true},
      {"one for pulling", {.verb = "get", .resource = "secrets", .ns = "d", .name = "pull"}, true},
      {"of an init container's variable",
       {.verb = "get", .resource = "secrets", .ns = "d", .name = "init-env"},
       true},
      {"of all variables",
       {.verb = "get", .resource = "secrets", .ns = "d", .name = "env-from"},
       true},
      {"projected", {.verb = "get", .resource = "secrets", .ns = "d", .name = "projected"}, true},
      {"one nobody uses",
       {.verb = "get", .resource = "secrets", .ns = "d", .name = "other"},
       false},
      {"of that name elsewhere",
       {.verb = "get", .resource = "secrets", .ns = "e", .name = "mounted"},
       false},
      {"a config map of that secret's name",
       {.verb = "get", .resource = "configmaps", .ns = "d", .name = "pull"},
       false},
      {"all secrets", {.verb = "list", .resource = "secrets"}, false},
      {"all of a namespace", {.verb = "list", .resource = "secrets", .ns = "d"}, false},
      {"to write a secret",
       {.verb = "update", .resource = "secrets", .ns = "d", .name = "mounted"},
       false},
      {"a config map",
       {.verb = "get", .resource = "configmaps", .ns = "d", .name = "mounted"},
       true},
      {"of a variable", {.verb = "get", .resource = "configmaps", .ns = "d", .name = "env"}, true},
      {"the authority's",
       {.verb = "get", .resource = "configmaps", .ns = "d", .name = "kube-root-ca.crt"},
       true},
      {"a claim",
       {.verb = "get", .resource = "persistentvolumeclaims", .ns = "d", .name = "disk"},
       true},
      {"a claim made for a pod",
       {.verb = "get", .resource = "persistentvolumeclaims", .ns = "d", .name = "p-scratch"},
       true},
      {"another claim",
       {.verb = "get", .resource = "persistentvolumeclaims", .ns = "d", .name = "x"},
       false},
      {"a claim's volume", {.verb = "get", .resource = "persistentvolumes", .name = "pv"}, true},
      {"a volume of nobody",
       {.verb = "get", .resource = "persistentvolumes", .name = "free"},
       false},
      {"an attachment to it",
       {.verb = "get", .group = storage, .resource = "volumeattachments", .name = "own"},
       true},
      {"to another",
       {.verb = "get", .group = storage, .resource = "volumeattachments", .name = "other"},
       false},
      {"a token of a pod's account",
       {.verb = "create",
        .resource = "serviceaccounts",
        .subresource = "token",
        .ns = "d",
        .name = "runner"},
       true},
      {"of another account",
       {.verb = "create",
        .resource = "serviceaccounts",
        .subresource = "token",
        .ns = "d",
        .name = "admin"},
       false},
  });
}

TEST_F(Nodes, MayDoWhatANodeDoes) {
  const std::string leases = "coordination.k8s.io";
  const std::string mine = "spec.nodeName=n1";
  check({
      {"its pods", {.verb = "list", .resource = "pods", .field_selector = mine}, true},
      {"its pods and more conditions",
       {.verb = "watch", .resource = "pods", .field_selector = mine + ",status.phase=Running"},
       true},
      {"all pods", {.verb = "list", .resource = "pods"}, false},
      {"pods not on it",
       {.verb = "list", .resource = "pods", .field_selector = "spec.nodeName!=n1"},
       false},
      {"pods of another",
       {.verb = "list", .resource = "pods", .field_selector = "spec.nodeName=n2"},
       false},
      {"its pod", {.verb = "get", .resource = "pods", .ns = "d", .name = "p"}, true},
      {"another's pod", {.verb = "get", .resource = "pods", .ns = "d", .name = "q"}, false},
      {"a pod's status",
       {.verb = "patch", .resource = "pods", .subresource = "status", .ns = "d", .name = "p"},
       true},
      {"to run something in a pod",
       {.verb = "create", .resource = "pods", .subresource = "exec", .ns = "d", .name = "p"},
       false},
      {"itself", {.verb = "get", .resource = "nodes", .name = "n1"}, true},
      {"another node", {.verb = "get", .resource = "nodes", .name = "n2"}, false},
      {"all nodes", {.verb = "list", .resource = "nodes"}, false},
      {"to delete itself", {.verb = "delete", .resource = "nodes", .name = "n1"}, false},
      {"its lease",
       {.verb = "update",
        .group = leases,
        .resource = "leases",
        .ns = "kube-node-lease",
        .name = "n1"},
       true},
      {"another's lease",
       {.verb = "update",
        .group = leases,
        .resource = "leases",
        .ns = "kube-node-lease",
        .name = "n2"},
       false},
      {"a controller's lease",
       {.verb = "get", .group = leases, .resource = "leases", .ns = "kube-system", .name = "n1"},
       false},
      {"services", {.verb = "watch", .resource = "services"}, true},
      {"endpoint slices",
       {.verb = "watch", .group = "discovery.k8s.io", .resource = "endpointslices"},
       true},
      {"events", {.verb = "create", .resource = "events", .ns = "d"}, true},
      {"deployments", {.verb = "list", .group = "apps", .resource = "deployments"}, false},
  });
}

TEST_F(Nodes, TheGraphFollowsThePods) {
  EXPECT_TRUE(reads_secret("mounted"));
  reader_.remove("", "pods", {"d", "p"});
  EXPECT_FALSE(reads_secret("mounted")) << "the pod is gone";

  json::Value waiting = document(kPod);
  json::set(waiting, {"metadata", "uid"}, json::Value("p2"));
  json::erase(waiting, {"spec", "nodeName"});
  reader_.put("", "pods", waiting);
  EXPECT_FALSE(reads_secret("mounted")) << "not bound to any node";
  json::set(waiting, {"spec", "nodeName"}, json::Value("n1"));
  reader_.put("", "pods", waiting);
  EXPECT_TRUE(reads_secret("mounted")) << "bound, with the generation it had";

  json::set(waiting, {"metadata", "generation"}, json::Value(2));
  json::set(waiting, {"spec", "ephemeralContainers"},
            *json::parse(R"([{"name":"e","envFrom":[{"secretRef":{"name":"late"}}]}])"));
  reader_.put("", "pods", waiting);
  EXPECT_TRUE(reads_secret("late")) << "a container that came later";

  json::Value twin = waiting;
  json::set(twin, {"metadata", "name"}, json::Value("twin"));
  reader_.put("", "pods", twin);
  reader_.remove("", "pods", {"d", "p"});
  EXPECT_TRUE(reads_secret("mounted")) << "another pod still uses it";
  reader_.remove("", "pods", {"d", "twin"});
  EXPECT_FALSE(reads_secret("mounted"));
}

TEST_F(Nodes, AMirrorPodOpensNothing) {
  json::Value mirror = document(kPod);
  json::set(mirror, {"metadata", "name"}, json::Value("mirror"));
  json::set(mirror, {"metadata", "annotations", "kubernetes.io/config.mirror"}, json::Value("x"));
  json::set(mirror, {"spec", "volumes"},
            *json::parse(R"([{"name":"s","secret":{"secretName":"wanted"}}])"));
  reader_.put("", "pods", mirror);
  EXPECT_FALSE(reads_secret("wanted")) << "a node could write such a pod itself";
}

TEST_F(Nodes, OthersAreNotTouched) {
  const Attributes asked{.verb = "get", .resource = "secrets", .ns = "d", .name = "mounted"};
  EXPECT_TRUE(ask(nodes_, user("root", {"system:masters"}), asked).allowed);
  EXPECT_FALSE(ask(nodes_, user("system:node:n1", {"system:authenticated"}), asked).allowed)
      << "a name alone makes no node";
  EXPECT_FALSE(ask(nodes_, user("system:node:n2", {"system:nodes"}), asked).allowed);
  EXPECT_FALSE(ask(nodes_, user("system:node:", {"system:nodes"}), asked).allowed);
}

TEST_F(Nodes, ARefusalSaysWhy) {
  const Decision decision =
      ask(nodes_, kNode1, {.verb = "get", .resource = "secrets", .ns = "d", .name = "other"});
  EXPECT_EQ(decision.reason, "no relationship found between node 'n1' and this object");
}

// The wall switched off: with roles alone, as bindings of earlier versions had it, a node reads
// everything; and the start of this version takes that binding back.
TEST_F(Nodes, RolesAloneWouldLetThemReadEverything) {
  const Attributes asked{.verb = "get", .resource = "secrets", .ns = "d", .name = "other"};
  const std::string group = "rbac.authorization.k8s.io";
  const auto binding = [&] {
    return reader_.get(group, "clusterrolebindings", {"", "system:node"})->parse();
  };
  const json::Value wanted = binding();
  json::Value old = wanted;
  json::set(old, {"subjects"},
            *json::parse(R"([{"apiGroup":"rbac.authorization.k8s.io","kind":"Group",
              "name":"system:nodes"},{"apiGroup":"rbac.authorization.k8s.io","kind":"User",
              "name":"added-by-people"}])"));
  reader_.put(group, "clusterrolebindings", old);
  EXPECT_TRUE(ask(rbac_, kNode1, asked).allowed);

  const auto mended = reconciled(binding(), wanted);
  ASSERT_TRUE(mended.has_value());
  EXPECT_EQ(json::array_at(*mended, {"subjects"}).size(), 1U) << "what people added stays";
  reader_.put(group, "clusterrolebindings", *mended);
  EXPECT_FALSE(ask(rbac_, kNode1, asked).allowed);
  EXPECT_FALSE(reads_secret("other"));
  EXPECT_FALSE(reconciled(binding(), wanted).has_value()) << "a second start changes nothing";
}

}  // namespace
}  // namespace atl::apiserver
