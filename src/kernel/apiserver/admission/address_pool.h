#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "base/core/result.h"
#include "base/core/rng.h"

namespace atl::apiserver {

// A range of IPv4 addresses, "10.96.0.0/16". Value type. Between /4 and /30.
struct AddressRange {
  uint32_t base = 0;
  uint32_t size = 0;
  std::string text;

  static Result<AddressRange> parse(std::string_view cidr);
  bool contains(uint32_t address) const { return address - base < size; }
};
std::optional<uint32_t> parse_ipv4(
    std::string_view text);  // four decimal numbers without leading zeros
std::string ipv4_text(uint32_t address);

// Which numbers of a range are taken, and by whom: cluster IPs and node ports. What is stored is
// told by hold() and drop() as it is committed; what a request under way claims is pending until
// settled. One executor; the calls are short and never wait, so two requests cannot get the same
// number.
class NumberPool {
 public:
  // [first, first + count).
  NumberPool(uint32_t first, uint32_t count) : first_(first), count_(count) {}

  bool contains(uint32_t number) const { return number - first_ < count_; }
  bool taken(uint32_t number) const { return held_.contains(number) || pending_.contains(number); }
  // True when `owner` already holds it.
  bool held_by(uint32_t number, std::string_view owner) const;

  // A number outside of [first, first + reserved), from a random start upwards, or, when those are
  // all taken, inside of it. Nothing where everything is taken. It is pending then.
  std::optional<uint32_t> claim_any(uint32_t reserved, Rng& rng, std::string_view owner);
  // False when it is taken by another owner.
  bool claim(uint32_t number, std::string_view owner);
  // Ends one claim; a committed one is told by hold() besides.
  void settle(uint32_t number);

  void hold(uint32_t number, std::string owner) { held_[number] = std::move(owner); }
  void drop(uint32_t number, std::string_view owner);
  size_t used() const { return held_.size() + pending_.size(); }

 private:
  std::optional<uint32_t> search(uint32_t first, uint32_t count, Rng& rng) const;

  struct Claim {
    std::string owner;
    uint32_t times = 0;  // two requests for the same object may both be under way
  };
  uint32_t first_, count_;
  std::map<uint32_t, std::string> held_;
  std::map<uint32_t, Claim> pending_;
};

}  // namespace atl::apiserver
