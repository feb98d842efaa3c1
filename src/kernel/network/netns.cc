#include "kernel/network/netns.h"

#include <fcntl.h>
#include <sched.h>

#include <cerrno>

#include "base/core/check.h"
#include "base/io/files.h"

namespace atl::network {
namespace {

// Of the calling thread; /proc/self would be the process's first thread.
Result<io::UniqueFd> current() {
  io::UniqueFd fd(::open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC));
  if (!fd) return io::errno_error("open /proc/thread-self/ns/net", errno);
  return fd;
}

}  // namespace

Result<io::UniqueFd> make_netns() {
  TRY(const io::UniqueFd home, current());
  if (::unshare(CLONE_NEWNET) != 0) return io::errno_error("make a network namespace", errno);
  auto made = current();
  CHECK(::setns(home.get(), CLONE_NEWNET) == 0);  // to go on elsewhere would be worse than to stop
  return made;
}

Result<NetnsScope> NetnsScope::enter(int netns) {
  TRY(io::UniqueFd home, current());
  if (::setns(netns, CLONE_NEWNET) != 0) return io::errno_error("enter a network namespace", errno);
  return NetnsScope(std::move(home));
}

NetnsScope::~NetnsScope() {
  if (home_) CHECK(::setns(home_.get(), CLONE_NEWNET) == 0);
}

}  // namespace atl::network
