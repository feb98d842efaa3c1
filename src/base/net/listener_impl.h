#pragma once

#include <functional>
#include <memory>
#include <string>

#include "base/async/task_group.h"
#include "base/async/timer.h"
#include "base/io/unique_fd.h"
#include "base/net/http.h"

namespace atl::net {

// A listening socket. TCP addresses that are link-local may be bound before an interface has them.
// Owned by a server; a Unix socket's file goes away with it.
class Listener {
 public:
  // kBadRequest: no address; kExists: somebody serves there already; kForbidden, kUnavailable.
  static Result<std::unique_ptr<Listener>> tcp(const std::string& address, uint16_t port);
  static Result<std::unique_ptr<Listener>> unix_socket(const std::string& path, uint32_t mode);
  static Result<std::unique_ptr<Listener>> from_fd(int fd);
  ~Listener();

  uint16_t port() const;

  // Gives every new connection to `accepted` until cancelled. Out of descriptors: waits and goes
  // on.
  Async<void> run(Timer& timer, std::function<void(io::UniqueFd, Peer)> accepted);

 private:
  explicit Listener(io::UniqueFd fd) : fd_(std::move(fd)) {}
  io::UniqueFd fd_;
  std::string unlink_;  // the file of a Unix socket
  uint64_t inode_ = 0;
};

}  // namespace atl::net
