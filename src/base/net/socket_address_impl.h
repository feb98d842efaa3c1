#pragma once

#include <sys/socket.h>

#include <cstdint>
#include <optional>
#include <string>

namespace atl::net {

// An address of the kernel's socket interface. Value type.
class SocketAddress {
 public:
  SocketAddress() = default;
  // A numeric IPv4 or IPv6 address; a scope ("fe80::1%eth0") is understood.
  static std::optional<SocketAddress> parse(const std::string& address, uint16_t port);

  int family() const { return storage_.ss_family; }
  uint16_t port() const;
  bool is_link_local() const;
  // "127.0.0.1:80", "[::1]:80", "unix". IPv4 within IPv6 reads as IPv4.
  std::string text() const;

  sockaddr* get() { return reinterpret_cast<sockaddr*>(&storage_); }
  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage_); }
  socklen_t size() const { return size_; }
  socklen_t* size_pointer() { return &size_; }

 private:
  sockaddr_storage storage_{};
  socklen_t size_ = sizeof(sockaddr_storage);
};

// No delay for small writes; a peer that vanished without a word is noticed within two minutes.
void set_stream_options(int fd);
void set_nonblocking(int fd);

}  // namespace atl::net
