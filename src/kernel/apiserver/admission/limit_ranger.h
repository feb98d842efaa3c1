#pragma once

#include "kernel/apiserver/contract/admission.h"
#include "kernel/apiserver/contract/reader.h"

namespace atl::apiserver {

// Gives containers the default requests and limits of their namespace's LimitRanges, and holds
// containers, pods and claims to minimum, maximum and ratio.
class LimitRanger final : public Admission {
 public:
  explicit LimitRanger(const Reader& reader) : reader_(reader) {}
  std::string_view name() const override { return "LimitRanger"; }
  Task<> mutate(AdmissionRequest& request) override;
  Task<> validate(const AdmissionRequest& request) override;

 private:
  std::vector<json::Value> items(std::string_view ns) const;  // of all LimitRanges
  const Reader& reader_;
};

}  // namespace atl::apiserver
