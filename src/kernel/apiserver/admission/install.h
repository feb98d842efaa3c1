#pragma once

#include "base/async/timer.h"
#include "base/core/rng.h"
#include "kernel/apiserver/admission/kinds/service.h"
#include "kernel/apiserver/admission/resource_quota.h"
#include "kernel/apiserver/auth/rbac_authorizer.h"
#include "kernel/apiserver/contract/admission.h"
#include "kernel/apiserver/contract/hooks.h"
#include "kernel/apiserver/contract/reader.h"

// What main() needs of this folder.
namespace atl::apiserver {

struct AdmissionParts {
  Reader& reader;
  Timer& timer;
  Rng& rng;
  Authorizer& authorizer;
  const RbacAuthorizer& rbac;
};

// All steps in their order. Everything in `parts` must outlive the chain. The answer points to the
// quota step inside of it, which QuotaReporter displays.
ResourceQuotaAdmission& add_admission(AdmissionChain& chain, const AdmissionParts& parts);

// The hooks of built-in kinds. Call after the watch cache is loaded: the address pools start from
// what it holds.
void add_kind_hooks(HookTable& hooks, Reader& reader, Rng& rng, const ServiceSettings& services);

}  // namespace atl::apiserver
