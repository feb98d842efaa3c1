#include "api/client/kubeconfig.h"

#include <fmt/format.h>

#include <charconv>

#include "base/io/files.h"
#include "base/text/base64.h"
#include "base/text/yaml.h"

namespace atl::api {
namespace {

constexpr size_t kFileMax = 1 << 20;

// The item of a named list: {name: NAME, <key>: {...}}.
Result<const json::Value*> named(const json::Value& root, std::string_view list,
                                 std::string_view key, std::string_view name) {
  for (const json::Value& item : json::array_at(root, {list})) {
    if (json::string_at(item, {"name"}) != name) continue;
    const json::Value* value = json::find(item, {key});
    if (!value || !value->is_object())
      return Error(Code::kInvalid, fmt::format("{}: {} has no {}", list, name, key));
    return value;
  }
  return Error(Code::kNotFound, fmt::format("the kubeconfig has no {} called \"{}\"", key, name));
}

// PEM from `<field>-data` (base64) or the file that `<field>` names.
Result<std::string> pem(const json::Value& value, const std::string& field,
                        const std::string& folder) {
  const std::string data(json::string_at(value, {field + "-data"}));
  if (!data.empty()) {
    auto bytes = base64_decode(data);
    if (!bytes) return Error(Code::kInvalid, field + "-data is no base64");
    return *std::move(bytes);
  }
  const std::string file(json::string_at(value, {field}));
  if (file.empty()) return std::string();
  return io::read_file(file.starts_with("/") ? file : folder + "/" + file, kFileMax);
}

Result<> read_server(std::string_view url, ClusterAccess& access) {
  const std::string all(url);
  access.endpoint.tls = url.starts_with("https://");
  if (!access.endpoint.tls && !url.starts_with("http://"))
    return Error(Code::kInvalid, "server must start with https:// or http://: " + all);
  url.remove_prefix(access.endpoint.tls ? 8 : 7);
  const size_t slash = url.find('/');
  std::string_view authority = url.substr(0, slash);
  if (slash != std::string_view::npos) access.path_prefix = url.substr(slash);
  while (access.path_prefix.ends_with('/')) access.path_prefix.pop_back();
  access.endpoint.port = access.endpoint.tls ? 443 : 80;
  const size_t colon = authority.rfind(':');
  if (colon != std::string_view::npos && authority.find(']', colon) == std::string_view::npos) {
    const std::string_view digits = authority.substr(colon + 1);
    const auto [end, error] =
        std::from_chars(digits.data(), digits.data() + digits.size(), access.endpoint.port);
    if (error != std::errc() || end != digits.data() + digits.size())
      return Error(Code::kInvalid, "server has no valid port: " + all);
    authority = authority.substr(0, colon);
  }
  if (authority.starts_with('[') && authority.ends_with(']'))
    authority = authority.substr(1, authority.size() - 2);
  if (authority.empty()) return Error(Code::kInvalid, "server has no host: " + all);
  access.endpoint.host = authority;
  return Unit{};
}

Result<> read_user(const json::Value& user, const std::string& folder, ClusterAccess& access) {
  for (const char* program : {"exec", "auth-provider"}) {
    if (json::find(user, {program})) {
      return Error(Code::kMethodNotAllowed,
                   std::string("the kubeconfig's user needs a program (") + program +
                       "), and Atoll runs none from a kubeconfig; use a token or a certificate");
    }
  }
  TRY(access.endpoint.certificate_chain, pem(user, "client-certificate", folder));
  TRY(access.endpoint.private_key, pem(user, "client-key", folder));
  access.token = json::string_at(user, {"token"});
  const std::string token_file(json::string_at(user, {"tokenFile"}));
  if (access.token.empty() && !token_file.empty()) {
    TRY(access.token,
        io::read_file(token_file.starts_with("/") ? token_file : folder + "/" + token_file,
                      kFileMax));
    while (!access.token.empty() && (access.token.back() == '\n' || access.token.back() == ' '))
      access.token.pop_back();
  }
  return Unit{};
}

}  // namespace

Result<ClusterAccess> parse_kubeconfig(std::string_view text, const std::string& folder,
                                       const std::string& context) {
  TRY(const json::Value root, yaml::parse(text));
  ClusterAccess access;
  access.context =
      context.empty() ? std::string(json::string_at(root, {"current-context"})) : context;
  if (access.context.empty()) {
    return Error(Code::kInvalid,
                 json::array_at(root, {"contexts"}).empty()
                     ? "this is no kubeconfig: it has no contexts"
                     : "the kubeconfig has no current-context; choose one with --context");
  }
  TRY(const json::Value* chosen, named(root, "contexts", "context", access.context));
  TRY(const json::Value* cluster,
      named(root, "clusters", "cluster", json::string_at(*chosen, {"cluster"})));
  TRY(const json::Value* user, named(root, "users", "user", json::string_at(*chosen, {"user"})));
  access.ns = json::string_at(*chosen, {"namespace"}, "default");
  TRY_OK(read_server(json::string_at(*cluster, {"server"}), access));
  TRY(access.endpoint.ca, pem(*cluster, "certificate-authority", folder));
  access.endpoint.server_name = json::string_at(*cluster, {"tls-server-name"});
  access.endpoint.insecure_skip_verify = json::bool_at(*cluster, {"insecure-skip-tls-verify"});
  TRY_OK(read_user(*user, folder, access));
  return access;
}

Result<ClusterAccess> load_kubeconfig(const std::string& file, const std::string& context) {
  TRY(const std::string text, io::read_file(file, kFileMax));
  const size_t slash = file.rfind('/');
  auto access =
      parse_kubeconfig(text, slash == std::string::npos ? "." : file.substr(0, slash), context);
  if (!access) return std::move(access).error().during(file);
  return access;
}

}  // namespace atl::api
