#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "kernel/node/pod/environment.h"
#include "kernel/node/volumes/atomic_folder.h"

// What stands in configMap, secret, downwardAPI and projected volumes. Pure: objects and tokens
// come from outside.
namespace atl::node {

struct TokenRequest {
  std::string audience;  // empty: the API server's own
  int64_t expiration_seconds = 3'600;
  auto operator<=>(const TokenRequest&) const = default;
};

// What a pod's volumes need from the API.
struct VolumeNeeds {
  std::vector<std::string> config_maps;
  std::vector<std::string> secrets;
  std::vector<TokenRequest> tokens;
};
VolumeNeeds volume_needs(const PodSpec& pod);

struct VolumeObjects {
  EnvironmentSources data;
  std::map<TokenRequest, std::string> tokens;
};

// True for the four kinds whose files the node writes.
bool written_by_node(const json::Value& volume);

// The files of one such volume. kNotFound where an object or key is missing that is not optional,
// in the words of a FailedMount event.
Result<VolumeFiles> volume_files(const json::Value& volume, const PodSpec& pod,
                                 const PodFacts& facts, const VolumeObjects& objects);

}  // namespace atl::node
