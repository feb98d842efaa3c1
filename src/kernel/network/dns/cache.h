#pragma once

#include <list>
#include <optional>
#include <string>
#include <tuple>
#include <unordered_map>

#include "base/core/clock.h"
#include "kernel/network/dns/message.h"

namespace atl::network::dns {

// Replies of other servers, for as long as their TTL says and at most 30 s. The least recently used
// goes first. Bounded by entries and by bytes. One executor.
class Cache {
 public:
  static constexpr size_t kMostEntries = 4096;
  static constexpr size_t kMostBytes = 4 << 20;

  explicit Cache(Clock& clock) : clock_(clock) {}

  // The reply as this query wants it, with its TTLs aged.
  std::optional<Bytes> find(const Query& query, size_t limit);
  void keep(const Query& query, Bytes reply, uint32_t ttl_seconds);
  void clear();
  size_t size() const { return entries_.size(); }

 private:
  struct Entry {
    std::string key;
    Bytes reply;
    MonoTime kept;
    MonoTime expires;
  };
  static std::string key_of(const Query& query);
  void erase(std::list<Entry>::iterator entry);

  Clock& clock_;
  std::list<Entry> entries_;  // most recently used first
  std::unordered_map<std::string, std::list<Entry>::iterator> by_key_;
  size_t bytes_ = 0;
};

}  // namespace atl::network::dns
