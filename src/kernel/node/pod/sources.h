#pragma once

#include <string>
#include <vector>

#include "api/client/client.h"
#include "kernel/node/pod/environment.h"

namespace atl::node {

// What ConfigMaps and Secrets of a namespace hold, decoded; one that does not exist is left out.
// Errors: what the API says, with the object's name.
Task<EnvironmentSources> fetch_sources(api::Client& client, std::string ns,
                                       std::vector<std::string> config_maps,
                                       std::vector<std::string> secrets, DataParts parts);

}  // namespace atl::node
