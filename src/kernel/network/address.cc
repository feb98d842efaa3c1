#include "kernel/network/address.h"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <charconv>

namespace atl::network {

Result<Ipv4> Ipv4::parse(std::string_view text) {
  in_addr parsed{};
  const std::string terminated(text);
  const bool whole = text.find('\0') == std::string_view::npos;  // C would stop there
  if (!whole || inet_pton(AF_INET, terminated.c_str(), &parsed) != 1) {
    return Error(Code::kInvalid, fmt::format("'{}' is not an IPv4 address", text));
  }
  return Ipv4(ntohl(parsed.s_addr));
}

uint32_t Ipv4::network_order() const {
  return htonl(value_);
}

std::string Ipv4::text() const {
  return fmt::format("{}.{}.{}.{}", value_ >> 24, value_ >> 16 & 255, value_ >> 8 & 255,
                     value_ & 255);
}

Result<Ipv4Range> Ipv4Range::parse(std::string_view text) {
  const size_t slash = text.find('/');
  uint8_t prefix = 33;
  if (slash != std::string_view::npos) {
    const char* end = text.data() + text.size();
    const auto [at, error] = std::from_chars(text.data() + slash + 1, end, prefix);
    if (error != std::errc() || at != end) prefix = 33;
  }
  // A /0 would need 33 bits for its size, and no pod range is that wide.
  if (prefix > 32 || prefix == 0) {
    return Error(Code::kInvalid, fmt::format("'{}' is not a range such as 10.42.0.0/16", text));
  }
  TRY(const Ipv4 first, Ipv4::parse(text.substr(0, slash)));
  const uint32_t below = uint32_t((uint64_t(1) << (32 - prefix)) - 1);
  if ((first.value() & below) != 0) {
    return Error(Code::kInvalid, fmt::format("'{}' has bits below its prefix: {}/{} is meant", text,
                                             Ipv4(first.value() & ~below).text(), prefix));
  }
  return Ipv4Range(first, prefix);
}

std::string Ipv4Range::text() const {
  return fmt::format("{}/{}", first_.text(), prefix_);
}

std::string text(const Mac& mac) {
  return fmt::format("{:02x}:{:02x}:{:02x}:{:02x}:{:02x}:{:02x}", mac[0], mac[1], mac[2], mac[3],
                     mac[4], mac[5]);
}

}  // namespace atl::network
