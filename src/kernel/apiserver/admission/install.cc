#include "kernel/apiserver/admission/install.h"

#include "kernel/apiserver/admission/certificates.h"
#include "kernel/apiserver/admission/defaults.h"
#include "kernel/apiserver/admission/kinds/cluster.h"
#include "kernel/apiserver/admission/kinds/config.h"
#include "kernel/apiserver/admission/kinds/endpoints.h"
#include "kernel/apiserver/admission/kinds/jobs.h"
#include "kernel/apiserver/admission/kinds/network.h"
#include "kernel/apiserver/admission/kinds/pod.h"
#include "kernel/apiserver/admission/kinds/policy.h"
#include "kernel/apiserver/admission/kinds/rbac.h"
#include "kernel/apiserver/admission/kinds/storage.h"
#include "kernel/apiserver/admission/kinds/workloads.h"
#include "kernel/apiserver/admission/limit_ranger.h"
#include "kernel/apiserver/admission/namespace_lifecycle.h"
#include "kernel/apiserver/admission/node_restriction.h"
#include "kernel/apiserver/admission/pod_security.h"
#include "kernel/apiserver/admission/priority.h"
#include "kernel/apiserver/admission/rbac_escalation.h"
#include "kernel/apiserver/admission/service_account.h"
#include "kernel/apiserver/admission/stored_only.h"
#include "kernel/apiserver/admission/tolerations.h"

namespace atl::apiserver {

ResourceQuotaAdmission& add_admission(AdmissionChain& chain, const AdmissionParts& parts) {
  chain.add(std::make_unique<NamespaceLifecycle>(parts.reader));
  chain.add(std::make_unique<PodDefaults>());
  chain.add(std::make_unique<LimitRanger>(parts.reader));
  chain.add(std::make_unique<ServiceAccountAdmission>(parts.reader, parts.timer, parts.rng));
  chain.add(std::make_unique<NodeRestriction>(parts.reader));
  chain.add(std::make_unique<TaintNodesByCondition>());
  chain.add(std::make_unique<PriorityAdmission>(parts.reader));
  chain.add(std::make_unique<DefaultTolerationSeconds>());
  chain.add(std::make_unique<DefaultClass>(parts.reader, DefaultClass::storage()));
  chain.add(std::make_unique<StorageObjectInUseProtection>());
  chain.add(std::make_unique<RuntimeClassAdmission>(parts.reader));
  chain.add(std::make_unique<CertificateAdmission>(parts.authorizer));
  chain.add(std::make_unique<DefaultClass>(parts.reader, DefaultClass::ingress()));
  chain.add(std::make_unique<RbacEscalation>(parts.rbac, parts.authorizer));
  chain.add(std::make_unique<StoredOnlyNotice>());
  // After everything that changes pods.
  chain.add(std::make_unique<PodSecurity>(parts.reader));
  auto quota = std::make_unique<ResourceQuotaAdmission>(parts.reader);
  ResourceQuotaAdmission& out = *quota;
  chain.add(std::move(quota));
  return out;
}

void add_kind_hooks(HookTable& hooks, Reader& reader, Rng& rng, const ServiceSettings& services) {
  hooks.add("", "pods", std::make_unique<PodHook>());
  hooks.add("", "services", std::make_unique<ServiceHook>(reader, rng, services));
  hooks.add("", "endpoints", std::make_unique<EndpointsHook>());
  hooks.add("discovery.k8s.io", "endpointslices", std::make_unique<EndpointSliceHook>());
  hooks.add("", "secrets", std::make_unique<SecretHook>());
  hooks.add("", "configmaps", std::make_unique<ConfigMapHook>());
  hooks.add("", "namespaces", std::make_unique<NamespaceHook>());
  hooks.add("", "nodes", std::make_unique<NodeHook>());
  hooks.add("", "limitranges", std::make_unique<LimitRangeHook>());
  hooks.add("", "resourcequotas", std::make_unique<ResourceQuotaHook>());
  hooks.add("", "persistentvolumeclaims", std::make_unique<ClaimHook>());
  hooks.add("", "persistentvolumes", std::make_unique<VolumeHook>());
  hooks.add("", "replicationcontrollers", std::make_unique<ReplicationControllerHook>());
  hooks.add("", "podtemplates", std::make_unique<PodTemplateHook>());
  hooks.add("apps", "deployments", std::make_unique<DeploymentHook>());
  hooks.add("apps", "replicasets", std::make_unique<ReplicaSetHook>());
  hooks.add("apps", "statefulsets", std::make_unique<StatefulSetHook>());
  hooks.add("apps", "daemonsets", std::make_unique<DaemonSetHook>());
  hooks.add("batch", "jobs", std::make_unique<JobHook>());
  hooks.add("batch", "cronjobs", std::make_unique<CronJobHook>());
  hooks.add("networking.k8s.io", "ingresses", std::make_unique<IngressHook>());
  hooks.add("policy", "poddisruptionbudgets", std::make_unique<DisruptionBudgetHook>());
  hooks.add("autoscaling", "horizontalpodautoscalers", std::make_unique<AutoscalerHook>());
  hooks.add("coordination.k8s.io", "leases", std::make_unique<LeaseHook>());
  hooks.add("scheduling.k8s.io", "priorityclasses", std::make_unique<PriorityClassHook>());
  hooks.add("storage.k8s.io", "storageclasses", std::make_unique<StorageClassHook>());
  hooks.add("certificates.k8s.io", "certificatesigningrequests",
            std::make_unique<CertificateRequestHook>());
  const std::string rbac = "rbac.authorization.k8s.io";
  for (const char* resource : {"roles", "clusterroles"})
    hooks.add(rbac, resource, std::make_unique<RoleHook>());
  for (const char* resource : {"rolebindings", "clusterrolebindings"}) {
    hooks.add(rbac, resource, std::make_unique<RoleBindingHook>());
  }
}

}  // namespace atl::apiserver
