#pragma once

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <string>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "base/async/task.h"
#include "base/io/unique_fd.h"

namespace atl::node {

// Our own copy of a non-blocking fd on the loop: pipe, terminal or socket. One reader and one
// writer.
class LoopFd {
 public:
  LoopFd(const Executor& executor, int fd)
      : LoopFd(executor, io::UniqueFd(fd >= 0 ? ::fcntl(fd, F_DUPFD_CLOEXEC, 3) : -1)) {}
  LoopFd(const Executor& executor, io::UniqueFd own) : descriptor_(executor), open_(bool(own)) {
    if (open_) descriptor_.assign(own.release());
  }
  bool open() const { return open_; }
  int fd() { return descriptor_.native_handle(); }

  // Empty at the end.
  Async<std::string> read() {
    std::string block(kBlockBytes, '\0');
    for (;;) {
      const ssize_t n = ::read(descriptor_.native_handle(), block.data(), block.size());
      if (n >= 0 || (errno != EAGAIN && errno != EINTR)) {
        block.resize(n > 0 ? size_t(n) : 0);
        co_return block;
      }
      auto [error] = co_await descriptor_.async_wait(asio::posix::descriptor_base::wait_read,
                                                     asio::as_tuple(asio::use_awaitable));
      if (error) co_return std::string();
    }
  }

  // False once nobody reads any more.
  Async<bool> write(std::string bytes) {
    for (size_t at = 0; at < bytes.size();) {
      const ssize_t n = ::write(descriptor_.native_handle(), bytes.data() + at, bytes.size() - at);
      if (n > 0) {
        at += size_t(n);
        continue;
      }
      if (n < 0 && errno != EAGAIN && errno != EINTR) co_return false;
      auto [error] = co_await descriptor_.async_wait(asio::posix::descriptor_base::wait_write,
                                                     asio::as_tuple(asio::use_awaitable));
      if (error) co_return false;
    }
    co_return true;
  }

  void close() {
    if (open_) descriptor_.close();
    open_ = false;
  }

 private:
  static constexpr size_t kBlockBytes = 32 * 1024;

  asio::posix::stream_descriptor descriptor_;
  bool open_;
};

}  // namespace atl::node
