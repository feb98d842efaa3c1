#pragma once

#include "kernel/apiserver/contract/hooks.h"

namespace atl::apiserver {

// The subresources of built-in kinds that need nothing but the registry: pods/binding, bindings,
// pods/eviction, and the parts (namespaces/finalize, pods/ephemeralcontainers, pods/resize,
// certificatesigningrequests/approval). Added by ApiServer.
void add_subresources(HookTable& hooks);

}  // namespace atl::apiserver
