#pragma once

#include <string>

#include "base/core/result.h"

namespace atl::node {

// Makes the folder and puts a tmpfs on it, unless it lies in memory already (as /run does on most
// machines). Idempotent; the mount outlives the agent. Whoever removes the folder unmounts it.
Result<> make_memory_folder(const std::string& path);

}  // namespace atl::node
