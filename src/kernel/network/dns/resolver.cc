#include "kernel/network/dns/server.h"

namespace atl::network::dns {
namespace {

constexpr int kMostAliases = 8;
constexpr uint16_t kInternet = 1;

Bytes failure(const Query& query, Rcode rcode, size_t limit) {
  return encode(query, {.rcode = rcode}, limit);
}

}  // namespace

Async<Bytes> Resolver::answer(Bytes packet, Transport transport) {
  auto query = parse_query(packet);
  if (!query) {
    if (query.error().code() == Code::kBadRequest) co_return Bytes();
    const bool other_operation = packet.size() > 2 && (packet[2] & 0x78) != 0;
    co_return refusal(packet, other_operation ? Rcode::kNotImplemented : Rcode::kFormat);
  }
  const size_t limit = transport == Transport::kTcp ? kMostTcpBytes : query->udp_bytes;
  if (query->klass != kInternet) co_return failure(*query, Rcode::kRefused, limit);
  if (zone_.owns(query->lower)) co_return co_await answer_own(*query, limit, transport);
  auto reply = co_await forwarder_.ask(*query, std::move(packet), transport);
  if (!reply) co_return failure(*query, Rcode::kServerFailure, limit);
  co_return *std::move(reply);
}

// Clients follow no CNAME themselves: what an ExternalName stands for comes in the same reply.
Async<Bytes> Resolver::answer_own(Query query, size_t limit, Transport transport) {
  Zone::Answer found = zone_.answer(query);
  Query next = query;
  for (int i = 0; i < kMostAliases && !found.alias.empty(); ++i) {
    next.name = next.lower = found.alias;
    if (!zone_.owns(next.lower)) {
      Bytes packet = encode_query(0, next.name, next.type, query.udp_bytes);
      if (packet.empty()) co_return failure(query, Rcode::kServerFailure, limit);
      next.edns = true;
      auto rest = co_await forwarder_.ask(next, std::move(packet), transport);
      if (!rest) co_return failure(query, Rcode::kServerFailure, limit);
      co_return join_replies(query, found.reply, *rest, limit);
    }
    Zone::Answer more = zone_.answer(next);
    found.alias = more.alias;
    found.reply.rcode = more.reply.rcode;
    auto& answers = found.reply.answers;
    answers.insert(answers.end(), more.reply.answers.begin(), more.reply.answers.end());
  }
  co_return encode(query, found.reply, limit);
}

}  // namespace atl::network::dns
