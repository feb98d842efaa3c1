#include "kernel/apiserver/admission/kinds/storage.h"

#include "base/text/quantity.h"
#include "kernel/apiserver/contract/findings.h"

namespace atl::apiserver {
namespace {

constexpr std::string_view kStorage = "storage";

std::optional<Quantity> storage_of(const json::Value& claim) {
  auto amount =
      Quantity::parse(json::string_at(claim, {"spec", "resources", "requests", kStorage}));
  if (!amount) return std::nullopt;
  return *amount;
}

// What is left to compare once the mutable parts are put aside.
json::Value frozen(const json::Value& claim) {
  json::Value spec = json::object_at(claim, {"spec"});
  json::erase(spec, {"resources", "requests"});
  json::erase(spec, {"volumeAttributesClassName"});
  return spec;
}

}  // namespace

Result<> ClaimHook::prepare(WriteContext& write) const {
  if (write.old == nullptr) json::set(*write.object, {"status", "phase"}, "Pending");
  return Unit{};
}

api::Findings ClaimHook::validate(const WriteContext& write) const {
  if (!write.subresource.empty()) return {};
  const json::Value& claim = *write.object;
  api::Findings out;
  if (json::array_at(claim, {"spec", "accessModes"}).empty()) {
    out.push_back(required_value("spec.accessModes", "at least 1 access mode is required"));
  }
  const std::string path = "spec.resources[storage]";
  const json::Value* size = json::find(claim, {"spec", "resources", "requests", kStorage});
  const auto amount = storage_of(claim);
  if (size == nullptr)
    out.push_back(required_value(path));
  else if (!amount || amount->negative() || amount->zero())
    out.push_back(invalid_value(path, *size, "must be greater than zero"));
  if (write.old == nullptr) return out;
  json::Value before = frozen(*write.old);
  json::Value now = frozen(claim);
  if (json::string_at(before, {"volumeName"}).empty()) {  // binding
    json::erase(before, {"volumeName"});
    json::erase(now, {"volumeName"});
  }
  if (json::find(before, {"storageClassName"}) == nullptr)
    json::erase(now, {"storageClassName"});  // the default, given later
  if (!json::equal(now, before)) {
    out.push_back(forbidden_value("spec",
                                  "spec is immutable after creation except resources.requests and "
                                  "volumeAttributesClassName for bound claims"));
  }
  const auto old_amount = storage_of(*write.old);
  if (amount && old_amount && *amount < *old_amount) {
    out.push_back(forbidden_value("spec.resources.requests.storage",
                                  "field can not be less than previous value"));
  }
  return out;
}

Result<> VolumeHook::prepare(WriteContext& write) const {
  if (write.old == nullptr) json::set(*write.object, {"status", "phase"}, "Pending");
  return Unit{};
}

api::Findings StorageClassHook::validate(const WriteContext& write) const {
  api::Findings out;
  if (write.old == nullptr) return out;
  for (const std::string_view field :
       {"parameters", "provisioner", "reclaimPolicy", "volumeBindingMode"}) {
    const json::Value none;
    const json::Value* now = json::find(*write.object, {field});
    const json::Value* before = json::find(*write.old, {field});
    if (json::equal(now != nullptr ? *now : none, before != nullptr ? *before : none)) continue;
    out.push_back(forbidden_value(std::string(field),
                                  "updates to " + std::string(field) + " are forbidden."));
  }
  return out;
}

}  // namespace atl::apiserver
