#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/async/task.h"
#include "kernel/apiserver/pipeline/exchange.h"

namespace atl::apiserver {

// /healthz, /livez and /readyz with their ?verbose, ?exclude= and /<check> forms. Owned by
// ApiServer.
class Health {
 public:
  using Check = std::function<Result<>()>;
  // Checks of readiness alone do not make the server unhealthy: it is not to be restarted for them.
  enum class Of : uint8_t { kEverything, kReadiness };
  void add(std::string name, Of of, Check check);

  // True where the path is one of these; it has been answered then.
  Task<bool> serve(Exchange& exchange) const;

 private:
  struct Entry {
    std::string name;
    Of of;
    Check check;
  };
  std::vector<Entry> checks_;
};

}  // namespace atl::apiserver
