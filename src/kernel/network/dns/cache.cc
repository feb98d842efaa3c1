#include "kernel/network/dns/cache.h"

#include <fmt/format.h>

namespace atl::network::dns {

std::string Cache::key_of(const Query& query) {
  return fmt::format("{} {} {} {}{}{}", query.lower, uint16_t(query.type), query.klass, query.edns,
                     query.dnssec, query.checking_disabled);
}

std::optional<Bytes> Cache::find(const Query& query, size_t limit) {
  const auto it = by_key_.find(key_of(query));
  if (it == by_key_.end()) return std::nullopt;
  const MonoTime now = clock_.monotonic();
  if (now >= it->second->expires) {
    erase(it->second);
    return std::nullopt;
  }
  entries_.splice(entries_.begin(), entries_, it->second);
  const Entry& entry = entries_.front();
  const auto age = std::chrono::duration_cast<std::chrono::seconds>(now - entry.kept).count();
  auto reply = reuse_reply(query, entry.reply, uint32_t(age), limit);
  if (!reply) return std::nullopt;
  return *std::move(reply);
}

void Cache::keep(const Query& query, Bytes reply, uint32_t ttl_seconds) {
  if (ttl_seconds == 0) return;
  const std::string key = key_of(query);
  if (const auto it = by_key_.find(key); it != by_key_.end()) erase(it->second);
  const MonoTime now = clock_.monotonic();
  bytes_ += reply.size();
  entries_.push_front({key, std::move(reply), now, now + std::chrono::seconds(ttl_seconds)});
  by_key_[key] = entries_.begin();
  while (entries_.size() > kMostEntries || bytes_ > kMostBytes) erase(std::prev(entries_.end()));
}

void Cache::clear() {
  entries_.clear();
  by_key_.clear();
  bytes_ = 0;
}

void Cache::erase(std::list<Entry>::iterator entry) {
  bytes_ -= entry->reply.size();
  by_key_.erase(entry->key);
  entries_.erase(entry);
}

}  // namespace atl::network::dns
