#pragma once

#include "kernel/apiserver/contract/admission.h"

namespace atl::apiserver {

// Tells whoever creates an object that this server keeps but does not act upon: a Warning header
// says what does not happen. A rule that nobody enforces must not look like one. The table in
// stored_only.cc is the one place that says which kinds these are; docs/kubernetes.md is its page.
class StoredOnlyNotice final : public Admission {
 public:
  std::string_view name() const override { return "StoredOnlyNotice"; }
  Task<> mutate(AdmissionRequest& request) override;
};

}  // namespace atl::apiserver
