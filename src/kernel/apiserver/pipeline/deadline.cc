#include "kernel/apiserver/pipeline/deadline.h"

namespace atl::apiserver {
namespace {

// Go's duration text: numbers with units, "1m30s", "1.5h", "0".
bool is_duration(std::string_view text) {
  if (text.starts_with('+')) text.remove_prefix(1);
  if (text == "0") return true;
  static constexpr std::string_view kUnits[] = {"ns", "us", "ms", "s", "m", "h"};
  while (!text.empty()) {
    const size_t digits = text.find_first_not_of("0123456789.");
    if (digits == 0 || digits == std::string_view::npos) return false;
    text.remove_prefix(digits);
    bool known = false;
    for (const std::string_view unit : kUnits) {
      if (!text.starts_with(unit)) continue;
      text.remove_prefix(unit.size());
      known = true;
      break;
    }
    if (!known) return false;
  }
  return true;
}

}  // namespace

Result<> check_timeout(const net::Query& query) {
  const std::string_view text = query.get("timeout");
  if (text.empty() || is_duration(text)) return Unit{};
  return Error(Code::kBadRequest, "invalid timeout specified in the request URL");
}

}  // namespace atl::apiserver
