#pragma once

#include <string>
#include <string_view>
#include <utility>

#include "base/core/check.h"
#include "kernel/apiserver/auth/testing.h"
#include "kernel/apiserver/contract/admission.h"

// Helpers of this folder's tests.
namespace atl::apiserver {

inline json::Value doc(std::string_view text) {
  auto value = json::parse(text);
  CHECK(value.has_value());
  return *std::move(value);
}

// One write on its way through admission. The documents live inside.
struct TestRequest {
  json::Value object;
  json::Value old;
  AdmissionRequest request;

  // `resource` as "pods", "deployments.apps" or "pods/status".
  TestRequest(Operation operation, std::string_view resource, std::string_view now,
              std::string_view before = {})
      : object(now.empty() ? json::Value() : doc(now)),
        old(before.empty() ? json::Value() : doc(before)) {
    auto kind = std::make_shared<api::Kind>();
    const size_t slash = resource.find('/');
    if (slash != std::string_view::npos) request.subresource = resource.substr(slash + 1);
    const std::string_view main = resource.substr(0, slash);
    const size_t dot = main.find('.');
    kind->gvr = {dot == std::string_view::npos ? "" : std::string(main.substr(dot + 1)), "v1",
                 std::string(main.substr(0, dot))};
    const json::Value& named = object.is_null() ? old : object;
    kind->gvk = {kind->gvr.group, "v1", std::string(json::string_at(named, {"kind"}, "Thing"))};
    request.operation = operation;
    request.ns = json::string_at(named, {"metadata", "namespace"});
    kind->namespaced = !request.ns.empty();
    request.kind = std::move(kind);
    request.name = json::string_at(named, {"metadata", "name"});
    request.user = std::make_shared<const UserInfo>(UserInfo{.name = "u"});
    if (!object.is_null()) request.object = &object;
    if (!old.is_null()) request.old_object = &old;
  }
  TestRequest(const TestRequest&) = delete;
  TestRequest& operator=(const TestRequest&) = delete;

  // Both phases of one step; "" when it agrees, its message otherwise.
  std::string pass(Admission& step) {
    auto mutated = await(step.mutate(request));
    if (!mutated) return code_and(mutated.error());
    auto validated = await(step.validate(request));
    return validated ? std::string() : code_and(validated.error());
  }

 private:
  static std::string code_and(const Error& error) {
    return std::string(atl::name(error.code())) + ": " + error.message();
  }
};

}  // namespace atl::apiserver
