#pragma once

#include "api/object/names.h"

// The collections that controllers read and write.
namespace atl::controllers {

inline const api::Gvr kPods{"", "v1", "pods"};
inline const api::Gvr kNodes{"", "v1", "nodes"};
inline const api::Gvr kServices{"", "v1", "services"};
inline const api::Gvr kEndpoints{"", "v1", "endpoints"};
inline const api::Gvr kConfigMaps{"", "v1", "configmaps"};
inline const api::Gvr kSecrets{"", "v1", "secrets"};
inline const api::Gvr kNamespaces{"", "v1", "namespaces"};
inline const api::Gvr kServiceAccounts{"", "v1", "serviceaccounts"};
inline const api::Gvr kDeployments{"apps", "v1", "deployments"};
inline const api::Gvr kReplicaSets{"apps", "v1", "replicasets"};
inline const api::Gvr kStatefulSets{"apps", "v1", "statefulsets"};
inline const api::Gvr kDaemonSets{"apps", "v1", "daemonsets"};
inline const api::Gvr kControllerRevisions{"apps", "v1", "controllerrevisions"};
inline const api::Gvr kJobs{"batch", "v1", "jobs"};
inline const api::Gvr kEndpointSlices{"discovery.k8s.io", "v1", "endpointslices"};
inline const api::Gvr kLeases{"coordination.k8s.io", "v1", "leases"};
inline const api::Gvr kClusterRoles{"rbac.authorization.k8s.io", "v1", "clusterroles"};
inline const api::Gvr kPodDisruptionBudgets{"policy", "v1", "poddisruptionbudgets"};
inline const api::Gvr kReplicationControllers{"", "v1", "replicationcontrollers"};
inline const api::Gvr kPersistentVolumes{"", "v1", "persistentvolumes"};
inline const api::Gvr kPersistentVolumeClaims{"", "v1", "persistentvolumeclaims"};

}  // namespace atl::controllers
