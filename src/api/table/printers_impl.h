#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/core/clock.h"
#include "base/text/json.h"

// Inside api/table: the functions that compute a cell. Their names stand in kinds/*.json.
namespace atl::api::printers {

inline constexpr std::string_view kNone = "<none>";
inline constexpr std::string_view kUnknown = "<unknown>";
inline constexpr std::string_view kUnset = "<unset>";

using Function = json::Value (*)(const json::Value& document, WallTime now);
struct Printer {
  std::string_view name;  // "pod.status"
  Function function;
};

// By group; sorted out in printers.cc.
std::span<const Printer> common_printers();  // age, containers, images, selector
std::span<const Printer> pod_printers();
std::span<const Printer> workload_printers();  // apps, batch, autoscaling, policy
std::span<const Printer> network_printers();   // services, ingresses, endpoints, policies
std::span<const Printer> cluster_printers();   // nodes, events, quotas, components
std::span<const Printer> policy_printers();  // certificates, RBAC, admission, flow control, devices
std::span<const Printer> volume_printers();  // volumes and claims
std::span<const Printer> storage_printers();  // classes, attachments, CSI

Function find(std::string_view name);  // null where unknown

// Helpers of all of them.
json::Value text(std::string_view value);                                 // a JSON string
json::Value text_or(std::string_view value, std::string_view otherwise);  // `otherwise` where empty
std::string joined(const json::Array& strings, std::string_view separator = ",");
std::string number_text(const json::Value* value,
                        std::string_view otherwise);           // any scalar as text
std::string age_of(std::string_view timestamp, WallTime now);  // "<unknown>" where not a time
// "a,b,c + 2 more..." of at most `max` pieces.
std::string limited(std::span<const std::string> pieces, size_t max,
                    std::string_view separator = ",");
std::string labels_text(const json::Object& map);  // "<none>" where empty
std::string selector_text(
    const json::Value* selector);  // of a LabelSelector; "<none>" where it selects all
std::string lower(std::string_view text);
// The item of conditions with that type, null where missing.
const json::Value* condition(const json::Value& document, std::string_view type);

}  // namespace atl::api::printers
