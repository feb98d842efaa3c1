#pragma once

#include <string>
#include <vector>

namespace atl::cli {

enum class Output : uint8_t { kTable, kWide, kJson, kYaml, kName };

// What every verb understands.
struct Common {
  std::string home;        // --home, ATOLL_HOME
  std::string kubeconfig;  // --kubeconfig, KUBECONFIG, then the instance's own
  std::string context;
  std::string ns;  // -n; empty: the context's
  bool all_namespaces = false;
  Output output = Output::kTable;
};

// Exit codes (docs/guides/cli.md): a script may rely on them.
enum class Exit : int {
  kOk = 0,
  kFailed = 1,
  kUsage = 2,
  kNotFound = 3,
  kConflict = 4,
  kDenied = 5,
  kTimeout = 6,
  kInterrupted = 130
};

}  // namespace atl::cli
