#pragma once

#include "base/core/result.h"
#include "base/io/unique_fd.h"

namespace atl::network {

// A new network namespace, as an fd that keeps it alive. The calling thread stays where it is.
// kForbidden without CAP_SYS_ADMIN.
Result<io::UniqueFd> make_netns();

// The calling thread is inside another network namespace while this lives: sockets opened meanwhile
// stay there. Never held over co_await: another thread would go on. Aborts where the way back is
// barred.
class NetnsScope {
 public:
  static Result<NetnsScope> enter(int netns);
  NetnsScope(NetnsScope&& other) noexcept = default;
  NetnsScope& operator=(NetnsScope&&) = delete;
  ~NetnsScope();

 private:
  explicit NetnsScope(io::UniqueFd home) : home_(std::move(home)) {}
  io::UniqueFd home_;
};

}  // namespace atl::network
