#pragma once

#include <set>
#include <string>

#include "base/text/json.h"

namespace atl::node {

// runtime/seccomp_default.json: the system calls that Docker's default profile allows, as facts of
// our own.
extern const char* const kSeccompDefault;

// The RuntimeDefault profile for a process with these capabilities, as linux.seccomp of an OCI
// spec: everything that is not listed fails with EPERM; clone3 with ENOSYS, so that libraries fall
// back to clone.
json::Value default_seccomp(const std::set<std::string>& capabilities);

}  // namespace atl::node
