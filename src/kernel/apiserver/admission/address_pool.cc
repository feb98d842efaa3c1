#include "kernel/apiserver/admission/address_pool.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace atl::apiserver {

std::optional<uint32_t> parse_ipv4(std::string_view text) {
  uint32_t out = 0;
  for (int part = 0; part < 4; ++part) {
    const size_t dot = part < 3 ? text.find('.') : text.size();
    if (dot == std::string_view::npos) return std::nullopt;
    const std::string_view digits = text.substr(0, dot);
    uint32_t value = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    const bool leading_zero = digits.size() > 1 && digits.front() == '0';
    if (error != std::errc() || end != digits.data() + digits.size() || value > 255 || leading_zero)
      return std::nullopt;
    out = out << 8 | value;
    text = part < 3 ? text.substr(dot + 1) : std::string_view();
  }
  return out;
}

std::string ipv4_text(uint32_t address) {
  return fmt::format("{}.{}.{}.{}", address >> 24, address >> 16 & 255, address >> 8 & 255,
                     address & 255);
}

Result<AddressRange> AddressRange::parse(std::string_view cidr) {
  const size_t slash = cidr.find('/');
  const auto address = parse_ipv4(cidr.substr(0, slash));
  uint32_t bits = 0;
  const std::string_view length =
      slash == std::string_view::npos ? std::string_view() : cidr.substr(slash + 1);
  const auto [end, error] = std::from_chars(length.data(), length.data() + length.size(), bits);
  if (!address || error != std::errc() || end != length.data() + length.size() || bits < 4 ||
      bits > 30) {
    return Error(Code::kInvalid,
                 fmt::format("not a range of IPv4 addresses between /4 and /30: \"{}\"", cidr));
  }
  const uint32_t size = uint32_t{1} << (32 - bits);
  return AddressRange{.base = *address & ~(size - 1), .size = size, .text = std::string(cidr)};
}

bool NumberPool::held_by(uint32_t number, std::string_view owner) const {
  const auto at = held_.find(number);
  return at != held_.end() && at->second == owner;
}

std::optional<uint32_t> NumberPool::search(uint32_t first, uint32_t count, Rng& rng) const {
  if (count == 0) return std::nullopt;
  const auto start = static_cast<uint32_t>(rng.below(count));
  for (uint32_t i = 0; i < count; ++i) {
    const uint32_t number = first + (start + i) % count;
    if (!taken(number)) return number;
  }
  return std::nullopt;
}

std::optional<uint32_t> NumberPool::claim_any(uint32_t reserved, Rng& rng, std::string_view owner) {
  reserved = std::min(reserved, count_);
  auto number = search(first_ + reserved, count_ - reserved, rng);
  if (!number) number = search(first_, reserved, rng);
  if (number) pending_[*number] = {std::string(owner), 1};
  return number;
}

bool NumberPool::claim(uint32_t number, std::string_view owner) {
  if (const auto at = held_.find(number); at != held_.end() && at->second != owner) return false;
  Claim& claim = pending_[number];
  if (claim.times > 0 && claim.owner != owner) return false;
  claim.owner = owner;
  ++claim.times;
  return true;
}

void NumberPool::settle(uint32_t number) {
  const auto at = pending_.find(number);
  if (at != pending_.end() && --at->second.times == 0) pending_.erase(at);
}

void NumberPool::drop(uint32_t number, std::string_view owner) {
  const auto at = held_.find(number);
  if (at != held_.end() && at->second == owner) held_.erase(at);
}

}  // namespace atl::apiserver
