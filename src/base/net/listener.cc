#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <cerrno>
#include <cstring>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "base/io/files.h"
#include "base/net/listener_impl.h"
#include "base/net/socket_address_impl.h"
#include "base/observe/log.h"

namespace atl::net {
namespace {

constexpr int kBacklog = 4'096;
constexpr int kAcceptsInARow = 64;
constexpr Duration kOutOfDescriptorsPause = std::chrono::milliseconds(100);

Error listen_error(const std::string& where, int error) {
  if (error == EADDRINUSE)
    return Error(Code::kExists, "listen on " + where + ": another process serves there");
  if (error == EADDRNOTAVAIL)
    return Error(Code::kUnavailable, "listen on " + where + ": no interface has this address");
  return io::errno_error("listen on " + where, error);
}

Result<> set_option(int fd, int level, int option, const std::string& where) {
  const int on = 1;
  if (::setsockopt(fd, level, option, &on, sizeof on) != 0) return listen_error(where, errno);
  return Unit{};
}

// A socket file that nobody listens on any more is left over from a crash.
Result<> remove_stale(const std::string& path, const sockaddr_un& address) {
  struct stat info;
  if (::lstat(path.c_str(), &info) != 0) return Unit{};
  if (!S_ISSOCK(info.st_mode))
    return Error(Code::kExists, "listen on " + path + ": a file that is no socket is in the way");
  const io::UniqueFd probe(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  const int connected =
      ::connect(probe.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address);
  if (connected == 0 || errno == EAGAIN) return listen_error(path, EADDRINUSE);
  if (::unlink(path.c_str()) != 0 && errno != ENOENT) return listen_error(path, errno);
  return Unit{};
}

Peer peer_of(int fd, const SocketAddress& from) {
  Peer peer;
  peer.address = from.text();
  if (from.family() != AF_UNIX) {
    set_stream_options(fd);
    return peer;
  }
  ucred credentials{};
  socklen_t size = sizeof credentials;
  if (::getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &size) == 0) {
    peer.uid = credentials.uid;
    peer.pid = credentials.pid;
  }
  return peer;
}

}  // namespace

Result<std::unique_ptr<Listener>> Listener::tcp(const std::string& address, uint16_t port) {
  const auto where = SocketAddress::parse(address, port);
  if (!where) return Error(Code::kBadRequest, "listen on '" + address + "': not an IP address");
  const std::string text = where->text();
  std::unique_ptr<Listener> out(new Listener(io::UniqueFd(
      ::socket(where->family(), SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_TCP))));
  const int fd = out->fd_.get();
  if (fd < 0) return listen_error(text, errno);
  TRY_OK(set_option(fd, SOL_SOCKET, SO_REUSEADDR, text));
  // Addresses for pods exist only once a pod does; elsewhere a wrong address is a mistake worth an
  // error.
  if (where->is_link_local()) {
    const bool v4 = where->family() == AF_INET;
    TRY_OK(set_option(fd, v4 ? SOL_IP : SOL_IPV6, v4 ? IP_FREEBIND : IPV6_FREEBIND, text));
  }
  if (::bind(fd, where->get(), where->size()) != 0) return listen_error(text, errno);
  if (::listen(fd, kBacklog) != 0) return listen_error(text, errno);
  return out;
}

Result<std::unique_ptr<Listener>> Listener::unix_socket(const std::string& path, uint32_t mode) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof address.sun_path) {
    return Error(Code::kBadRequest,
                 "listen on '" + path + "': the path of a socket has 1 to 107 bytes");
  }
  path.copy(address.sun_path, path.size());
  TRY_OK(remove_stale(path, address));
  std::unique_ptr<Listener> out(
      new Listener(io::UniqueFd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0))));
  const int fd = out->fd_.get();
  if (fd < 0) return listen_error(path, errno);
  // The file is born with the socket's mode (less the umask), so it is never open to more than
  // `mode`.
  if (::fchmod(fd, mode) != 0) return listen_error(path, errno);
  if (::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    return listen_error(path, errno);
  out->unlink_ = path;
  struct stat info;
  if (::stat(path.c_str(), &info) == 0) out->inode_ = info.st_ino;
  if (::chmod(path.c_str(), mode) != 0) return listen_error(path, errno);
  if (::listen(fd, kBacklog) != 0) return listen_error(path, errno);
  return out;
}

Result<std::unique_ptr<Listener>> Listener::from_fd(int fd) {
  io::UniqueFd owned(fd);
  int listening = 0;
  socklen_t size = sizeof listening;
  if (::getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &size) != 0 || listening == 0) {
    return Error(Code::kBadRequest, "descriptor " + std::to_string(fd) + " is no listening socket");
  }
  set_nonblocking(fd);
  return std::unique_ptr<Listener>(new Listener(std::move(owned)));
}

Listener::~Listener() {
  struct stat info;
  if (unlink_.empty() || ::lstat(unlink_.c_str(), &info) != 0 || info.st_ino != inode_) return;
  ::unlink(unlink_.c_str());
}

uint16_t Listener::port() const {
  SocketAddress address;
  ::getsockname(fd_.get(), address.get(), address.size_pointer());
  return address.port();
}

Async<void> Listener::run(Timer& timer, std::function<void(io::UniqueFd, Peer)> accepted) {
  const auto executor = co_await asio::this_coro::executor;
  asio::posix::stream_descriptor waitable(executor, ::fcntl(fd_.get(), F_DUPFD_CLOEXEC, 0));
  while (true) {
    co_await waitable.async_wait(asio::posix::descriptor_base::wait_read,
                                 asio::as_tuple(asio::use_awaitable));
    for (int i = 0; i < kAcceptsInARow; ++i) {
      SocketAddress from;
      io::UniqueFd fd(
          ::accept4(fd_.get(), from.get(), from.size_pointer(), SOCK_CLOEXEC | SOCK_NONBLOCK));
      if (fd) {
        Peer peer = peer_of(fd.get(), from);
        accepted(std::move(fd), std::move(peer));
        continue;
      }
      if (errno == EAGAIN || errno == EWOULDBLOCK) break;
      if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
        log::warn("no connection can be accepted for the moment",
                  {{"error", std::strerror(errno)}});
        co_await timer.sleep_for(kOutOfDescriptorsPause);
        break;
      }
    }
  }
}

}  // namespace atl::net
