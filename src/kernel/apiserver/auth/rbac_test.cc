#include <gtest/gtest.h>

#include "base/text/json.h"
#include "kernel/apiserver/auth/bootstrap_roles.h"
#include "kernel/apiserver/auth/fake_reader.h"
#include "kernel/apiserver/auth/rbac_authorizer.h"
#include "kernel/apiserver/auth/rbac_rule.h"

namespace atl::apiserver {
namespace {

constexpr const char* kGroup = "rbac.authorization.k8s.io";

json::Value doc(std::string_view text) {
  auto value = json::parse(text);
  CHECK(value.has_value());
  return *std::move(value);
}

RbacRule rule(std::string_view text) {
  return RbacRule::from_document(doc(text));
}

UserPtr user(std::string name, std::vector<std::string> groups = {}) {
  return std::make_shared<const UserInfo>(
      UserInfo{.name = std::move(name), .groups = std::move(groups)});
}

TEST(RbacRule, AllowsExactlyWhatItSays) {
  const UserPtr who = user("u");
  struct Case {
    const char* why;
    const char* rule;
    Attributes asked;
    bool want;
  };
  const Case cases[] = {
      {"the plain case",
       R"({"verbs":["get"],"apiGroups":[""],"resources":["pods"]})",
       {.verb = "get", .resource = "pods"},
       true},
      {"another verb",
       R"({"verbs":["get"],"apiGroups":[""],"resources":["pods"]})",
       {.verb = "list", .resource = "pods"},
       false},
      {"another group",
       R"({"verbs":["get"],"apiGroups":[""],"resources":["deployments"]})",
       {.verb = "get", .group = "apps", .resource = "deployments"},
       false},
      {"a resource does not bring its subresources",
       R"({"verbs":["get"],"apiGroups":[""],"resources":["pods"]})",
       {.verb = "get", .resource = "pods", .subresource = "log"},
       false},
      {"a subresource by name",
       R"({"verbs":["get"],"apiGroups":[""],"resources":["pods/log"]})",
       {.verb = "get", .resource = "pods", .subresource = "log"},
       true},
      {"a subresource does not bring its resource",
       R"({"verbs":["get"],"apiGroups":[""],"resources":["pods/log"]})",
       {.verb = "get", .resource = "pods"},
       false},
      {"star slash covers one subresource of all",
       R"({"verbs":["update"],"apiGroups":["apps"],"resources":["*/scale"]})",
       {.verb = "update", .group = "apps", .resource = "deployments", .subresource = "scale"},
       true},
      {"star slash covers no other",
       R"({"verbs":["update"],"apiGroups":["apps"],"resources":["*/scale"]})",
       {.verb = "update", .group = "apps", .resource = "deployments", .subresource = "status"},
       false},
      {"pods slash star means nothing",
       R"({"verbs":["get"],"apiGroups":[""],"resources":["pods/*"]})",
       {.verb = "get", .resource = "pods", .subresource = "log"},
       false},
      {"stars everywhere",
       R"({"verbs":["*"],"apiGroups":["*"],"resources":["*"]})",
       {.verb = "proxy", .group = "x.io", .resource = "ys", .subresource = "z", .name = "n"},
       true},
      {"named",
       R"({"verbs":["get"],"apiGroups":[""],"resources":["secrets"],"resourceNames":["a"]})",
       {.verb = "get", .resource = "secrets", .name = "a"},
       true},
      {"another name",
       R"({"verbs":["get"],"apiGroups":[""],"resources":["secrets"],"resourceNames":["a"]})",
       {.verb = "get", .resource = "secrets", .name = "b"},
       false},
      {"a list has no name",
       R"({"verbs":["list"],"apiGroups":[""],"resources":["secrets"],"resourceNames":["a"]})",
       {.verb = "list", .resource = "secrets"},
       false},
      {"a path",
       R"({"verbs":["get"],"nonResourceURLs":["/healthz"]})",
       {.verb = "get", .is_resource = false, .path = "/healthz"},
       true},
      {"not below it",
       R"({"verbs":["get"],"nonResourceURLs":["/healthz"]})",
       {.verb = "get", .is_resource = false, .path = "/healthz/x"},
       false},
      {"trailing star",
       R"({"verbs":["get"],"nonResourceURLs":["/healthz/*"]})",
       {.verb = "get", .is_resource = false, .path = "/healthz/x"},
       true},
      {"a star inside is a character",
       R"({"verbs":["get"],"nonResourceURLs":["/a/*/b"]})",
       {.verb = "get", .is_resource = false, .path = "/a/x/b"},
       false},
      {"a path rule allows no resource",
       R"({"verbs":["*"],"nonResourceURLs":["*"]})",
       {.verb = "get", .resource = "pods"},
       false},
      {"a resource rule allows no path",
       R"({"verbs":["*"],"apiGroups":["*"],"resources":["*"]})",
       {.verb = "get", .is_resource = false, .path = "/metrics"},
       false},
      {"no verbs",
       R"({"apiGroups":["*"],"resources":["*"]})",
       {.verb = "get", .resource = "pods"},
       false},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.why);
    Attributes asked = c.asked;
    asked.user = who;
    EXPECT_EQ(rule(c.rule).allows(asked), c.want);
  }
}

TEST(RbacRule, FindsWhatWouldBeGainedBeyondWhatIsHeld) {
  struct Case {
    const char* why;
    std::vector<const char*> held;
    const char* wanted;
    size_t missing;
  };
  const char* all = R"({"verbs":["*"],"apiGroups":["*"],"resources":["*"]})";
  const Case cases[] = {
      {"the same",
       {R"({"verbs":["get"],"apiGroups":[""],"resources":["pods"]})"},
       R"({"verbs":["get"],"apiGroups":[""],"resources":["pods"]})",
       0},
      {"two rules together",
       {R"({"verbs":["get"],"apiGroups":[""],"resources":["pods"]})",
        R"({"verbs":["list"],"apiGroups":[""],"resources":["pods"]})"},
       R"({"verbs":["get","list"],"apiGroups":[""],"resources":["pods"]})",
       0},
      {"one verb more",
       {R"({"verbs":["get"],"apiGroups":[""],"resources":["pods"]})"},
       R"({"verbs":["get","delete"],"apiGroups":[""],"resources":["pods"]})",
       1},
      {"a star is more than every known verb",
       {R"({"verbs":["get","list"],"apiGroups":[""],"resources":["pods"]})"},
       R"({"verbs":["*"],"apiGroups":[""],"resources":["pods"]})",
       1},
      {"all of it", {all}, R"({"verbs":["*"],"apiGroups":["*"],"resources":["*"]})", 0},
      {"paths are not resources", {all}, R"({"verbs":["get"],"nonResourceURLs":["/metrics"]})", 1},
      {"one name out of all",
       {R"({"verbs":["get"],"apiGroups":[""],"resources":["secrets"]})"},
       R"({"verbs":["get"],"apiGroups":[""],"resources":["secrets"],"resourceNames":["a"]})",
       0},
      {"all names out of one",
       {R"({"verbs":["get"],"apiGroups":[""],"resources":["secrets"],"resourceNames":["a"]})"},
       R"({"verbs":["get"],"apiGroups":[""],"resources":["secrets"]})",
       1},
      {"names from two rules",
       {R"({"verbs":["get"],"apiGroups":[""],"resources":["secrets"],"resourceNames":["a"]})",
        R"({"verbs":["get"],"apiGroups":[""],"resources":["secrets"],"resourceNames":["b"]})"},
       R"({"verbs":["get"],"apiGroups":[""],"resources":["secrets"],"resourceNames":["a","b"]})",
       0},
      {"star slash holds a subresource",
       {R"({"verbs":["update"],"apiGroups":["apps"],"resources":["*/scale"]})"},
       R"({"verbs":["update"],"apiGroups":["apps"],"resources":["deployments/scale"]})",
       0},
      {"a longer path under a star",
       {R"({"verbs":["get"],"nonResourceURLs":["/api/*"]})"},
       R"({"verbs":["get"],"nonResourceURLs":["/api/v1/*"]})",
       0},
      {"nothing held",
       {},
       R"({"verbs":["get","list"],"apiGroups":["a","b"],"resources":["x"]})",
       4},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.why);
    RbacRules held;
    for (const char* text : c.held) held.push_back(rule(text));
    const auto missing = rules_beyond(held, {rule(c.wanted)});
    ASSERT_TRUE(missing.has_value());
    EXPECT_EQ(missing->size(), c.missing);
  }
}

TEST(RbacRule, HugeRulesAreRefusedUnlessOneHeldRuleCoversThem) {
  RbacRule huge;
  for (int i = 0; i < 3000; ++i) {
    huge.verbs.push_back("v" + std::to_string(i));
    huge.api_groups.push_back("g" + std::to_string(i));
    huge.resources.push_back("r" + std::to_string(i));
  }
  EXPECT_EQ(rules_beyond({}, {huge}).error().code(), Code::kForbidden);
  EXPECT_TRUE(rules_beyond({rule(R"({"verbs":["*"],"apiGroups":["*"],"resources":["*"]})")}, {huge})
                  ->empty());
}

class Rbac : public testing::Test {
 protected:
  void role(std::string ns, std::string name, std::string_view rules, json::Object labels = {}) {
    json::Value document =
        json::Object{{"apiVersion", "rbac.authorization.k8s.io/v1"},
                     {"kind", ns.empty() ? "ClusterRole" : "Role"},
                     {"metadata", json::Object{{"name", name}, {"labels", labels}}},
                     {"rules", doc(rules)}};
    if (!ns.empty()) json::set(document, {"metadata", "namespace"}, json::Value(ns));
    reader_.put(kGroup, ns.empty() ? "clusterroles" : "roles", std::move(document));
  }
  void bind(std::string ns, std::string name, std::string role_kind, std::string role_name,
            std::string_view subjects) {
    json::Value document = json::Object{
        {"apiVersion", "rbac.authorization.k8s.io/v1"},
        {"kind", ns.empty() ? "ClusterRoleBinding" : "RoleBinding"},
        {"metadata", json::Object{{"name", name}}},
        {"roleRef", json::Object{{"apiGroup", kGroup}, {"kind", role_kind}, {"name", role_name}}},
        {"subjects", doc(subjects)}};
    if (!ns.empty()) json::set(document, {"metadata", "namespace"}, json::Value(ns));
    reader_.put(kGroup, ns.empty() ? "clusterrolebindings" : "rolebindings", std::move(document));
  }
  bool may(const UserPtr& who, std::string verb, std::string resource, std::string ns = {},
           std::string name = {}) {
    return authorizer_
        .decide({.user = who, .verb = verb, .resource = resource, .ns = ns, .name = name})
        .allowed;
  }

  FakeReader reader_;
  RbacAuthorizer authorizer_{reader_};
};

constexpr const char* kReadPods =
    R"([{"verbs":["get","list"],"apiGroups":[""],"resources":["pods"]}])";
constexpr const char* kUserA = R"([{"kind":"User","name":"a"}])";

TEST_F(Rbac, NothingIsAllowedWithoutABinding) {
  role("", "reader", kReadPods);
  EXPECT_FALSE(may(user("a"), "get", "pods", "n1"));
}

// The wall removed: the same question with a binding is allowed, and refused again once it is gone.
TEST_F(Rbac, BindingsCountFromTheirFirstMomentToTheirLast) {
  role("", "reader", kReadPods);
  bind("", "b", "ClusterRole", "reader", kUserA);
  EXPECT_TRUE(may(user("a"), "get", "pods", "n1"));
  EXPECT_TRUE(may(user("a"), "list", "pods"));
  EXPECT_FALSE(may(user("b"), "get", "pods", "n1"));
  reader_.remove(kGroup, "clusterrolebindings", {"", "b"});
  EXPECT_FALSE(may(user("a"), "get", "pods", "n1"));
}

TEST_F(Rbac, RoleBindingGrantsInItsNamespaceOnly) {
  role("", "reader", kReadPods);
  bind("n1", "b", "ClusterRole", "reader", kUserA);
  EXPECT_TRUE(may(user("a"), "get", "pods", "n1"));
  EXPECT_FALSE(may(user("a"), "get", "pods", "n2"));
  EXPECT_FALSE(may(user("a"), "list", "pods"));
}

TEST_F(Rbac, RoleOfAnotherNamespaceIsNotFound) {
  role("n2", "reader", kReadPods);
  bind("n1", "b", "Role", "reader", kUserA);
  EXPECT_FALSE(may(user("a"), "get", "pods", "n1"));
  const Decision decision =
      authorizer_.decide({.user = user("a"), .verb = "get", .resource = "pods", .ns = "n1"});
  EXPECT_NE(decision.reason.find("\"reader\""), std::string::npos);
}

TEST_F(Rbac, SubjectsByUserGroupAndServiceAccount) {
  role("", "reader", kReadPods);
  bind(
      "n1", "b", "ClusterRole", "reader",
      R"([{"kind":"Group","name":"team"},{"kind":"ServiceAccount","name":"bot","namespace":"n9"}])");
  EXPECT_TRUE(may(user("x", {"team"}), "get", "pods", "n1"));
  EXPECT_FALSE(may(user("team"), "get", "pods", "n1"));
  EXPECT_TRUE(may(user("system:serviceaccount:n9:bot"), "get", "pods", "n1"));
  EXPECT_FALSE(may(user("system:serviceaccount:n1:bot"), "get", "pods", "n1"));
}

TEST_F(Rbac, ChangedBindingDropsItsOldSubjects) {
  role("", "reader", kReadPods);
  bind("n1", "b", "ClusterRole", "reader", kUserA);
  bind("n1", "b", "ClusterRole", "reader", R"([{"kind":"User","name":"c"}])");
  EXPECT_FALSE(may(user("a"), "get", "pods", "n1"));
  EXPECT_TRUE(may(user("c"), "get", "pods", "n1"));
}

TEST_F(Rbac, PathsNeedAClusterBinding) {
  role("", "health", R"([{"verbs":["get"],"nonResourceURLs":["/healthz"]}])");
  bind("n1", "b", "ClusterRole", "health", kUserA);
  const Attributes asked{
      .user = user("a"), .verb = "get", .is_resource = false, .ns = "n1", .path = "/healthz"};
  EXPECT_FALSE(authorizer_.decide(asked).allowed);
  bind("", "b", "ClusterRole", "health", kUserA);
  EXPECT_TRUE(authorizer_.decide(asked).allowed);
}

TEST_F(Rbac, ListOfOneNameCountsAsThatName) {
  role(
      "", "one",
      R"([{"verbs":["list","watch"],"apiGroups":[""],"resources":["secrets"],"resourceNames":["s"]}])");
  bind("n1", "b", "ClusterRole", "one", kUserA);
  Attributes asked{.user = user("a"), .verb = "watch", .resource = "secrets", .ns = "n1"};
  EXPECT_FALSE(authorizer_.decide(asked).allowed);
  asked.field_selector = "metadata.name=s";
  EXPECT_TRUE(authorizer_.decide(asked).allowed);
  asked.field_selector = "metadata.name!=s";
  EXPECT_FALSE(authorizer_.decide(asked).allowed);
}

TEST_F(Rbac, AggregatedRolesFollowTheirParts) {
  reader_.put(
      kGroup, "clusterroles",
      doc(R"({"apiVersion":"rbac.authorization.k8s.io/v1","kind":"ClusterRole","metadata":{"name":"all"},
                      "aggregationRule":{"clusterRoleSelectors":[{"matchLabels":{"into":"all"}}]}})"));
  bind("", "b", "ClusterRole", "all", kUserA);
  EXPECT_FALSE(may(user("a"), "get", "pods"));
  role("", "part", kReadPods, {{"into", "all"}});
  EXPECT_TRUE(may(user("a"), "get", "pods"));
  EXPECT_EQ(authorizer_.index().collected("all").size(), 1U);
  role("", "part", kReadPods);
  EXPECT_FALSE(may(user("a"), "get", "pods"));
}

TEST_F(Rbac, AggregationEndsOnACycleAndIgnoresAnEmptySelector) {
  for (const char* text :
       {R"({"apiVersion":"v1","kind":"ClusterRole","metadata":{"name":"x","labels":{"in":"y"}},
            "aggregationRule":{"clusterRoleSelectors":[{"matchLabels":{"in":"x"}}]}})",
        R"({"apiVersion":"v1","kind":"ClusterRole","metadata":{"name":"y","labels":{"in":"x"}},
            "aggregationRule":{"clusterRoleSelectors":[{"matchLabels":{"in":"y"}}]}})",
        R"({"apiVersion":"v1","kind":"ClusterRole","metadata":{"name":"z"},
            "aggregationRule":{"clusterRoleSelectors":[{}]}})"}) {
    reader_.put(kGroup, "clusterroles", doc(text));
  }
  role("", "part", kReadPods, {{"in", "y"}});
  EXPECT_EQ(authorizer_.index().collected("x").size(), 1U);
  EXPECT_TRUE(authorizer_.index().collected("z").empty());
}

TEST_F(Rbac, MastersMayDoEverythingWithoutRoles) {
  EXPECT_TRUE(may(user("admin", {"system:masters"}), "delete", "nodes"));
  EXPECT_FALSE(may(user("system:masters"), "delete", "nodes"));
}

class BootstrapRoles : public Rbac {
 protected:
  void SetUp() override {
    auto wanted = bootstrap_roles();
    ASSERT_TRUE(wanted.has_value()) << wanted.error().message();
    for (json::Value& document : *wanted) {
      const std::string kind(json::string_at(document, {"kind"}));
      std::string resource = kind + "s";
      std::ranges::transform(resource, resource.begin(),
                             [](char c) { return static_cast<char>(std::tolower(c)); });
      reader_.put(kGroup, resource, std::move(document));
    }
  }
};

TEST_F(BootstrapRoles, GiveWhatKubernetesGives) {
  const UserPtr anonymous = user("system:anonymous", {"system:unauthenticated"});
  const UserPtr someone = user("someone", {"system:authenticated"});
  const UserPtr node = user("system:node:n1", {"system:nodes", "system:authenticated"});
  struct Case {
    const char* why;
    UserPtr who;
    Attributes asked;
    bool want;
  };
  const Case cases[] = {
      {"anybody reads the version",
       anonymous,
       {.verb = "get", .is_resource = false, .path = "/version"},
       true},
      {"anybody reads health",
       anonymous,
       {.verb = "get", .is_resource = false, .path = "/livez"},
       true},
      {"strangers do not discover",
       anonymous,
       {.verb = "get", .is_resource = false, .path = "/apis"},
       false},
      {"users discover",
       someone,
       {.verb = "get", .is_resource = false, .path = "/apis/apps/v1"},
       true},
      {"users do not read metrics",
       someone,
       {.verb = "get", .is_resource = false, .path = "/metrics"},
       false},
      {"monitors read metrics",
       user("prom", {"system:monitoring"}),
       {.verb = "get", .is_resource = false, .path = "/metrics"},
       true},
      {"users ask what they may",
       someone,
       {.verb = "create", .group = "authorization.k8s.io", .resource = "selfsubjectaccessreviews"},
       true},
      {"users read no pods", someone, {.verb = "list", .resource = "pods"}, false},
      {"no role lets a node read pods", node, {.verb = "watch", .resource = "pods"}, false},
      {"nor secrets", node, {.verb = "get", .resource = "secrets", .ns = "d", .name = "s"}, false},
      {"the node reads endpoint slices",
       node,
       {.verb = "list", .group = "discovery.k8s.io", .resource = "endpointslices"},
       true},
      {"the node writes no roles",
       node,
       {.verb = "create", .group = kGroup, .resource = "clusterroles"},
       false},
      {"a controller has its own rights",
       user("system:serviceaccount:kube-system:deployment-controller"),
       {.verb = "update", .group = "apps", .resource = "replicasets", .ns = "n1"},
       true},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.why);
    Attributes asked = c.asked;
    asked.user = c.who;
    EXPECT_EQ(authorizer_.decide(asked).allowed, c.want);
  }
}

TEST_F(BootstrapRoles, AdminEditAndViewNest) {
  for (const char* name : {"admin", "edit", "view"})
    bind("n1", name, "ClusterRole", name,
         R"([{"kind":"User","name":")" + std::string(name) + R"("}])");
  struct Case {
    const char* verb;
    const char* resource;
    bool view, edit, admin;
  };
  const Case cases[] = {{"get", "pods", true, true, true},
                        {"create", "pods", false, true, true},
                        {"get", "secrets", false, true, true},
                        {"impersonate", "serviceaccounts", false, true, true}};
  for (const Case& c : cases) {
    SCOPED_TRACE(c.resource);
    EXPECT_EQ(may(user("view"), c.verb, c.resource, "n1"), c.view);
    EXPECT_EQ(may(user("edit"), c.verb, c.resource, "n1"), c.edit);
    EXPECT_EQ(may(user("admin"), c.verb, c.resource, "n1"), c.admin);
    EXPECT_FALSE(may(user("admin"), c.verb, c.resource, "n2"));
  }
}

TEST(Reconcile, AddsWhatIsMissingAndKeepsWhatPeopleAdded) {
  const json::Value wanted = doc(R"({"metadata":{"name":"r","labels":{"a":"1"},"annotations":{}},
      "rules":[{"verbs":["get","list"],"apiGroups":[""],"resources":["pods"]}]})");
  const json::Value stored = doc(R"({"metadata":{"name":"r","labels":{"mine":"2"}},
      "rules":[{"verbs":["get"],"apiGroups":[""],"resources":["pods","nodes"]}]})");
  const auto mended = reconciled(stored, wanted);
  ASSERT_TRUE(mended.has_value());
  EXPECT_EQ(json::string_at(*mended, {"metadata", "labels", "mine"}), "2");
  EXPECT_EQ(json::string_at(*mended, {"metadata", "labels", "a"}), "1");
  EXPECT_EQ(json::array_at(*mended, {"rules"}).size(), 2U);
  EXPECT_FALSE(reconciled(*mended, wanted).has_value()) << "the second start changes nothing";
}

TEST(Reconcile, RespectsTheAnnotationAndForeignRoleRefs) {
  const json::Value wanted =
      doc(R"({"metadata":{"name":"b"},"roleRef":{"kind":"ClusterRole","name":"x"},
      "subjects":[{"kind":"Group","apiGroup":"rbac.authorization.k8s.io","name":"g"}]})");
  json::Value stored =
      doc(R"({"metadata":{"name":"b"},"roleRef":{"kind":"ClusterRole","name":"x"},"subjects":[]})");
  EXPECT_TRUE(reconciled(stored, wanted).has_value());
  json::set(stored, {"metadata", "annotations", "rbac.authorization.kubernetes.io/autoupdate"},
            json::Value("false"));
  EXPECT_FALSE(reconciled(stored, wanted).has_value());
  const json::Value other =
      doc(R"({"metadata":{"name":"b"},"roleRef":{"kind":"ClusterRole","name":"y"}})");
  EXPECT_FALSE(reconciled(other, wanted).has_value());
}

TEST(BootstrapData, RefusesWhatItDoesNotUnderstand) {
  EXPECT_FALSE(
      read_bootstrap_roles(R"({"roleBindings":[{"name":"x","role":"nothing"}]})").has_value());
  EXPECT_FALSE(read_bootstrap_roles(
                   R"({"roleBindings":[{"name":"x","role":"Role/r","subjects":["Robot/x"]}]})")
                   .has_value());
}

}  // namespace
}  // namespace atl::apiserver
