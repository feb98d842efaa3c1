#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <vector>

#include "api/table/printers_impl.h"

// Volumes, claims, classes, CSI.
namespace atl::api::printers {
namespace {

using json::array_at;
using json::bool_at;
using json::find;
using json::string_at;

std::string access_modes(const json::Array& modes) {
  constexpr std::pair<std::string_view, std::string_view> kShort[] = {{"ReadWriteOnce", "RWO"},
                                                                      {"ReadOnlyMany", "ROX"},
                                                                      {"ReadWriteMany", "RWX"},
                                                                      {"ReadWriteOncePod", "RWOP"}};
  std::vector<std::string_view> out;
  for (const auto& [mode, letters] : kShort) {
    if (std::find(modes.begin(), modes.end(), json::Value(mode)) != modes.end())
      out.push_back(letters);
  }
  return fmt::format("{}", fmt::join(out, ","));
}

json::Value phase(const json::Value& document, WallTime) {
  if (find(document, {"metadata", "deletionTimestamp"})) return text("Terminating");
  return text(string_at(document, {"status", "phase"}));
}

json::Value spec_or_unset(const json::Value& document, std::string_view member) {
  const json::Value* value = find(document, {"spec", member});
  return text(number_text(value, kUnset));
}

json::Value claim_of_volume(const json::Value& volume, WallTime) {
  if (!find(volume, {"spec", "claimRef"})) return text("");
  return text(fmt::format("{}/{}", string_at(volume, {"spec", "claimRef", "namespace"}),
                          string_at(volume, {"spec", "claimRef", "name"})));
}

bool is_bound(const json::Value& claim) {
  return !string_at(claim, {"spec", "volumeName"}).empty();
}

json::Value claim_capacity(const json::Value& claim, WallTime) {
  if (!is_bound(claim)) return text("");
  return text(number_text(find(claim, {"status", "capacity", "storage"}), "0"));
}

// The class of a claim, also where only the old annotation says it.
json::Value claim_class(const json::Value& claim, WallTime) {
  const std::string_view old =
      string_at(claim, {"metadata", "annotations", "volume.beta.kubernetes.io/storage-class"});
  return text(old.empty() ? string_at(claim, {"spec", "storageClassName"}) : old);
}

json::Value class_name(const json::Value& document, WallTime) {
  std::string name(string_at(document, {"metadata", "name"}));
  for (const std::string_view key : {"storageclass.kubernetes.io/is-default-class",
                                     "storageclass.beta.kubernetes.io/is-default-class"}) {
    if (string_at(document, {"metadata", "annotations", key}) == "true")
      return text(name + " (default)");
  }
  return text(name);
}

json::Value token_requests(const json::Value& driver, WallTime) {
  if (!find(driver, {"spec", "tokenRequests"})) return text(kUnset);
  std::vector<std::string_view> audiences;
  for (const json::Value& request : array_at(driver, {"spec", "tokenRequests"}))
    audiences.push_back(string_at(request, {"audience"}));
  return text(fmt::format("{}", fmt::join(audiences, ",")));
}

}  // namespace

std::span<const Printer> volume_printers() {
  static constexpr Printer kPrinters[] = {
      {"persistent_volume.capacity",
       [](const json::Value& d, WallTime) {
         return text(number_text(find(d, {"spec", "capacity", "storage"}), "0"));
       }},
      {"persistent_volume.access_modes",
       [](const json::Value& d, WallTime) {
         return text(access_modes(array_at(d, {"spec", "accessModes"})));
       }},
      {"persistent_volume.status", phase},
      {"persistent_volume.claim", claim_of_volume},
      {"persistent_volume.volumeattributesclass",
       [](const json::Value& d, WallTime) {
         return spec_or_unset(d, "volumeAttributesClassName");
       }},
      {"persistent_volume.volumemode",
       [](const json::Value& d, WallTime) { return spec_or_unset(d, "volumeMode"); }},
      {"persistent_volume_claim.status", phase},
      {"persistent_volume_claim.capacity", claim_capacity},
      {"persistent_volume_claim.access_modes",
       [](const json::Value& d, WallTime) {
         return text(is_bound(d) ? access_modes(array_at(d, {"status", "accessModes"})) : "");
       }},
      {"persistent_volume_claim.storageclass", claim_class},
      {"persistent_volume_claim.volumeattributesclass",
       [](const json::Value& d, WallTime) {
         return spec_or_unset(d, "volumeAttributesClassName");
       }},
      {"persistent_volume_claim.volumemode",
       [](const json::Value& d, WallTime) { return spec_or_unset(d, "volumeMode"); }},
  };
  return kPrinters;
}

std::span<const Printer> storage_printers() {
  static constexpr Printer kPrinters[] = {
      {"storage_class.name", class_name},
      {"storage_class.reclaimpolicy",
       [](const json::Value& d, WallTime) {
         return text(string_at(d, {"reclaimPolicy"}, "Delete"));
       }},
      {"storage_class.volumebindingmode",
       [](const json::Value& d, WallTime) {
         return text(string_at(d, {"volumeBindingMode"}, "Immediate"));
       }},
      {"storage_class.allowvolumeexpansion",
       [](const json::Value& d, WallTime) {
         return json::Value(bool_at(d, {"allowVolumeExpansion"}));
       }},
      {"volume_attributes_class.name",
       [](const json::Value& d, WallTime) { return text(string_at(d, {"metadata", "name"})); }},
      {"volume_attachment.pv",
       [](const json::Value& d, WallTime) {
         return text(string_at(d, {"spec", "source", "persistentVolumeName"}));
       }},
      {"volume_attachment.attached",
       [](const json::Value& d, WallTime) {
         return json::Value(bool_at(d, {"status", "attached"}));
       }},
      {"csi_node.drivers",
       [](const json::Value& d, WallTime) {
         return json::Value(array_at(d, {"spec", "drivers"}).size());
       }},
      {"csi_driver.tokenrequests", token_requests},
      {"csi_driver.requiresrepublish",
       [](const json::Value& d, WallTime) {
         return json::Value(bool_at(d, {"spec", "requiresRepublish"}));
       }},
      {"csi_driver.modes",
       [](const json::Value& d, WallTime) {
         return text_or(joined(array_at(d, {"spec", "volumeLifecycleModes"})), kNone);
       }},
      {"csi_storage_capacity.capacity",
       [](const json::Value& d, WallTime) {
         return text(number_text(find(d, {"capacity"}), kUnset));
       }},
  };
  return kPrinters;
}

}  // namespace atl::api::printers
