#include "kernel/network/dns/forwarder.h"

#include "kernel/network/dns/counted_impl.h"

namespace atl::network::dns {
namespace {

constexpr size_t kRounds = 2;

void set_id(Bytes& packet, uint16_t id) {
  packet[0] = uint8_t(id >> 8);
  packet[1] = uint8_t(id);
}

bool usable(Rcode rcode) {
  return rcode == Rcode::kOk || rcode == Rcode::kNoName;
}

}  // namespace

Task<Bytes> Forwarder::ask(Query query, Bytes packet, Transport transport) {
  const size_t limit = transport == Transport::kTcp ? kMostTcpBytes : query.udp_bytes;
  if (auto kept = cache_.find(query, limit)) co_return *std::move(kept);
  if (in_flight_ >= kMostInFlight) {
    co_return Error(Code::kTooMany, "too many questions to other name servers at once");
  }
  const Counted counted(in_flight_);
  co_return co_await ask_all(std::move(query), std::move(packet), transport);
}

Task<Bytes> Forwarder::ask_all(Query query, Bytes packet, Transport transport) {
  const std::vector<Upstream> servers = upstreams_();
  Error last(Code::kUnavailable, "the host's resolv.conf names no name server");
  Bytes fallback;  // a refusal is better than silence
  const size_t start = first_;
  for (size_t i = 0; i < kRounds * servers.size(); ++i) {
    const size_t at = (start + i) % servers.size();
    Query sent = query;
    sent.id = uint16_t(rng_.next());
    set_id(packet, sent.id);
    auto reply = co_await exchange_.ask(servers[at], packet, transport, kPatience);
    if (!reply) {
      last = std::move(reply).error();
      continue;
    }
    const auto facts = inspect_reply(sent, *reply);
    if (!facts) {
      last = facts.error();
      continue;
    }
    set_id(*reply, query.id);
    if (!usable(facts->rcode)) {
      fallback = *std::move(reply);
      continue;
    }
    first_ = at;
    cache_.keep(query, *reply, facts->ttl_seconds);
    co_return *std::move(reply);
  }
  if (!fallback.empty()) co_return fallback;
  co_return last;
}

}  // namespace atl::network::dns
