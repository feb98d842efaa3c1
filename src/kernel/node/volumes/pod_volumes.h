#pragma once

#include <string>
#include <vector>

#include "kernel/node/runtime/oci_spec.h"
#include "kernel/node/volumes/volume_content.h"

namespace atl::node {

// The volumes of one pod: <folder>/volumes/<name>, tmpfs where asked for, bind mounts for subPaths
// below <folder>/subpaths. What the node writes itself (Secrets, tokens, ConfigMaps) stands in
// <memory>/volumes/<name>, which is on no disk. All calls block; any thread, one at a time for a
// pod. Idempotent: called again after a restart of the agent and whenever an object changed.
class PodVolumes {
 public:
  PodVolumes(std::string folder, std::string memory)
      : folder_(std::move(folder)), memory_(std::move(memory)) {}

  // Makes every volume of the pod. kNotFound: an object or host path is missing (tried again
  // later); kMethodNotAllowed: a kind of volume that this node does not offer; kInvalid: the
  // manifest is wrong.
  Result<> set_up(const PodSpec& pod, const PodFacts& facts, const VolumeObjects& objects);
  // The container's volumeMounts as mounts of its OCI spec. kInvalid: a subPath leaves its volume.
  Result<std::vector<Mount>> mounts_of(const PodSpec& pod, const json::Value& container,
                                       const Environment& environment);
  // Unmounts and removes everything; goes on after a failure and returns the first.
  Result<> tear_down();

 private:
  Result<> make(const json::Value& volume, const PodSpec& pod, const PodFacts& facts,
                const VolumeObjects& objects, std::optional<uint32_t> group);
  Result<> make_empty_dir(const json::Value& volume, std::optional<uint32_t> group);
  Result<> check_host_path(const json::Value& volume);
  Result<std::string> source_of(const PodSpec& pod, const std::string& volume) const;
  static Result<> tear_down(const std::string& root);
  Result<std::string> bind_sub_path(const std::string& volume_path, const std::string& sub_path,
                                    const std::string& container, size_t index);
  std::string path_of(const std::string& volume) const { return folder_ + "/volumes/" + volume; }

  std::string folder_;
  std::string memory_;
};

}  // namespace atl::node
