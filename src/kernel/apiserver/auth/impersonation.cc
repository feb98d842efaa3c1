#include "kernel/apiserver/auth/impersonation.h"

#include "base/net/http.h"
#include "kernel/apiserver/auth/service_account_name.h"

namespace atl::apiserver {
namespace {

constexpr std::string_view kUser = "impersonate-user";
constexpr std::string_view kUid = "impersonate-uid";
constexpr std::string_view kGroup = "impersonate-group";
constexpr std::string_view kExtra = "impersonate-extra-";
constexpr std::string_view kAuthenticationGroup = "authentication.k8s.io";

// One question to the authorizer for each part, in the order in which refusals are reported.
std::vector<Attributes> questions(const UserPtr& caller, const Impersonation& wanted) {
  std::vector<Attributes> out;
  const auto ask = [&](Attributes question) {
    question.user = caller;
    question.verb = "impersonate";
    out.push_back(std::move(question));
  };
  if (const auto account = parse_service_account_user(wanted.user)) {
    ask({.version = "v1", .resource = "serviceaccounts", .ns = account->ns, .name = account->name});
  } else {
    ask({.version = "v1", .resource = "users", .name = wanted.user});
  }
  for (const std::string& group : wanted.groups)
    ask({.version = "v1", .resource = "groups", .name = group});
  for (const auto& [key, values] : wanted.extra) {
    for (const std::string& value : values) {
      ask({.group = std::string(kAuthenticationGroup),
           .version = "v1",
           .resource = "userextras",
           .subresource = key,
           .name = value});
    }
  }
  if (!wanted.uid.empty()) {
    ask({.group = std::string(kAuthenticationGroup),
         .version = "v1",
         .resource = "uids",
         .name = wanted.uid});
  }
  return out;
}

}  // namespace

Result<std::optional<Impersonation>> read_impersonation(const net::Headers& headers) {
  Impersonation out;
  size_t users = 0;
  size_t others = 0;
  for (const auto& [name, value] : headers.items()) {
    if (name == kUser) {
      ++users;
      out.user = value;
    } else if (name == kUid) {
      ++others;
      out.uid = value;
    } else if (name == kGroup) {
      ++others;
      out.groups.push_back(value);
    } else if (name.starts_with(kExtra)) {
      ++others;
      const auto key = net::percent_decode(std::string_view(name).substr(kExtra.size()));
      if (!key || key->empty())
        return Error(Code::kBadRequest, "Impersonate-Extra: the name of the header is not valid");
      out.extra[*key].push_back(value);
    }
  }
  if (users == 0 && others == 0) return std::optional<Impersonation>();
  if (users > 1) return Error(Code::kBadRequest, "Impersonate-User stands twice");
  if (out.user.empty()) {
    return Error(Code::kBadRequest,
                 "Impersonate-Group, -Uid and -Extra need a user in Impersonate-User");
  }
  return std::optional(std::move(out));
}

Task<UserInfo> impersonate(Authorizer& authorizer, UserPtr caller, Impersonation wanted) {
  for (const Attributes& question : questions(caller, wanted)) {
    CO_TRY(const Decision decision, co_await authorizer.authorize(question));
    if (!decision.allowed) co_return forbidden(question, decision.reason);
  }
  UserInfo out{
      .name = wanted.user, .uid = wanted.uid, .groups = wanted.groups, .extra = wanted.extra};
  if (out.groups.empty()) {
    if (const auto account = parse_service_account_user(out.name))
      out.groups = service_account_groups(account->ns);
  }
  const std::string_view implied =
      out.name == kAnonymousUser ? kGroupUnauthenticated : kGroupAuthenticated;
  if (!out.in_group(implied) && !out.in_group(kGroupUnauthenticated))
    out.groups.emplace_back(implied);
  co_return out;
}

}  // namespace atl::apiserver
