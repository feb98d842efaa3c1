#include "kernel/node/pod/pull_secrets.h"

#include "base/text/base64.h"
#include "kernel/node/pod/environment.h"

namespace atl::node {
namespace {

// "https://index.docker.io/v1/" is how docker writes docker.io.
std::string registry_of(std::string_view key) {
  for (const std::string_view scheme : {"https://", "http://"}) {
    if (key.starts_with(scheme)) key.remove_prefix(scheme.size());
  }
  key = key.substr(0, key.find('/'));
  return key == "index.docker.io" ? "docker.io" : std::string(key);
}

}  // namespace

std::vector<oci::Credentials> credentials_in(const json::Value& secret) {
  std::vector<oci::Credentials> out;
  for (const auto& [key, text] : decoded_data(secret)) {
    auto config = json::parse(text);
    if (!config) continue;
    const json::Object& logins = key == ".dockerconfigjson" ? json::object_at(*config, {"auths"})
                                                            : json::object_at(*config, {});
    for (const auto& [registry, login] : logins) {
      oci::Credentials c{registry_of(registry), std::string(json::string_at(login, {"username"})),
                         std::string(json::string_at(login, {"password"}))};
      const auto pair = base64_decode(json::string_at(login, {"auth"}));
      if (c.username.empty() && pair && pair->find(':') != std::string::npos) {
        c.username = pair->substr(0, pair->find(':'));
        c.password = pair->substr(pair->find(':') + 1);
      }
      if (!c.username.empty()) out.push_back(std::move(c));
    }
  }
  return out;
}

}  // namespace atl::node
