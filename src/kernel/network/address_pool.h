#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "kernel/network/address.h"

namespace atl::network {

// Which pod has which address of the range. Memory only: the truth is the agent's record of living
// pods, handed back through reserve() after a restart. One executor.
// Addresses are given out round the range, so that one that was just freed rests as long as
// possible.
class AddressPool {
 public:
  // The first and the last address of the range are never given out.
  explicit AddressPool(Ipv4Range range);

  // The owner's address, a new one where it has none. kExhausted when the range is used up.
  Result<Ipv4> allocate(const std::string& owner);
  // Takes a known address. kConflict where another owner has it, kInvalid outside the range.
  Result<> reserve(const std::string& owner, Ipv4 ip);
  void release(const std::string& owner);

  std::optional<Ipv4> find(const std::string& owner) const;
  const std::map<std::string, Ipv4>& owners() const { return by_owner_; }

 private:
  Ipv4Range range_;
  uint32_t next_;  // where the search goes on
  std::map<std::string, Ipv4> by_owner_;
  std::map<Ipv4, std::string> by_ip_;
};

}  // namespace atl::network
