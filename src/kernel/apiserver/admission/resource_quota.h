#pragma once

#include <map>
#include <string>
#include <vector>

#include "kernel/apiserver/admission/quota_ledger.h"
#include "kernel/apiserver/contract/admission.h"

namespace atl::apiserver {

// Refuses what would exceed a ResourceQuota of the namespace. Counted are the stored objects and
// the writes under way, in one place and without waiting, so that no two requests share the last
// unit. (status.used of the quotas is written by QuotaReporter; nothing here depends on it.) Last
// of all steps, because whatever refuses after it would leave its claim until finished().
class ResourceQuotaAdmission final : public Admission {
 public:
  explicit ResourceQuotaAdmission(Reader& reader) : reader_(reader), ledger_(reader) {}
  std::string_view name() const override { return "ResourceQuota"; }
  Task<> validate(const AdmissionRequest& request) override;
  void finished(const AdmissionRequest& request, bool stored) override;

  // For QuotaReporter: what is used of each key of spec.hard.
  ResourceAmounts used(const json::Value& quota);
  QuotaLedger& ledger() { return ledger_; }

 private:
  // A claim of a request under way.
  struct Claim {
    std::string ns, group, resource, name;
    QuotaRecord record;
    bool creates = false;
  };
  Result<> check(const AdmissionRequest& request, const json::Value& quota,
                 const ResourceAmounts& delta);

  Reader& reader_;
  QuotaLedger ledger_;
  std::vector<Claim> claims_;
};

}  // namespace atl::apiserver
