#include "kernel/apiserver/contract/admission.h"

#include <fmt/format.h>

namespace atl::apiserver {

std::string_view name(Operation operation) {
  switch (operation) {
    case Operation::kCreate:
      return "CREATE";
    case Operation::kUpdate:
      return "UPDATE";
    case Operation::kDelete:
      return "DELETE";
    case Operation::kConnect:
      return "CONNECT";
  }
  return {};
}

Task<> Admission::mutate(AdmissionRequest&) {
  co_return Unit{};
}
Task<> Admission::validate(const AdmissionRequest&) {
  co_return Unit{};
}
void Admission::finished(const AdmissionRequest&, bool) {}

Error admission_refused(const AdmissionRequest& request, std::string_view why) {
  std::string_view name = request.name;
  if (name.empty() && request.object) name = json::string_at(*request.object, {"metadata", "name"});
  if (name.empty() && request.object) {
    name = json::string_at(*request.object, {"metadata", "generateName"});
  }
  return Error(Code::kForbidden, fmt::format("{} \"{}\" is forbidden: {}",
                                             request.kind->gvr.group_resource(), name, why));
}

Task<> AdmissionChain::mutate(AdmissionRequest& request) const {
  for (const auto& step : steps_) CO_TRY_OK(co_await step->mutate(request));
  co_return Unit{};
}

Task<> AdmissionChain::validate(const AdmissionRequest& request) const {
  for (size_t i = 0; i < steps_.size(); ++i) {
    auto agreed = co_await steps_[i]->validate(request);
    if (agreed) continue;
    // The steps before may hold something for this write.
    for (size_t j = 0; j < i; ++j) steps_[j]->finished(request, false);
    co_return std::move(agreed).error();
  }
  co_return Unit{};
}

void AdmissionChain::finished(const AdmissionRequest& request, bool stored) const {
  for (const auto& step : steps_) step->finished(request, stored);
}

}  // namespace atl::apiserver
