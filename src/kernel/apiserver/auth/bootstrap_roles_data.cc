#include <string_view>

#include "kernel/apiserver/auth/bootstrap_roles.h"

// bootstrap_roles.json is linked in byte by byte; CMakeLists.txt makes this file depend on it.
__asm__(
    ".pushsection .rodata\n"
    "atoll_bootstrap_roles:\n"
    ".incbin \"kernel/apiserver/auth/bootstrap_roles.json\"\n"
    "atoll_bootstrap_roles_end:\n"
    ".popsection\n"
    ".global atoll_bootstrap_roles\n"
    ".global atoll_bootstrap_roles_end\n");
extern "C" const char atoll_bootstrap_roles[], atoll_bootstrap_roles_end[];

namespace atl::apiserver {

Result<std::vector<json::Value>> bootstrap_roles() {
  return read_bootstrap_roles(
      {atoll_bootstrap_roles,
       static_cast<size_t>(atoll_bootstrap_roles_end - atoll_bootstrap_roles)});
}

}  // namespace atl::apiserver
