#include "kernel/apiserver/subresources/subresources.h"

#include "kernel/apiserver/subresources/pod_binding.h"
#include "kernel/apiserver/subresources/pod_eviction.h"

namespace atl::apiserver {

void add_subresources(HookTable& hooks) {
  hooks.add("", "pods", "binding", std::make_unique<PodBindingHook>());
  hooks.add("", "bindings", "", std::make_unique<PodBindingHook>());
  hooks.add("", "pods", "eviction", std::make_unique<PodEvictionHook>());
  hooks.add_part("", "namespaces", "finalize", {"spec", "finalizers"});
  hooks.add_part("", "pods", "ephemeralcontainers", {"spec", "ephemeralContainers"});
  hooks.add_part("", "pods", "resize", {"spec", "containers"});
  hooks.add_part("certificates.k8s.io", "certificatesigningrequests", "approval",
                 {"status", "conditions"});
}

}  // namespace atl::apiserver
