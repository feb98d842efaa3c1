#include <arpa/inet.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>

#include <array>
#include <cstring>

#include "base/net/socket_address_impl.h"

namespace atl::net {
namespace {

const sockaddr_in& v4(const sockaddr_storage& storage) {
  return reinterpret_cast<const sockaddr_in&>(storage);
}
const sockaddr_in6& v6(const sockaddr_storage& storage) {
  return reinterpret_cast<const sockaddr_in6&>(storage);
}

}  // namespace

std::optional<SocketAddress> SocketAddress::parse(const std::string& address, uint16_t port) {
  SocketAddress out;
  auto& four = reinterpret_cast<sockaddr_in&>(out.storage_);
  if (::inet_pton(AF_INET, address.c_str(), &four.sin_addr) == 1) {
    four.sin_family = AF_INET;
    four.sin_port = htons(port);
    out.size_ = sizeof(sockaddr_in);
    return out;
  }
  auto& six = reinterpret_cast<sockaddr_in6&>(out.storage_);
  const size_t percent = address.find('%');
  if (::inet_pton(AF_INET6, address.substr(0, percent).c_str(), &six.sin6_addr) != 1)
    return std::nullopt;
  six.sin6_family = AF_INET6;
  six.sin6_port = htons(port);
  out.size_ = sizeof(sockaddr_in6);
  if (percent == std::string::npos) return out;
  six.sin6_scope_id = ::if_nametoindex(address.c_str() + percent + 1);
  if (six.sin6_scope_id == 0) return std::nullopt;
  return out;
}

uint16_t SocketAddress::port() const {
  if (family() == AF_INET) return ntohs(v4(storage_).sin_port);
  if (family() == AF_INET6) return ntohs(v6(storage_).sin6_port);
  return 0;
}

bool SocketAddress::is_link_local() const {
  if (family() == AF_INET)
    return (ntohl(v4(storage_).sin_addr.s_addr) >> 16) == 0xa9fe;  // 169.254.0.0/16
  return family() == AF_INET6 && IN6_IS_ADDR_LINKLOCAL(&v6(storage_).sin6_addr);
}

std::string SocketAddress::text() const {
  std::array<char, INET6_ADDRSTRLEN> text{};
  if (family() == AF_INET) {
    ::inet_ntop(AF_INET, &v4(storage_).sin_addr, text.data(), text.size());
    return std::string(text.data()) + ":" + std::to_string(port());
  }
  if (family() != AF_INET6) return "unix";
  const in6_addr& address = v6(storage_).sin6_addr;
  if (IN6_IS_ADDR_V4MAPPED(&address)) {
    ::inet_ntop(AF_INET, &address.s6_addr[12], text.data(), text.size());
    return std::string(text.data()) + ":" + std::to_string(port());
  }
  ::inet_ntop(AF_INET6, &address, text.data(), text.size());
  return "[" + std::string(text.data()) + "]:" + std::to_string(port());
}

void set_stream_options(int fd) {
  const auto set = [fd](int level, int option, int value) {
    ::setsockopt(fd, level, option, &value, sizeof value);
  };
  set(IPPROTO_TCP, TCP_NODELAY, 1);
  set(SOL_SOCKET, SO_KEEPALIVE, 1);
  set(IPPROTO_TCP, TCP_KEEPIDLE, 60);
  set(IPPROTO_TCP, TCP_KEEPINTVL, 15);
  set(IPPROTO_TCP, TCP_KEEPCNT, 4);
}

void set_nonblocking(int fd) {
  ::fcntl(fd, F_SETFL, ::fcntl(fd, F_GETFL) | O_NONBLOCK);
}

}  // namespace atl::net
