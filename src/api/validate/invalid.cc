#include <fmt/format.h>

#include <set>

#include "api/validate/findings.h"
#include "api/validate/validate.h"

namespace atl::api {

Error invalid(const Gvk& gvk, std::string_view name, Findings findings) {
  std::string list;
  std::set<std::string> seen;
  for (const Cause& finding : findings) {
    // Without a field: "<nil>", as Go prints a path that is not there.
    std::string text =
        fmt::format("{}: {}", finding.field.empty() ? "<nil>" : finding.field, finding.message);
    if (!seen.insert(text).second) continue;
    if (!list.empty()) list += ", ";
    list += text;
  }
  if (seen.size() > 1) list = "[" + list + "]";
  std::string message = fmt::format("{}{}{} {} is invalid", gvk.kind, gvk.group.empty() ? "" : ".",
                                    gvk.group, quoted(name));
  if (!list.empty()) message += ": " + list;
  Error error(Code::kInvalid, std::move(message));
  for (Cause& finding : findings) error = std::move(error).with_cause(std::move(finding));
  return error;
}

}  // namespace atl::api
