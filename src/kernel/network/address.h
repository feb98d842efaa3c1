#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/core/result.h"

namespace atl::network {

// An IPv4 address. Value type, ordered as numbers are.
class Ipv4 {
 public:
  constexpr Ipv4() = default;
  constexpr explicit Ipv4(uint32_t host_order) : value_(host_order) {}
  // Dotted quad only: no leading zeros, no host names. kInvalid otherwise.
  static Result<Ipv4> parse(std::string_view text);

  constexpr uint32_t value() const { return value_; }  // host order
  uint32_t network_order() const;
  std::string text() const;
  bool loopback() const { return value_ >> 24 == 127; }
  bool link_local() const { return value_ >> 16 == 0xa9fe; }
  // Of a host elsewhere or of a pod: not "this" network, loopback, link-local, multicast, reserved.
  bool of_a_host() const {
    return value_ >> 24 != 0 && !loopback() && !link_local() && value_ >> 28 < 0xe;
  }
  auto operator<=>(const Ipv4&) const = default;

 private:
  uint32_t value_ = 0;
};

// A CIDR block: "10.42.0.0/16". Bits below the prefix are zero.
class Ipv4Range {
 public:
  Ipv4Range() = default;
  Ipv4Range(Ipv4 first, uint8_t prefix) : first_(first), prefix_(prefix) {}
  // kInvalid where the text is no CIDR or has bits below its prefix.
  static Result<Ipv4Range> parse(std::string_view text);

  Ipv4 first() const { return first_; }
  Ipv4 last() const { return Ipv4(first_.value() + uint32_t(size() - 1)); }
  uint8_t prefix() const { return prefix_; }
  uint64_t size() const { return uint64_t(1) << (32 - prefix_); }
  bool contains(Ipv4 ip) const { return ip >= first() && ip <= last(); }
  bool overlaps(const Ipv4Range& other) const {
    return contains(other.first()) || other.contains(first());
  }
  std::string text() const;
  bool operator==(const Ipv4Range&) const = default;

 private:
  Ipv4 first_;
  uint8_t prefix_ = 32;
};

using Mac = std::array<uint8_t, 6>;
std::string text(const Mac& mac);

}  // namespace atl::network
