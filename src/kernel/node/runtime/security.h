#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/core/result.h"
#include "base/text/json.h"
#include "kernel/node/pod/pod_spec.h"

// Who a container runs as and what it may do, from securityContext of pod and container.
namespace atl::node {

struct ProcessUser {
  uint32_t uid = 0;
  uint32_t gid = 0;
  std::vector<uint32_t> groups;
};

// Contents of the image's etc/passwd and etc/group, empty where missing.
struct UserDatabase {
  std::string passwd;
  std::string group;
};

struct Security {
  ProcessUser user;
  std::set<std::string> capabilities;  // "CAP_CHOWN"
  bool privileged = false;
  bool no_new_privileges = false;
  bool read_only_root = false;
  bool seccomp = true;       // false: Unconfined
  bool masked_paths = true;  // false: procMount Unmasked
  std::optional<uint32_t> fs_group;
};

// "", "app", "1000", "app:staff", "1000:1000" against the image's files; kInvalid for an unknown
// name.
Result<ProcessUser> resolve_user(std::string_view text, const UserDatabase& database);

// What 14 capabilities a container has unless told otherwise.
const std::set<std::string>& default_capabilities();
const std::set<std::string>& all_capabilities();

// kInvalid with the words of a CreateContainerConfigError: runAsNonRoot with root, a seccomp
// profile that this node has not.
Result<Security> security_of(const PodSpec& pod, const json::Value& container,
                             std::string_view image_user, const UserDatabase& database);

}  // namespace atl::node
