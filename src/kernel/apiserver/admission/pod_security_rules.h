#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/text/json.h"

// The Pod Security Standards (baseline and restricted, as of Kubernetes 1.36): what a pod breaks,
// in the words of upstream. Pure functions over a pod's metadata and spec.
namespace atl::apiserver {

enum class SecurityLevel : uint8_t { kPrivileged, kBaseline, kRestricted };

// "host namespaces (hostNetwork=true), privileged (container \"a\" must not ...)"; empty: nothing.
std::string security_violations(SecurityLevel level, const json::Value& metadata,
                                const json::Value& spec);

// One broken rule.
struct SecurityFinding {
  std::string reason;
  std::string detail;
};
using SecurityFindings = std::vector<SecurityFinding>;
// `restricted`: leave out the rules for which the restricted level has stricter ones.
void check_baseline(const json::Value& metadata, const json::Value& spec, bool restricted,
                    SecurityFindings& out);
void check_restricted(const json::Value& spec, SecurityFindings& out);

// Pieces of the messages.
std::string quoted_list(const std::vector<std::string>& items);  // "a", "b"
std::string containers_text(
    const std::vector<std::string>& names);  // container "a" / containers "a", "b"
// "pod and containers \"a\"" of those whose securityContext says something.
std::string setters_text(bool pod, const std::vector<std::string>& containers);
// Names of the containers for which `bad` is true.
template <class F>
std::vector<std::string> containers_where(const json::Value& spec, F bad) {
  std::vector<std::string> out;
  for (const std::string_view list : {"initContainers", "containers", "ephemeralContainers"}) {
    for (const json::Value& container : json::array_at(spec, {list})) {
      if (bad(container)) out.emplace_back(json::string_at(container, {"name"}));
    }
  }
  return out;
}

}  // namespace atl::apiserver
