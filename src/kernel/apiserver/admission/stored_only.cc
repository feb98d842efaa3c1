#include "kernel/apiserver/admission/stored_only.h"

#include <fmt/format.h>

#include <algorithm>

namespace atl::apiserver {
namespace {

// Where `field` of `holder` is named, only objects that have it are meant.
struct Notice {
  std::string_view group, resource;
  std::string_view holder, field;
  std::string_view what;
};

constexpr std::string_view kAdmission = "admissionregistration.k8s.io";
constexpr std::string_view kNetworking = "networking.k8s.io";
constexpr std::string_view kStorage = "storage.k8s.io";
constexpr std::string_view kDevices = "resource.k8s.io";
constexpr std::string_view kFlow = "flowcontrol.apiserver.k8s.io";
constexpr std::string_view kNoDevices = "no devices are allocated to pods";
constexpr std::string_view kNoPolicy = "the policy is not evaluated, and nothing is refused by it";
constexpr std::string_view kNoWebhook = "the webhooks are not called";
constexpr std::string_view kNoDriver = "no volume drivers are run";
constexpr std::string_view kNoFlow = "every caller has the same share of the API's places";
constexpr std::string_view kNoVolume =
    "no volumes are provisioned or bound, and pods that mount the claim do not start";

constexpr Notice kNotices[] = {
    {kAdmission, "mutatingwebhookconfigurations", "", "", kNoWebhook},
    {kAdmission, "validatingwebhookconfigurations", "", "", kNoWebhook},
    {kAdmission, "mutatingadmissionpolicies", "", "", kNoPolicy},
    {kAdmission, "mutatingadmissionpolicybindings", "", "", kNoPolicy},
    {kAdmission, "validatingadmissionpolicies", "", "", kNoPolicy},
    {kAdmission, "validatingadmissionpolicybindings", "", "", kNoPolicy},
    {kNetworking, "networkpolicies", "", "", "traffic is not restricted by it"},
    {kNetworking, "ipaddresses", "", "", "no addresses are taken by it"},
    {kNetworking, "servicecidrs", "", "", "Services take their addresses from SERVICE_CIDR alone"},
    {"apiregistration.k8s.io", "apiservices", "spec", "service",
     "requests for the group are not passed on to the service"},
    {"node.k8s.io", "runtimeclasses", "", "",
     "its overhead is counted, but pods run under the one runtime of the node, whatever the "
     "handler says"},
    {"autoscaling", "horizontalpodautoscalers", "", "", "the number of replicas is not changed"},
    {"batch", "cronjobs", "", "", "no Jobs are started by it"},
    {"", "replicationcontrollers", "", "", "no pods are started by it; a Deployment is"},
    {"", "persistentvolumeclaims", "", "", kNoVolume},
    {"", "persistentvolumes", "", "", "it is not bound to any claim"},
    {"apps", "statefulsets", "spec", "volumeClaimTemplates", kNoVolume},
    {"certificates.k8s.io", "certificatesigningrequests", "", "",
     "it can be approved, but no certificate is issued"},
    {kStorage, "storageclasses", "", "", "no volumes are provisioned by it"},
    {kStorage, "csidrivers", "", "", kNoDriver},
    {kStorage, "csinodes", "", "", kNoDriver},
    {kStorage, "csistoragecapacities", "", "", kNoDriver},
    {kStorage, "volumeattachments", "", "", kNoDriver},
    {kStorage, "volumeattributesclasses", "", "", kNoDriver},
    {kDevices, "deviceclasses", "", "", kNoDevices},
    {kDevices, "resourceclaims", "", "", kNoDevices},
    {kDevices, "resourceclaimtemplates", "", "", kNoDevices},
    {kDevices, "resourceslices", "", "", kNoDevices},
    {kFlow, "flowschemas", "", "", kNoFlow},
    {kFlow, "prioritylevelconfigurations", "", "", kNoFlow},
};

bool has_field(const json::Value& object, const Notice& notice) {
  if (notice.field.empty()) return true;
  const json::Value* value = json::find(object, {notice.holder, notice.field});
  if (!value || value->is_null()) return false;
  return !value->is_array() || !value->get_array().empty();
}

constexpr std::string_view kRules = "x-kubernetes-validations";

bool has_rules(const json::Value& schema) {
  if (schema.is_array()) return std::ranges::any_of(schema.get_array(), has_rules);
  if (!schema.is_object()) return false;
  return std::ranges::any_of(schema.get_object(), [](const auto& field) {
    return field.key() == kRules || has_rules(field.value());
  });
}

}  // namespace

Task<> StoredOnlyNotice::mutate(AdmissionRequest& request) {
  if (request.operation != Operation::kCreate || !request.subresource.empty() || !request.object)
    co_return Unit{};
  const api::Gvr& gvr = request.kind->gvr;
  if (gvr.resource == "customresourcedefinitions" && gvr.group == "apiextensions.k8s.io" &&
      has_rules(*request.object)) {
    request.warnings.push_back(fmt::format(
        "rules in {} are stored, but not evaluated by this server yet: objects that break them are "
        "accepted",
        kRules));
  }
  for (const Notice& notice : kNotices) {
    if (notice.resource != gvr.resource || notice.group != gvr.group) continue;
    if (!has_field(*request.object, notice)) continue;
    const std::string part =
        notice.field.empty() ? "" : fmt::format(" {}.{}", notice.holder, notice.field);
    request.warnings.push_back(
        fmt::format("{}{} is stored, but not acted upon by this server yet: {}",
                    request.kind->gvk.kind, part, notice.what));
  }
  co_return Unit{};
}

}  // namespace atl::apiserver
