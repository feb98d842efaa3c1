#include "kernel/network/address_pool.h"

#include <fmt/format.h>

namespace atl::network {

AddressPool::AddressPool(Ipv4Range range) : range_(range), next_(range.first().value() + 1) {}

Result<Ipv4> AddressPool::allocate(const std::string& owner) {
  if (const auto known = find(owner)) return *known;
  const uint64_t usable = range_.size() > 2 ? range_.size() - 2 : 0;
  for (uint64_t tried = 0; tried < usable; ++tried) {
    const Ipv4 candidate(next_);
    next_ = candidate.value() + 1 >= range_.last().value() ? range_.first().value() + 1
                                                           : candidate.value() + 1;
    if (by_ip_.contains(candidate)) continue;
    by_ip_[candidate] = owner;
    by_owner_[owner] = candidate;
    return candidate;
  }
  return Error(Code::kExhausted,
               fmt::format("all {} addresses of the pod range {} are in use; delete pods, or set a "
                           "wider POD_CIDR",
                           usable, range_.text()));
}

Result<> AddressPool::reserve(const std::string& owner, Ipv4 ip) {
  if (!range_.contains(ip)) {
    return Error(Code::kInvalid,
                 fmt::format("{} is outside the pod range {}", ip.text(), range_.text()));
  }
  if (const auto it = by_ip_.find(ip); it != by_ip_.end() && it->second != owner) {
    return Error(Code::kConflict, fmt::format("{} belongs to pod {}", ip.text(), it->second));
  }
  release(owner);
  by_ip_[ip] = owner;
  by_owner_[owner] = ip;
  if (ip.value() >= next_ && ip.value() + 1 < range_.last().value()) next_ = ip.value() + 1;
  return Unit{};
}

void AddressPool::release(const std::string& owner) {
  const auto it = by_owner_.find(owner);
  if (it == by_owner_.end()) return;
  by_ip_.erase(it->second);
  by_owner_.erase(it);
}

std::optional<Ipv4> AddressPool::find(const std::string& owner) const {
  const auto it = by_owner_.find(owner);
  if (it == by_owner_.end()) return std::nullopt;
  return it->second;
}

}  // namespace atl::network
