#pragma once

#include <map>
#include <string>
#include <vector>

#include "api/controller/reconciler.h"
#include "kernel/controllers/deps.h"
#include "kernel/controllers/kind_source.h"

namespace atl::controllers {

// What a sweep through a namespace found.
struct NamespaceRemains {
  std::map<std::string, int64_t> by_resource;   // "pods" -> 3
  std::map<std::string, int64_t> by_finalizer;  // "example.com/hold" -> 1
  std::vector<std::string> errors;
  bool empty() const { return by_resource.empty() && errors.empty(); }
};

// The conditions of a namespace on its way out, in the words that people know. Pure. True if
// something changed.
bool set_namespace_conditions(json::Array& conditions, const NamespaceRemains& remains,
                              WallTime now);

// Empties a namespace that is being deleted, pods first, then every kind that discovery names,
// custom ones included; then gives up its finalizer "kubernetes", and the namespace goes. Watches
// Namespace, Pod (so that the last pod's end is noticed at once). Writes: deletes everything
// inside, Namespace.status, namespaces/finalize.
class NamespaceController final : public api::Reconciler {
 public:
  NamespaceController(Deps deps, const KindSource& kinds);
  std::string_view name() const override { return "namespace-controller"; }
  std::vector<api::Informer*> inputs() override;
  void watch(api::WorkQueue& queue) override;
  Task<api::Outcome> reconcile(api::ObjectKey key) override;

 private:
  Task<NamespaceRemains> sweep(std::string ns);
  Async<void> sweep_one(Collection what, std::string ns, NamespaceRemains* remains);
  Task<> finalize(api::ObjectPtr space);
  Task<> write_conditions(api::ObjectPtr space, NamespaceRemains remains);

  Deps deps_;
  const KindSource& kinds_;
  api::Informer& namespaces_;
  api::Informer& pods_;
  std::map<std::string, int> sweeps_;  // in vain, by namespace: they come ever more slowly
};

}  // namespace atl::controllers
