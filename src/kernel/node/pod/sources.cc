#include "kernel/node/pod/sources.h"

#include <fmt/format.h>

namespace atl::node {
namespace {

const api::Gvr kConfigMaps{"", "v1", "configmaps"};
const api::Gvr kSecrets{"", "v1", "secrets"};

}  // namespace

Task<EnvironmentSources> fetch_sources(api::Client& client, std::string ns,
                                       std::vector<std::string> config_maps,
                                       std::vector<std::string> secrets, DataParts parts) {
  EnvironmentSources out;
  for (const bool secret : {false, true}) {
    for (const std::string& name : secret ? secrets : config_maps) {
      auto object = co_await client.get(secret ? kSecrets : kConfigMaps, {ns, name});
      if (object) {
        (secret ? out.secrets : out.config_maps)[name] = decoded_data((*object)->parse(), parts);
      } else if (object.error().code() != Code::kNotFound) {
        co_return std::move(object).error().during(
            fmt::format("{} \"{}\"", secret ? "secret" : "configmap", name));
      }
    }
  }
  co_return std::move(out);
}

}  // namespace atl::node
