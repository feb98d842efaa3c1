#include "api/object/names.h"

namespace atl::api {

Result<GroupVersion> parse_group_version(std::string_view text) {
  const size_t slash = text.find('/');
  if (slash == std::string_view::npos) {
    if (text.empty()) return Error(Code::kBadRequest, "apiVersion is empty");
    return GroupVersion{"", std::string(text)};
  }
  const std::string_view version = text.substr(slash + 1);
  if (slash == 0 || version.empty() || version.find('/') != std::string_view::npos) {
    return Error(Code::kBadRequest, "unexpected GroupVersion string: " + std::string(text));
  }
  return GroupVersion{std::string(text.substr(0, slash)), std::string(version)};
}

}  // namespace atl::api
