#include "kernel/apiserver/admission/certificates.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/crypto/x509.h"
#include "base/text/base64.h"
#include "kernel/apiserver/contract/pod_parts.h"

namespace atl::apiserver {
namespace {

constexpr std::string_view kGroup = "certificates.k8s.io";

bool changed(const AdmissionRequest& request, std::string_view field) {
  if (request.old_object == nullptr) return true;
  const json::Value none;
  const json::Value* now = json::find(*request.object, {"status", field});
  const json::Value* before = json::find(*request.old_object, {"status", field});
  return !json::equal(now != nullptr ? *now : none, before != nullptr ? *before : none);
}

Result<> check_subject(const AdmissionRequest& request, std::string_view signer) {
  if (signer != "kubernetes.io/kube-apiserver-client") return Unit{};
  const auto pem = base64_decode(json::string_at(*request.object, {"spec", "request"}));
  if (!pem) return admission_refused(request, "spec.request is not base64");
  const auto csr = crypto::parse_signing_request(*pem);
  if (!csr) return admission_refused(request, csr.error().message());
  if (std::ranges::find(csr->organizations, kGroupMasters) != csr->organizations.end()) {
    return admission_refused(request, fmt::format("use of {} signer with {} group is not allowed",
                                                  signer, kGroupMasters));
  }
  return Unit{};
}

}  // namespace

Task<bool> CertificateAdmission::may_use_signer(const AdmissionRequest& request, std::string verb,
                                                std::string signer) {
  // The signer itself, or every signer of its domain: "example.com/*".
  for (const std::string& name : {signer, signer.substr(0, signer.find('/')) + "/*"}) {
    CO_TRY(const Decision decision, co_await authorizer_.authorize({.user = request.user,
                                                                    .verb = verb,
                                                                    .group = std::string(kGroup),
                                                                    .version = "v1",
                                                                    .resource = "signers",
                                                                    .name = name}));
    if (decision.allowed) co_return true;
  }
  co_return false;
}

Task<> CertificateAdmission::validate(const AdmissionRequest& request) {
  const api::Gvr& resource = request.kind->gvr;
  if (request.object == nullptr || resource.group != kGroup ||
      resource.resource != "certificatesigningrequests") {
    co_return Unit{};
  }
  const std::string signer(json::string_at(*request.object, {"spec", "signerName"}));
  if (request.operation == Operation::kCreate) co_return check_subject(request, signer);
  std::string verb;
  if (request.subresource == "approval") verb = "approve";
  if (request.subresource == "status" && changed(request, "certificate")) verb = "sign";
  if (verb.empty()) co_return Unit{};
  CO_TRY(const bool allowed, co_await may_use_signer(request, verb, signer));
  if (allowed) co_return Unit{};
  co_return admission_refused(
      request,
      fmt::format("user not permitted to {} requests with signerName \"{}\"", verb, signer));
}

}  // namespace atl::apiserver
