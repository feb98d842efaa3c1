// One table for each wall: what it stops, and that the same request passes where the wall does not
// apply.
#include <gtest/gtest.h>

#include "kernel/apiserver/admission/certificates.h"
#include "kernel/apiserver/admission/defaults.h"
#include "kernel/apiserver/admission/namespace_lifecycle.h"
#include "kernel/apiserver/admission/node_restriction.h"
#include "kernel/apiserver/admission/priority.h"
#include "kernel/apiserver/admission/rbac_escalation.h"
#include "kernel/apiserver/admission/test_requests.h"
#include "kernel/apiserver/admission/tolerations.h"
#include "kernel/apiserver/auth/fake_reader.h"

namespace atl::apiserver {
namespace {

constexpr const char* kRbac = "rbac.authorization.k8s.io";

class Walls : public testing::Test {
 protected:
  void put(std::string group, std::string resource, std::string_view text) {
    reader_.put(std::move(group), std::move(resource), doc(text));
  }
  void put_namespace(std::string name, bool deleting = false) {
    json::Value document = json::Object{
        {"apiVersion", "v1"}, {"kind", "Namespace"}, {"metadata", json::Object{{"name", name}}}};
    if (deleting) json::set(document, {"metadata", "deletionTimestamp"}, "2026-01-01T00:00:00Z");
    reader_.put("", "namespaces", std::move(document));
  }
  static UserPtr user(std::string name, std::vector<std::string> groups = {}) {
    return std::make_shared<const UserInfo>(
        UserInfo{.name = std::move(name), .groups = std::move(groups)});
  }
  FakeReader reader_;
};

constexpr const char* kPod =
    R"({"kind":"Pod","metadata":{"name":"p","namespace":"n1"},"spec":{"containers":[{"name":"a"}]}})";

TEST_F(Walls, NamespaceMustBeThereAndStay) {
  NamespaceLifecycle step(reader_);
  TestRequest create(Operation::kCreate, "pods", kPod);
  EXPECT_EQ(create.pass(step), "not found: namespaces \"n1\" not found");
  put_namespace("n1", true);
  EXPECT_EQ(create.pass(step),
            "forbidden: pods \"p\" is forbidden: unable to create new content in namespace n1 "
            "because it is being terminated");
  const auto refused = await(step.mutate(create.request));
  ASSERT_EQ(refused.error().causes().size(), 1U);
  EXPECT_EQ(refused.error().causes()[0].reason, "NamespaceTerminating");
  TestRequest update(Operation::kUpdate, "pods", kPod, kPod);
  EXPECT_EQ(update.pass(step), "") << "what is there may still change";
  put_namespace("n1");
  EXPECT_EQ(create.pass(step), "");
}

TEST_F(Walls, SystemNamespacesStay) {
  NamespaceLifecycle step(reader_);
  for (const char* name : {"default", "kube-system", "kube-public"}) {
    TestRequest remove(
        Operation::kDelete, "namespaces", "",
        R"({"kind":"Namespace","metadata":{"name":")" + std::string(name) + R"("}})");
    EXPECT_EQ(remove.pass(step), "forbidden: namespaces \"" + std::string(name) +
                                     "\" is forbidden: this namespace may not be deleted");
  }
  TestRequest other(Operation::kDelete, "namespaces", "",
                    R"({"kind":"Namespace","metadata":{"name":"mine"}})");
  EXPECT_EQ(other.pass(step), "");
}

TEST_F(Walls, TolerationsAreAddedOnce) {
  DefaultTolerationSeconds step;
  TestRequest pod(Operation::kCreate, "pods", kPod);
  EXPECT_EQ(pod.pass(step), "");
  EXPECT_EQ(json::array_at(pod.object, {"spec", "tolerations"}).size(), 2U);
  EXPECT_EQ(pod.pass(step), "");
  EXPECT_EQ(json::array_at(pod.object, {"spec", "tolerations"}).size(), 2U);
  TestRequest stubborn(
      Operation::kCreate, "pods",
      R"({"kind":"Pod","metadata":{"name":"p","namespace":"n1"},"spec":{"tolerations":[{"operator":"Exists"}]}})");
  EXPECT_EQ(stubborn.pass(step), "");
  EXPECT_EQ(json::array_at(stubborn.object, {"spec", "tolerations"}).size(), 1U);
}

TEST_F(Walls, PriorityComesFromItsClass) {
  PriorityAdmission step(reader_);
  TestRequest plain(Operation::kCreate, "pods", kPod);
  EXPECT_EQ(plain.pass(step), "");
  EXPECT_EQ(json::int_at(plain.object, {"spec", "priority"}, -1), 0);
  const char* high =
      R"({"kind":"Pod","metadata":{"name":"p","namespace":"n1"},"spec":{"priorityClassName":"high"}})";
  TestRequest missing(Operation::kCreate, "pods", high);
  EXPECT_EQ(missing.pass(step),
            "forbidden: pods \"p\" is forbidden: no PriorityClass with name high was found");
  put("scheduling.k8s.io", "priorityclasses",
      R"({"kind":"PriorityClass","apiVersion":"scheduling.k8s.io/v1","metadata":{"name":"high"},"value":7,"globalDefault":true})");
  TestRequest found(Operation::kCreate, "pods", high);
  EXPECT_EQ(found.pass(step), "");
  EXPECT_EQ(json::int_at(found.object, {"spec", "priority"}), 7);
  TestRequest inherits(Operation::kCreate, "pods", kPod);
  EXPECT_EQ(inherits.pass(step), "");
  EXPECT_EQ(json::string_at(inherits.object, {"spec", "priorityClassName"}), "high");
  TestRequest forged(
      Operation::kCreate, "pods",
      R"({"kind":"Pod","metadata":{"name":"p","namespace":"n1"},"spec":{"priority":1000000}})");
  EXPECT_NE(forged.pass(step).find("must not be provided in pod spec"), std::string::npos);
  TestRequest second(
      Operation::kCreate, "priorityclasses.scheduling.k8s.io",
      R"({"kind":"PriorityClass","metadata":{"name":"low"},"value":1,"globalDefault":true})");
  EXPECT_NE(second.pass(step).find("PriorityClass high is already marked as globalDefault"),
            std::string::npos);
}

TEST_F(Walls, DefaultClassesAreTheNewest) {
  DefaultClass step(reader_, DefaultClass::storage());
  const char* claim =
      R"({"kind":"PersistentVolumeClaim","metadata":{"name":"c","namespace":"n1"},"spec":{}})";
  TestRequest none(Operation::kCreate, "persistentvolumeclaims", claim);
  EXPECT_EQ(none.pass(step), "");
  EXPECT_EQ(json::find(none.object, {"spec", "storageClassName"}), nullptr);
  for (const auto& [name, time] :
       {std::pair("a", "2026-01-01T00:00:00Z"), std::pair("b", "2026-02-01T00:00:00Z")}) {
    put("storage.k8s.io", "storageclasses",
        R"({"kind":"StorageClass","apiVersion":"storage.k8s.io/v1","metadata":{"name":")" +
            std::string(name) + R"(","creationTimestamp":")" + time +
            R"(","annotations":{"storageclass.kubernetes.io/is-default-class":"true"}}})");
  }
  TestRequest newest(Operation::kCreate, "persistentvolumeclaims", claim);
  EXPECT_EQ(newest.pass(step), "");
  EXPECT_EQ(json::string_at(newest.object, {"spec", "storageClassName"}), "b");
  TestRequest declines(
      Operation::kCreate, "persistentvolumeclaims",
      R"({"metadata":{"name":"c","namespace":"n1"},"spec":{"storageClassName":""}})");
  EXPECT_EQ(declines.pass(step), "");
  EXPECT_EQ(json::string_at(declines.object, {"spec", "storageClassName"}, "x"), "");
}

TEST_F(Walls, RuntimeClassMustExist) {
  RuntimeClassAdmission step(reader_);
  const char* text =
      R"({"kind":"Pod","metadata":{"name":"p","namespace":"n1"},"spec":{"runtimeClassName":"vm","containers":[]}})";
  TestRequest missing(Operation::kCreate, "pods", text);
  EXPECT_EQ(missing.pass(step),
            "forbidden: pods \"p\" is forbidden: pod rejected: RuntimeClass \"vm\" not found");
  put("node.k8s.io", "runtimeclasses",
      R"({"kind":"RuntimeClass","apiVersion":"node.k8s.io/v1","metadata":{"name":"vm"},"handler":"vm","overhead":{"podFixed":{"memory":"64Mi"}},"scheduling":{"nodeSelector":{"kvm":"yes"}}})");
  TestRequest found(Operation::kCreate, "pods", text);
  EXPECT_EQ(found.pass(step), "");
  EXPECT_EQ(json::string_at(found.object, {"spec", "overhead", "memory"}), "64Mi");
  EXPECT_EQ(json::string_at(found.object, {"spec", "nodeSelector", "kvm"}), "yes");
  TestRequest forged(
      Operation::kCreate, "pods",
      R"({"kind":"Pod","metadata":{"name":"p","namespace":"n1"},"spec":{"overhead":{"memory":"1"}}})");
  EXPECT_NE(forged.pass(step), "");
}

TEST_F(Walls, VolumesInUseAreProtected) {
  StorageObjectInUseProtection step;
  TestRequest claim(Operation::kCreate, "persistentvolumeclaims",
                    R"({"metadata":{"name":"c","namespace":"n1"}})");
  EXPECT_EQ(claim.pass(step), "");
  EXPECT_EQ(claim.pass(step), "");
  EXPECT_EQ(json::serialize(json::array_at(claim.object, {"metadata", "finalizers"})),
            R"(["kubernetes.io/pvc-protection"])");
}

TEST_F(Walls, NewNodesStartTainted) {
  TaintNodesByCondition step;
  TestRequest node(Operation::kCreate, "nodes", R"({"kind":"Node","metadata":{"name":"n"}})");
  EXPECT_EQ(node.pass(step), "");
  EXPECT_EQ(node.pass(step), "");
  EXPECT_EQ(json::array_at(node.object, {"spec", "taints"}).size(), 1U);
}

TEST_F(Walls, NodesTouchOnlyTheirOwn) {
  NodeRestriction step(reader_);
  put("", "pods",
      R"({"kind":"Pod","apiVersion":"v1","metadata":{"name":"mine","namespace":"n1"},"spec":{"nodeName":"a"}})");
  put("", "pods",
      R"({"kind":"Pod","apiVersion":"v1","metadata":{"name":"theirs","namespace":"n1"},"spec":{"nodeName":"b"}})");
  const auto pod = [](std::string name, std::string spec = "{}", std::string annotations = "{}") {
    return R"({"kind":"Pod","metadata":{"name":")" + name + R"(","namespace":"n1","annotations":)" +
           annotations + R"(},"spec":)" + spec + "}";
  };
  const std::string mirror = R"({"kubernetes.io/config.mirror":"x"})";
  struct Case {
    const char* why;
    Operation operation;
    const char* resource;
    std::string now, before;
    bool allowed;
  };
  const std::string node_a = R"({"kind":"Node","metadata":{"name":"a"}})";
  const Case cases[] = {
      {"status of its pod", Operation::kUpdate, "pods/status", pod("mine"), pod("mine"), true},
      {"status of another's", Operation::kUpdate, "pods/status", pod("theirs"), pod("theirs"),
       false},
      {"the spec of its pod", Operation::kUpdate, "pods", pod("mine"), pod("mine"), false},
      {"removal of its pod", Operation::kDelete, "pods", "", pod("mine"), true},
      {"removal of another's", Operation::kDelete, "pods", "", pod("theirs"), false},
      {"a mirror pod here", Operation::kCreate, "pods", pod("new", R"({"nodeName":"a"})", mirror),
       "", true},
      {"a mirror pod there", Operation::kCreate, "pods", pod("new", R"({"nodeName":"b"})", mirror),
       "", false},
      {"an ordinary pod", Operation::kCreate, "pods", pod("new", R"({"nodeName":"a"})"), "", false},
      {"its own node", Operation::kUpdate, "nodes/status", node_a, node_a, true},
      {"another node", Operation::kUpdate, "nodes/status",
       R"({"kind":"Node","metadata":{"name":"b"}})", R"({"kind":"Node","metadata":{"name":"b"}})",
       false},
      {"its own removal", Operation::kDelete, "nodes", "", node_a, false},
      {"a reserved label", Operation::kUpdate, "nodes",
       R"({"kind":"Node","metadata":{"name":"a","labels":{"node-restriction.kubernetes.io/x":"1"}}})",
       node_a, false},
      {"its taints", Operation::kUpdate, "nodes", node_a,
       R"({"kind":"Node","metadata":{"name":"a"},"spec":{"taints":[{"key":"k","effect":"NoSchedule"}]}})",
       false},
      {"its lease", Operation::kUpdate, "leases.coordination.k8s.io",
       R"({"kind":"Lease","metadata":{"name":"a","namespace":"kube-node-lease"}})", "", true},
      {"another lease", Operation::kUpdate, "leases.coordination.k8s.io",
       R"({"kind":"Lease","metadata":{"name":"a","namespace":"kube-system"}})", "", false},
      {"a token for its pod", Operation::kCreate, "serviceaccounts/token",
       R"({"metadata":{"name":"s","namespace":"n1"},"spec":{"boundObjectRef":{"kind":"Pod","name":"mine"}}})",
       "", true},
      {"a token for another's", Operation::kCreate, "serviceaccounts/token",
       R"({"metadata":{"name":"s","namespace":"n1"},"spec":{"boundObjectRef":{"kind":"Pod","name":"theirs"}}})",
       "", false},
      {"a token for nobody", Operation::kCreate, "serviceaccounts/token",
       R"({"metadata":{"name":"s","namespace":"n1"},"spec":{}})", "", false},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.why);
    TestRequest request(c.operation, c.resource, c.now, c.before);
    request.request.user = user("system:node:a", {"system:nodes"});
    EXPECT_EQ(request.pass(step).empty(), c.allowed);
    request.request.user = user("system:node:a");  // the wall removed: not in the group, not a node
    EXPECT_EQ(request.pass(step), "");
  }
}

class Escalation : public Walls {
 protected:
  void SetUp() override {
    put(kRbac, "clusterroles",
        R"({"kind":"ClusterRole","apiVersion":"v1","metadata":{"name":"reader"},"rules":[{"verbs":["get"],"apiGroups":[""],"resources":["pods"]}]})");
    put(kRbac, "clusterroles",
        R"({"kind":"ClusterRole","apiVersion":"v1","metadata":{"name":"all"},"rules":[{"verbs":["*"],"apiGroups":["*"],"resources":["*"]}]})");
    put(kRbac, "rolebindings",
        R"({"kind":"RoleBinding","apiVersion":"v1","metadata":{"name":"b","namespace":"n1"},"roleRef":{"kind":"ClusterRole","name":"reader"},"subjects":[{"kind":"User","name":"u"}]})");
  }
  void grant(std::string_view rule) {
    put(kRbac, "clusterroles",
        R"({"kind":"ClusterRole","apiVersion":"v1","metadata":{"name":"extra"},"rules":[)" +
            std::string(rule) + "]}");
    put(kRbac, "rolebindings",
        R"({"kind":"RoleBinding","apiVersion":"v1","metadata":{"name":"extra","namespace":"n1"},"roleRef":{"kind":"ClusterRole","name":"extra"},"subjects":[{"kind":"User","name":"u"}]})");
  }
  RbacAuthorizer rbac_{reader_};
  RbacEscalation step_{rbac_, rbac_};
};

constexpr const char* kRoleGet =
    R"({"kind":"Role","metadata":{"name":"r","namespace":"n1"},"rules":[{"verbs":["get"],"apiGroups":[""],"resources":["pods"]}]})";
constexpr const char* kRoleMore =
    R"({"kind":"Role","metadata":{"name":"r","namespace":"n1"},"rules":[{"verbs":["get","delete"],"apiGroups":[""],"resources":["pods"]}]})";

TEST_F(Escalation, RolesHoldNoMoreThanTheirWriter) {
  TestRequest same(Operation::kCreate, "roles.rbac.authorization.k8s.io", kRoleGet);
  EXPECT_EQ(same.pass(step_), "");
  TestRequest more(Operation::kCreate, "roles.rbac.authorization.k8s.io", kRoleMore);
  EXPECT_EQ(more.pass(step_),
            "forbidden: roles.rbac.authorization.k8s.io \"r\" is forbidden: user \"u\" (groups=[]) "
            "is attempting to grant RBAC permissions not "
            "currently held:\n{APIGroups:[\"\"], Resources:[\"pods\"], Verbs:[\"delete\"]}");
  grant(
      R"({"verbs":["escalate"],"apiGroups":["rbac.authorization.k8s.io"],"resources":["roles"]})");
  EXPECT_EQ(more.pass(step_), "") << "the verb escalate removes the wall";
}

TEST_F(Escalation, UpdatesThatLeaveTheRulesAlonePass) {
  TestRequest labels(Operation::kUpdate, "roles.rbac.authorization.k8s.io", kRoleMore, kRoleMore);
  EXPECT_EQ(labels.pass(step_), "");
}

TEST_F(Escalation, AggregationNeedsEverything) {
  const char* text =
      R"({"kind":"ClusterRole","metadata":{"name":"agg"},"aggregationRule":{"clusterRoleSelectors":[{"matchLabels":{"a":"b"}}]}})";
  TestRequest request(Operation::kCreate, "clusterroles.rbac.authorization.k8s.io", text);
  EXPECT_NE(request.pass(step_), "");
  request.request.user = user("admin", {"system:masters"});
  EXPECT_EQ(request.pass(step_), "");
}

TEST_F(Escalation, BindingsHoldNoMoreThanTheirWriter) {
  const auto binding = [](std::string role) {
    return R"({"kind":"RoleBinding","metadata":{"name":"x","namespace":"n1"},"roleRef":{"kind":"ClusterRole","name":")" +
           role + R"("},"subjects":[{"kind":"User","name":"v"}]})";
  };
  TestRequest same(Operation::kCreate, "rolebindings.rbac.authorization.k8s.io", binding("reader"));
  EXPECT_EQ(same.pass(step_), "");
  TestRequest more(Operation::kCreate, "rolebindings.rbac.authorization.k8s.io", binding("all"));
  EXPECT_NE(more.pass(step_).find("not currently held"), std::string::npos);
  TestRequest missing(Operation::kCreate, "rolebindings.rbac.authorization.k8s.io",
                      binding("ghost"));
  EXPECT_EQ(missing.pass(step_),
            "not found: clusterroles.rbac.authorization.k8s.io \"ghost\" not found");
  grant(
      R"({"verbs":["bind"],"apiGroups":["rbac.authorization.k8s.io"],"resources":["clusterroles"],"resourceNames":["all"]})");
  EXPECT_EQ(more.pass(step_), "") << "the verb bind removes the wall";
}

TEST_F(Escalation, CertificatesNeedTheirSigner) {
  CertificateAdmission step(rbac_);
  const std::string csr =
      R"({"kind":"CertificateSigningRequest","metadata":{"name":"c"},"spec":{"signerName":"example.com/x"},"status":{"certificate":"YQ=="}})";
  const std::string before =
      R"({"kind":"CertificateSigningRequest","metadata":{"name":"c"},"spec":{"signerName":"example.com/x"}})";
  TestRequest approve(Operation::kUpdate, "certificatesigningrequests.certificates.k8s.io/approval",
                      csr, before);
  EXPECT_NE(approve.pass(step).find(
                "user not permitted to approve requests with signerName \"example.com/x\""),
            std::string::npos);
  TestRequest sign(Operation::kUpdate, "certificatesigningrequests.certificates.k8s.io/status", csr,
                   before);
  EXPECT_NE(sign.pass(step).find("not permitted to sign"), std::string::npos);
  put(kRbac, "clusterroles",
      R"({"kind":"ClusterRole","apiVersion":"v1","metadata":{"name":"signer"},"rules":[{"verbs":["approve","sign"],"apiGroups":["certificates.k8s.io"],"resources":["signers"],"resourceNames":["example.com/*"]}]})");
  put(kRbac, "clusterrolebindings",
      R"({"kind":"ClusterRoleBinding","apiVersion":"v1","metadata":{"name":"s"},"roleRef":{"kind":"ClusterRole","name":"signer"},"subjects":[{"kind":"User","name":"u"}]})");
  EXPECT_EQ(approve.pass(step), "");
  EXPECT_EQ(sign.pass(step), "");
}

}  // namespace
}  // namespace atl::apiserver
