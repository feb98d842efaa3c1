#pragma once

#include "kernel/apiserver/contract/hooks.h"

// Kinds around the cluster itself. No state.
namespace atl::apiserver {

// Namespaces: the label with their own name, the finalizer "kubernetes" that holds a deletion until
// the namespace controller has emptied it, the phase.
class NamespaceHook final : public KindHook {
 public:
  std::string_view name() const override { return "namespace.lifecycle"; }
  Result<> prepare(WriteContext& write) const override;
  bool holds_deletion(json::Value& object) const override;
};

// Nodes register with their status.
class NodeHook final : public KindHook {
 public:
  std::string_view name() const override { return "node.rules"; }
  bool keeps_status_on_create() const override { return true; }
  api::Findings validate(const WriteContext& write) const override;
};

// Leases are renewed by writing; durations are positive.
class LeaseHook final : public KindHook {
 public:
  std::string_view name() const override { return "lease.rules"; }
  api::Findings validate(const WriteContext& write) const override;
};

// PriorityClasses: the value never changes, user classes stay below a billion, system- is reserved.
class PriorityClassHook final : public KindHook {
 public:
  std::string_view name() const override { return "priorityclass.rules"; }
  api::Findings validate(const WriteContext& write) const override;
};

// Certificate signing requests say who asked, and never change what they ask for.
class CertificateRequestHook final : public KindHook {
 public:
  std::string_view name() const override { return "certificatesigningrequest.rules"; }
  Result<> prepare(WriteContext& write) const override;
  api::Findings validate(const WriteContext& write) const override;
};

}  // namespace atl::apiserver
