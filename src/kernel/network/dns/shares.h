#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <utility>

namespace atl::network::dns {

// At most so many at once for each client, so that one leaves room for the others. Holds only those
// clients who have any; outlives what it gave out.
class Shares {
 public:
  class Share {
   public:
    Share(Shares& all, uint32_t client) : all_(&all), client_(client) { ++all.taken_[client]; }
    Share(Share&& other) noexcept
        : all_(std::exchange(other.all_, nullptr)), client_(other.client_) {}
    Share& operator=(Share&&) = delete;
    ~Share() {
      if (!all_) return;
      const auto it = all_->taken_.find(client_);
      if (--it->second == 0) all_->taken_.erase(it);
    }

   private:
    Shares* all_;
    uint32_t client_;
  };

  explicit Shares(size_t most) : most_(most) {}
  // Nothing where the client has all that it may have.
  std::optional<Share> take(uint32_t client) {
    const auto it = taken_.find(client);
    if (it != taken_.end() && it->second >= most_) return std::nullopt;
    return Share(*this, client);
  }

 private:
  size_t most_;
  std::map<uint32_t, size_t> taken_;
};

}  // namespace atl::network::dns
