#include "kernel/node/logs/log_pump.h"

#include <unistd.h>

#include <cerrno>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace atl::node {
namespace {

constexpr size_t kBlock = 16 * 1024;
constexpr int kBlocksAtOnce = 16;  // then others get their turn

enum class Pipe : uint8_t { kEmpty, kEnded };

Pipe drain(int fd, LogStream stream, ContainerLog& log) {
  char block[kBlock];
  for (int i = 0; i < kBlocksAtOnce;) {
    const ssize_t n = ::read(fd, block, sizeof block);
    if (n > 0) {
      log.write(stream, std::string_view(block, size_t(n)));
      ++i;
      continue;
    }
    if (n < 0 && errno == EINTR) continue;
    return n < 0 && errno == EAGAIN ? Pipe::kEmpty
                                    : Pipe::kEnded;  // EIO: the terminal's other side closed
  }
  return Pipe::kEmpty;
}

}  // namespace

Async<void> pump_log(Executor executor, io::UniqueFd fd, LogStream stream, ContainerLogPtr log) {
  asio::posix::stream_descriptor descriptor(executor, fd.release());
  while (drain(descriptor.native_handle(), stream, *log) == Pipe::kEmpty) {
    auto [error] = co_await descriptor.async_wait(asio::posix::descriptor_base::wait_read,
                                                  asio::as_tuple(asio::use_awaitable));
    if (error) co_return;
  }
}

void drain_now(int fd, LogStream stream, ContainerLog& log) {
  (void)drain(fd, stream, log);
}

}  // namespace atl::node
