#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "api/object/object.h"
#include "base/core/clock.h"
#include "base/text/json.h"

namespace atl::node {

enum class RestartPolicy : uint8_t { kAlways, kOnFailure, kNever };

struct ContainerSpec {
  enum class Role : uint8_t {
    kInit,     // runs to its end before the next one
    kSidecar,  // an init container with restartPolicy Always: the next starts once it has started
    kMain,
  };
  std::string name;
  Role role = Role::kMain;
  std::string image;
  json::Value doc;  // the container's object
};

// A Pod as the node reads it. Immutable, shared by everybody who works on the same revision.
struct PodSpec {
  std::string uid, ns, name;
  json::Value doc;                        // the whole object
  std::vector<ContainerSpec> containers;  // init containers in order, then the others
  RestartPolicy restart_policy = RestartPolicy::kAlways;
  bool host_network = false;
  bool share_processes = false;
  std::optional<WallTime> deleting;           // metadata.deletionTimestamp
  Duration grace = std::chrono::seconds(30);  // for the end that is asked for
  std::optional<Duration> active_deadline;
  int64_t generation = 0;
  Revision revision;  // of the object; 0 where it came from disk

  std::string key() const { return ns + "/" + name; }
  const ContainerSpec* find(std::string_view container) const;
  // A static pod's mirror, or one that ended: nothing is to be run.
  bool finished() const;
};
using PodSpecPtr = std::shared_ptr<const PodSpec>;

// kInvalid where the object is no pod that can run here; the message is for the pod's status.
Result<PodSpecPtr> read_pod(const api::Object& object);
Result<PodSpecPtr> read_pod(json::Value document);

}  // namespace atl::node
