#pragma once

#include "base/async/event.h"
#include "base/async/timer.h"
#include "base/core/rng.h"
#include "kernel/apiserver/contract/admission.h"
#include "kernel/apiserver/contract/reader.h"

namespace atl::apiserver {

// Gives each new pod its account ("default" where it names none), the account's pull secrets, and,
// unless pod or account decline, the volume with token, authority and namespace at
// /var/run/secrets/kubernetes.io/serviceaccount. An account that does not exist is refused; the
// default account of a fresh namespace is waited for, up to one second, because its controller may
// only just be making it. Mirror pods may use neither accounts nor secrets.
class ServiceAccountAdmission final : public Admission {
 public:
  ServiceAccountAdmission(Reader& reader, Timer& timer, Rng& rng);
  std::string_view name() const override { return "ServiceAccount"; }
  Task<> mutate(AdmissionRequest& request) override;
  Task<> validate(const AdmissionRequest& request) override;

 private:
  Task<api::ObjectPtr> account_of(const AdmissionRequest& request, std::string name);

  Reader& reader_;
  Timer& timer_;
  Rng& rng_;
  Event accounts_changed_;
  std::shared_ptr<void> listener_;
};

}  // namespace atl::apiserver
