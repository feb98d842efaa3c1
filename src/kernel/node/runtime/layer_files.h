#pragma once

#include <string>
#include <vector>

#include "kernel/node/runtime/security.h"

// Looks into the stacked layers of an image without mounting them. Blocking.
namespace atl::node {

// etc/passwd and etc/group as the container will see them.
UserDatabase users_in(const std::vector<std::string>& layers_top_first);
bool folder_in(const std::vector<std::string>& layers_top_first, const std::string& path);

}  // namespace atl::node
