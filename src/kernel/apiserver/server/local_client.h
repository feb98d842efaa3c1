#pragma once

#include <memory>
#include <string>

#include "api/client/client.h"
#include "kernel/apiserver/contract/authorizer.h"
#include "kernel/apiserver/contract/hooks.h"
#include "kernel/apiserver/registry/registry.h"

namespace atl::apiserver {

// api::Client without a network: routing, authorization and the registry as every request meets
// them, and objects handed over as the shared bytes of the cache. References outlive the client.
struct LocalClientOptions {
  Registry& registry;
  const api::KindSet& kinds;
  const HookTable& hooks;
  Authorizer& authorizer;
  UserPtr user;
  std::string manager;
};
std::unique_ptr<api::Client> make_local_client(LocalClientOptions options);

}  // namespace atl::apiserver
