// A kubeconfig from anybody: refused, or it names a server. No file is opened: the folder is
// absent.
#include <cstdlib>

#include "api/client/kubeconfig.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace atl;  // NOLINT
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto access = api::parse_kubeconfig(text, "/nonexistent");
  if (access && (access->endpoint.host.empty() || access->path_prefix.ends_with('/'))) std::abort();
  return 0;
}
