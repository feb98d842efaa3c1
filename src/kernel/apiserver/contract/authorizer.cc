#include "kernel/apiserver/contract/authorizer.h"

#include <fmt/format.h>

namespace atl::apiserver {

Task<Decision> AllowAll::authorize(Attributes) {
  co_return Decision{.allowed = true, .reason = "everybody may do everything here"};
}

Error forbidden(const Attributes& a, std::string_view reason) {
  std::string text;
  if (!a.is_resource) {
    text =
        fmt::format("forbidden: User \"{}\" cannot {} path \"{}\"", a.user->name, a.verb, a.path);
  } else {
    const std::string resource =
        a.subresource.empty() ? a.resource : a.resource + "/" + a.subresource;
    const std::string group_resource = api::Gvr{a.group, a.version, a.resource}.group_resource();
    text = a.name.empty() ? group_resource + " is forbidden: "
                          : fmt::format("{} \"{}\" is forbidden: ", group_resource, a.name);
    text += fmt::format("User \"{}\" cannot {} resource \"{}\" in API group \"{}\"", a.user->name,
                        a.verb, resource, a.group);
    text += a.ns.empty() ? " at the cluster scope" : fmt::format(" in the namespace \"{}\"", a.ns);
  }
  if (!reason.empty()) text += fmt::format(": {}", reason);
  return Error(Code::kForbidden, std::move(text));
}

}  // namespace atl::apiserver
