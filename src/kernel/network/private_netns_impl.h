#pragma once

#include <arpa/inet.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sched.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>

#include "base/async/blocking_pool.h"
#include "base/async/run.h"
#include "base/io/files.h"
#include "kernel/network/netlink_impl.h"
#include "kernel/network/netns.h"
#include "kernel/network/options.h"
#include "kernel/network/service_table.h"

// For tests only: a network of their own, so that nothing they do touches the machine's.
namespace atl::network {

// Moves the whole test process into a new network namespace, once. False without the right to.
inline bool in_private_network() {
  static const bool moved = ::unshare(CLONE_NEWNET) == 0;
  return moved;
}

inline Options test_options(const std::string& state) {
  Options out;
  out.instance = "atoll-test1";
  out.state = state;
  out.pods = *Ipv4Range::parse("10.42.0.0/16");
  out.services = *Ipv4Range::parse("10.96.0.0/16");
  out.link_ip = *Ipv4::parse("169.254.20.1");
  out.dns_ip = *Ipv4::parse("10.96.0.10");
  out.api_port = 6443;
  out.node_port_addresses = {*Ipv4::parse("127.0.0.1")};
  out.reserved_ports = {6443, 80, 443};
  return out;
}

inline sockaddr_in socket_address(const std::string& ip, uint16_t port) {
  sockaddr_in out{.sin_family = AF_INET, .sin_port = htons(port)};
  EXPECT_EQ(inet_pton(AF_INET, ip.c_str(), &out.sin_addr), 1) << ip;
  return out;
}

inline io::UniqueFd socket_in(int netns, Protocol protocol) {
  const auto scope = NetnsScope::enter(netns);
  EXPECT_TRUE(scope.has_value());
  const int type = protocol == Protocol::kTcp ? SOCK_STREAM : SOCK_DGRAM;
  return io::UniqueFd(::socket(AF_INET, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
}

// A listener inside a namespace.
inline io::UniqueFd listen_in(int netns, const std::string& ip, uint16_t port,
                              Protocol protocol = Protocol::kTcp) {
  io::UniqueFd fd = socket_in(netns, protocol);
  const int on = 1;
  ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  const sockaddr_in address = socket_address(ip, port);
  EXPECT_EQ(::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)), 0)
      << ip << ":" << port << " " << strerror(errno);
  if (protocol == Protocol::kTcp) EXPECT_EQ(::listen(fd.get(), 512), 0);
  return fd;
}

// "" where the connection stood within the limit; else why not.
inline std::string connect_from(int netns, const std::string& ip, uint16_t port,
                                int limit_ms = 2000) {
  const io::UniqueFd fd = socket_in(netns, Protocol::kTcp);
  const sockaddr_in address = socket_address(ip, port);
  const int done =
      ::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address));
  if (done == 0) return "";
  if (errno != EINPROGRESS) return strerror(errno);
  pollfd wait{.fd = fd.get(), .events = POLLOUT};
  if (::poll(&wait, 1, limit_ms) == 0) return "no answer";
  int error = 0;
  socklen_t size = sizeof(error);
  ::getsockopt(fd.get(), SOL_SOCKET, SO_ERROR, &error, &size);
  return error == 0 ? "" : strerror(error);
}

// Accepts what is waiting; the peer's address of the last, or "" where nobody was.
inline std::string accept_all(int listener, size_t* count = nullptr) {
  std::string peer;
  for (;;) {
    sockaddr_in from{};
    socklen_t size = sizeof(from);
    const io::UniqueFd fd(::accept4(listener, reinterpret_cast<sockaddr*>(&from), &size, 0));
    if (!fd) return peer;
    peer = Ipv4(ntohl(from.sin_addr.s_addr)).text();
    if (count != nullptr) ++*count;
  }
}

// A test whose process has a network of its own; skipped where that is not allowed.
class PrivateNetworkTest : public ::testing::Test {
 protected:
  // Before the pool: its threads are born where the process is.
  PrivateNetworkTest() : moved_(in_private_network()) {}
  void SetUp() override {
    if (!moved_) GTEST_SKIP() << "needs root: no right to make a network namespace";
    folder_ = (std::filesystem::temp_directory_path() / "atoll-network-XXXXXX").string();
    ASSERT_NE(::mkdtemp(folder_.data()), nullptr);
    home_.reset(::open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC));
  }
  void TearDown() override {
    if (!folder_.empty()) std::filesystem::remove_all(folder_);
  }

  // Runs a coroutine to its end on the test's loop; fails the test with its error.
  void go(std::function<Task<>()> body) {
    loop_.restart();
    const auto done = run(loop_, std::move(body));
    if (!done) FAIL() << done.error().message();
  }
  int home() const { return home_.get(); }

  const bool moved_;
  std::string folder_;
  io::UniqueFd home_;
  asio::io_context loop_;
  SystemTimer timer_;
  BlockingPool pool_{2};
};

}  // namespace atl::network
