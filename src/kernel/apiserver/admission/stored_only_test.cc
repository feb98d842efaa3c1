#include "kernel/apiserver/admission/stored_only.h"

#include <gtest/gtest.h>

#include "kernel/apiserver/admission/install.h"
#include "kernel/apiserver/admission/test_requests.h"
#include "kernel/apiserver/testing/harness.h"

namespace atl::apiserver {
namespace {

TEST(StoredOnlyNotice, Rows) {
  struct Case {
    const char* name;
    const char* resource;
    const char* object;
    const char* warning;  // empty: none
  };
  const Case cases[] = {
      {"a rule that nobody enforces", "networkpolicies.networking.k8s.io",
       R"({"kind":"NetworkPolicy"})",
       "NetworkPolicy is stored, but not acted upon by this server yet: traffic is not restricted "
       "by it"},
      {"a kind that works", "deployments.apps", R"({"kind":"Deployment"})", ""},
      {"another group's kind of that name", "networkpolicies.example.com",
       R"({"kind":"NetworkPolicy"})", ""},
      {"a service of its own", "apiservices.apiregistration.k8s.io",
       R"({"kind":"APIService","spec":{"service":{"name":"x"}}})",
       "APIService spec.service is stored, but not acted upon by this server yet: requests for the "
       "group are "
       "not passed on to the service"},
      {"one that is served here", "apiservices.apiregistration.k8s.io",
       R"({"kind":"APIService","spec":{}})", ""},
      {"no claims", "statefulsets.apps",
       R"({"kind":"StatefulSet","spec":{"volumeClaimTemplates":[]}})", ""},
      {"rules of a custom kind", "customresourcedefinitions.apiextensions.k8s.io",
       R"({"kind":"CustomResourceDefinition","spec":{"versions":[{"schema":{"openAPIV3Schema":{
         "properties":{"spec":{"x-kubernetes-validations":[{"rule":"self.n < 9"}]}}}}}]}})",
       "rules in x-kubernetes-validations are stored, but not evaluated by this server yet: "
       "objects that break them are accepted"},
      {"a custom kind without rules", "customresourcedefinitions.apiextensions.k8s.io",
       R"({"kind":"CustomResourceDefinition","spec":{"versions":[{"schema":{}}]}})", ""},
      {"claims of pods", "statefulsets.apps",
       R"({"kind":"StatefulSet","spec":{"volumeClaimTemplates":[{}]}})",
       "StatefulSet spec.volumeClaimTemplates is stored, but not acted upon by this server yet: no "
       "volumes are provisioned "
       "or bound, and pods that mount the claim do not start"},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name);
    TestRequest made(Operation::kCreate, c.resource, c.object);
    StoredOnlyNotice step;
    EXPECT_EQ(made.pass(step), "");
    EXPECT_EQ(made.request.warnings.empty() ? "" : made.request.warnings.front(), c.warning);
    TestRequest changed(Operation::kUpdate, c.resource, c.object, c.object);
    EXPECT_EQ(changed.pass(step), "");
    EXPECT_TRUE(changed.request.warnings.empty()) << "said once";
  }
}

TEST(StoredOnlyNotice, ReachesTheClientAsAWarningHeader) {
  Harness h({.before_start = [](Harness& harness) {
    harness.admission.add(std::make_unique<StoredOnlyNotice>());
  }});
  h.run([&]() -> Task<> {
    const auto made = co_await h.call(
        "POST", "/apis/networking.k8s.io/v1/namespaces/d/networkpolicies",
        R"({"metadata":{"name":"deny"},"spec":{"podSelector":{},"policyTypes":["Ingress"]}})");
    EXPECT_EQ(made->status, 201) << made->body;
    EXPECT_EQ(made->headers.get("warning"),
              "299 - \"NetworkPolicy is stored, but not acted upon by this server yet: traffic is "
              "not restricted by it\"");
    co_return Unit{};
  });
}

}  // namespace
}  // namespace atl::apiserver
