#pragma once

#include "kernel/apiserver/contract/hooks.h"

// Deployments, ReplicaSets, StatefulSets, DaemonSets, ReplicationControllers and PodTemplates: the
// defaults of their strategies, and the rules between selector, template and strategy. No state.
namespace atl::apiserver {

class DeploymentHook final : public KindHook {
 public:
  std::string_view name() const override { return "deployment.rules"; }
  Result<> prepare(WriteContext& write) const override;
  api::Findings validate(const WriteContext& write) const override;
};

class ReplicaSetHook final : public KindHook {
 public:
  std::string_view name() const override { return "replicaset.rules"; }
  Result<> prepare(WriteContext& write) const override;
  api::Findings validate(const WriteContext& write) const override;
};

class StatefulSetHook final : public KindHook {
 public:
  std::string_view name() const override { return "statefulset.rules"; }
  Result<> prepare(WriteContext& write) const override;
  api::Findings validate(const WriteContext& write) const override;
};

class DaemonSetHook final : public KindHook {
 public:
  std::string_view name() const override { return "daemonset.rules"; }
  Result<> prepare(WriteContext& write) const override;
  api::Findings validate(const WriteContext& write) const override;
};

// Its selector is a plain map and, where missing, the labels of its template.
class ReplicationControllerHook final : public KindHook {
 public:
  std::string_view name() const override { return "replicationcontroller.rules"; }
  Result<> prepare(WriteContext& write) const override;
  api::Findings validate(const WriteContext& write) const override;
};

class PodTemplateHook final : public KindHook {
 public:
  std::string_view name() const override { return "podtemplate.defaults"; }
  Result<> prepare(WriteContext& write) const override;
};

}  // namespace atl::apiserver
