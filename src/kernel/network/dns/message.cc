#include "kernel/network/dns/message.h"

#include <fmt/format.h>
#include <ldns/ldns.h>

#include <algorithm>
#include <cstdlib>
#include <memory>

namespace atl::network::dns {
namespace {

constexpr uint32_t kLongestKeptSeconds = 30;

template <auto F>
struct Freer {
  template <class T>
  void operator()(T* pointer) const {
    F(pointer);
  }
};
using Packet = std::unique_ptr<ldns_pkt, Freer<ldns_pkt_free>>;
using Rr = std::unique_ptr<ldns_rr, Freer<ldns_rr_free>>;
using Rdf = std::unique_ptr<ldns_rdf, Freer<ldns_rdf_deep_free>>;
using Buffer = std::unique_ptr<ldns_buffer, Freer<ldns_buffer_free>>;
using CText = std::unique_ptr<char, Freer<std::free>>;

Packet parse(std::span<const uint8_t> bytes) {
  ldns_pkt* packet = nullptr;
  if (ldns_wire2pkt(&packet, bytes.data(), bytes.size()) != LDNS_STATUS_OK) return nullptr;
  return Packet(packet);
}

std::string name_text(const ldns_rdf* name) {
  const CText text(ldns_rdf2str(name));
  std::string out = text ? text.get() : "";
  if (!out.empty() && out.back() == '.') out.pop_back();
  return out;
}

Rdf name_rdf(const std::string& name) {
  return Rdf(ldns_dname_new_frm_str((name + ".").c_str()));
}

Rdf number_rdf(uint16_t value) {
  return Rdf(ldns_native2rdf_int16(LDNS_RDF_TYPE_INT16, value));
}

Rdf number32_rdf(uint32_t value) {
  return Rdf(ldns_native2rdf_int32(LDNS_RDF_TYPE_INT32, value));
}

Rr empty_rr(const std::string& owner, uint16_t type, uint32_t ttl_seconds) {
  Rr rr(ldns_rr_new());
  Rdf name = name_rdf(owner);
  if (!rr || !name) return nullptr;
  ldns_rr_set_owner(rr.get(), name.release());
  ldns_rr_set_type(rr.get(), ldns_rr_type(type));
  ldns_rr_set_class(rr.get(), LDNS_RR_CLASS_IN);
  ldns_rr_set_ttl(rr.get(), ttl_seconds);
  return rr;
}

// False where a field could not be made (a name longer than 255 bytes, say).
bool push(const Rr& rr, Rdf field) {
  return field && ldns_rr_push_rdf(rr.get(), field.release());
}

// Null where a name in it does not fit the wire format: such a record is left out.
Rr to_rr(const Record& record) {
  Rr rr = empty_rr(record.owner, uint16_t(record.type), record.ttl_seconds);
  if (!rr) return nullptr;
  bool whole = false;
  if (const auto* ip = std::get_if<Ipv4>(&record.data)) {
    const uint32_t bytes = ip->network_order();
    whole = push(rr, Rdf(ldns_rdf_new_frm_data(LDNS_RDF_TYPE_A, sizeof(bytes), &bytes)));
  } else if (const auto* srv = std::get_if<Srv>(&record.data)) {
    whole = push(rr, number_rdf(srv->priority)) && push(rr, number_rdf(srv->weight)) &&
            push(rr, number_rdf(srv->port)) && push(rr, name_rdf(srv->target));
  } else if (const auto* name = std::get_if<Name>(&record.data)) {
    whole = push(rr, name_rdf(name->text));
  } else if (const auto* text = std::get_if<Text>(&record.data)) {
    const std::string bytes = char(text->text.size()) + text->text;
    whole = push(rr, Rdf(ldns_rdf_new_frm_data(LDNS_RDF_TYPE_STR, bytes.size(), bytes.data())));
  }
  return whole ? std::move(rr) : nullptr;
}

Rr to_rr(const Soa& soa) {
  Rr rr = empty_rr(soa.zone, uint16_t(Type::kSoa), soa.ttl_seconds);
  const bool whole = rr && push(rr, name_rdf("ns.dns." + soa.zone)) &&
                     push(rr, name_rdf("hostmaster." + soa.zone)) &&
                     push(rr, number32_rdf(soa.serial)) && push(rr, number32_rdf(7200)) &&
                     push(rr, number32_rdf(1800)) && push(rr, number32_rdf(86400)) &&
                     push(rr, number32_rdf(soa.ttl_seconds));
  return whole ? std::move(rr) : nullptr;
}

void add(ldns_pkt* packet, ldns_pkt_section section, Rr rr) {
  if (rr && ldns_pkt_push_rr(packet, section, rr.get())) (void)rr.release();
}

// A reply with the question as it was asked, and nothing in it yet.
Packet reply_to(const Query& query) {
  Packet packet(ldns_pkt_new());
  ldns_pkt_set_id(packet.get(), query.id);
  ldns_pkt_set_qr(packet.get(), true);
  ldns_pkt_set_rd(packet.get(), query.recursion_desired);
  ldns_pkt_set_ra(packet.get(), true);
  Rr question = empty_rr(query.name, uint16_t(query.type), 0);
  if (question) {
    ldns_rr_set_question(question.get(), true);
    ldns_rr_set_class(question.get(), ldns_rr_class(query.klass));
    add(packet.get(), LDNS_SECTION_QUESTION, std::move(question));
  }
  if (query.edns) {
    ldns_pkt_set_edns_udp_size(packet.get(), kMostUdpBytes);
    ldns_pkt_set_edns_do(packet.get(), query.dnssec);
  }
  return packet;
}

Bytes wire(const ldns_pkt* packet) {
  const Buffer buffer(ldns_buffer_new(kPlainUdpBytes));
  if (!buffer || ldns_pkt2buffer_wire(buffer.get(), packet) != LDNS_STATUS_OK) return {};
  const uint8_t* begin = ldns_buffer_begin(buffer.get());
  return Bytes(begin, begin + ldns_buffer_position(buffer.get()));
}

// Drops records until it fits. Additional records are a courtesy; a shorter answer is announced.
Bytes fitted(ldns_pkt* packet, size_t limit) {
  Bytes out = wire(packet);
  while (out.size() > limit && ldns_pkt_arcount(packet) > 0) {
    const Rr dropped(ldns_rr_list_pop_rr(ldns_pkt_additional(packet)));
    ldns_pkt_set_arcount(packet, uint16_t(ldns_pkt_arcount(packet) - 1));
    out = wire(packet);
  }
  while (out.size() > limit && ldns_pkt_ancount(packet) + ldns_pkt_nscount(packet) > 0) {
    ldns_pkt_set_tc(packet, true);
    const bool authority = ldns_pkt_nscount(packet) > 0;
    const Rr dropped(
        ldns_rr_list_pop_rr(authority ? ldns_pkt_authority(packet) : ldns_pkt_answer(packet)));
    if (authority)
      ldns_pkt_set_nscount(packet, uint16_t(ldns_pkt_nscount(packet) - 1));
    else
      ldns_pkt_set_ancount(packet, uint16_t(ldns_pkt_ancount(packet) - 1));
    out = wire(packet);
  }
  return out;
}

bool same_question(const Query& query, const ldns_pkt* packet) {
  const ldns_rr_list* questions = ldns_pkt_question(packet);
  if (ldns_rr_list_rr_count(questions) != 1) return false;
  const ldns_rr* question = ldns_rr_list_rr(questions, 0);
  return uint16_t(ldns_rr_get_type(question)) == uint16_t(query.type) &&
         uint16_t(ldns_rr_get_class(question)) == query.klass &&
         lower(name_text(ldns_rr_owner(question))) == query.lower;
}

uint32_t negative_ttl(const ldns_pkt* packet) {
  const ldns_rr_list* authority = ldns_pkt_authority(packet);
  for (size_t i = 0; i < ldns_rr_list_rr_count(authority); ++i) {
    const ldns_rr* rr = ldns_rr_list_rr(authority, i);
    if (ldns_rr_get_type(rr) != LDNS_RR_TYPE_SOA || ldns_rr_rd_count(rr) < 7) continue;
    return std::min(ldns_rr_ttl(rr), ldns_rdf2native_int32(ldns_rr_rdf(rr, 6)));
  }
  return 0;
}

template <class F>
void for_each_rr(ldns_pkt* packet, F each) {
  for (ldns_rr_list* list :
       {ldns_pkt_answer(packet), ldns_pkt_authority(packet), ldns_pkt_additional(packet)}) {
    for (size_t i = 0; i < ldns_rr_list_rr_count(list); ++i) each(ldns_rr_list_rr(list, i));
  }
}

}  // namespace

std::string lower(std::string_view name) {
  std::string out(name);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = char(c - 'A' + 'a');
  }
  return out;
}

Result<Query> parse_query(std::span<const uint8_t> packet) {
  if (packet.size() < LDNS_HEADER_SIZE || (packet[2] & 0x80) != 0) {
    return Error(Code::kBadRequest, "no DNS query");
  }
  if (packet.size() > kMostQueryBytes) return Error(Code::kInvalid, "the query is too long");
  const Packet parsed = parse(packet);
  if (!parsed) return Error(Code::kInvalid, "the query cannot be read");
  const ldns_rr_list* questions = ldns_pkt_question(parsed.get());
  if (ldns_pkt_get_opcode(parsed.get()) != LDNS_PACKET_QUERY ||
      ldns_rr_list_rr_count(questions) != 1) {
    return Error(Code::kInvalid, "one question is needed");
  }
  const ldns_rr* question = ldns_rr_list_rr(questions, 0);
  Query out{.id = ldns_pkt_id(parsed.get()),
            .name = name_text(ldns_rr_owner(question)),
            .type = Type(ldns_rr_get_type(question)),
            .klass = uint16_t(ldns_rr_get_class(question)),
            .recursion_desired = ldns_pkt_rd(parsed.get()),
            .edns = ldns_pkt_edns(parsed.get()),
            .dnssec = ldns_pkt_edns_do(parsed.get()),
            .checking_disabled = ldns_pkt_cd(parsed.get())};
  out.lower = lower(out.name);
  if (out.edns) {
    out.udp_bytes = uint16_t(
        std::clamp<size_t>(ldns_pkt_edns_udp_size(parsed.get()), kPlainUdpBytes, kMostUdpBytes));
  }
  return out;
}

Bytes refusal(std::span<const uint8_t> packet, Rcode rcode) {
  if (packet.size() < LDNS_HEADER_SIZE || (packet[2] & 0x80) != 0) return {};
  Bytes out(LDNS_HEADER_SIZE, 0);
  out[0] = packet[0];
  out[1] = packet[1];
  out[2] = uint8_t(0x80 | (packet[2] & 0x79));  // a reply, with the opcode and RD as asked
  out[3] = uint8_t(rcode);
  return out;
}

Bytes encode(const Query& query, const Reply& reply, size_t limit) {
  const Packet packet = reply_to(query);
  ldns_pkt_set_aa(packet.get(), reply.authoritative);
  ldns_pkt_set_rcode(packet.get(), uint8_t(reply.rcode));
  for (const Record& r : reply.answers) add(packet.get(), LDNS_SECTION_ANSWER, to_rr(r));
  for (const Soa& soa : reply.authority) add(packet.get(), LDNS_SECTION_AUTHORITY, to_rr(soa));
  for (const Record& r : reply.additional) add(packet.get(), LDNS_SECTION_ADDITIONAL, to_rr(r));
  return fitted(packet.get(), limit);
}

Result<ReplyFacts> inspect_reply(const Query& query, std::span<const uint8_t> reply) {
  const Packet packet = parse(reply);
  if (!packet) return Error(Code::kInvalid, "the reply cannot be read");
  if (!ldns_pkt_qr(packet.get()) || ldns_pkt_id(packet.get()) != query.id ||
      !same_question(query, packet.get())) {
    return Error(Code::kInvalid, "the reply answers something else");
  }
  ReplyFacts out{.rcode = Rcode(ldns_pkt_get_rcode(packet.get())),
                 .truncated = ldns_pkt_tc(packet.get())};
  const bool keepable = (out.rcode == Rcode::kOk || out.rcode == Rcode::kNoName) && !out.truncated;
  if (!keepable) return out;
  if (ldns_pkt_ancount(packet.get()) == 0) {
    out.ttl_seconds = negative_ttl(packet.get());
  } else {
    out.ttl_seconds = kLongestKeptSeconds;
    for_each_rr(packet.get(), [&](const ldns_rr* rr) {
      out.ttl_seconds = std::min(out.ttl_seconds, ldns_rr_ttl(rr));
    });
  }
  out.ttl_seconds = std::min(out.ttl_seconds, kLongestKeptSeconds);
  return out;
}

Result<Bytes> reuse_reply(const Query& query, std::span<const uint8_t> reply, uint32_t age_seconds,
                          size_t limit) {
  const Packet packet = parse(reply);
  if (!packet) return Error(Code::kInvalid, "the kept reply cannot be read");
  ldns_pkt_set_id(packet.get(), query.id);
  ldns_pkt_set_rd(packet.get(), query.recursion_desired);
  ldns_pkt_set_aa(packet.get(), false);
  Rdf name = name_rdf(query.name);
  ldns_rr* question = ldns_rr_list_rr(ldns_pkt_question(packet.get()), 0);
  if (name && question != nullptr) {
    ldns_rdf_deep_free(ldns_rr_owner(question));
    ldns_rr_set_owner(question, name.release());
  }
  for_each_rr(packet.get(), [&](ldns_rr* rr) {
    ldns_rr_set_ttl(rr, ldns_rr_ttl(rr) - std::min(age_seconds, ldns_rr_ttl(rr)));
  });
  return fitted(packet.get(), limit);
}

Bytes join_replies(const Query& query, const Reply& first, std::span<const uint8_t> rest,
                   size_t limit) {
  const Packet packet = reply_to(query);
  for (const Record& r : first.answers) add(packet.get(), LDNS_SECTION_ANSWER, to_rr(r));
  if (const Packet more = parse(rest)) {
    ldns_pkt_set_rcode(packet.get(), ldns_pkt_get_rcode(more.get()));
    const ldns_rr_list* answers = ldns_pkt_answer(more.get());
    for (size_t i = 0; i < ldns_rr_list_rr_count(answers); ++i) {
      add(packet.get(), LDNS_SECTION_ANSWER, Rr(ldns_rr_clone(ldns_rr_list_rr(answers, i))));
    }
  }
  return fitted(packet.get(), limit);
}

Bytes encode_query(uint16_t id, const std::string& name, Type type, uint16_t edns_udp_bytes) {
  const Packet packet(ldns_pkt_new());
  ldns_pkt_set_id(packet.get(), id);
  ldns_pkt_set_rd(packet.get(), true);
  Rr question = empty_rr(name, uint16_t(type), 0);
  if (!question) return {};
  ldns_rr_set_question(question.get(), true);
  add(packet.get(), LDNS_SECTION_QUESTION, std::move(question));
  if (edns_udp_bytes != 0) ldns_pkt_set_edns_udp_size(packet.get(), edns_udp_bytes);
  return wire(packet.get());
}

Result<std::vector<std::string>> answer_lines(std::span<const uint8_t> packet) {
  const Packet parsed = parse(packet);
  if (!parsed) return Error(Code::kInvalid, "the packet cannot be read");
  std::vector<std::string> out;
  const ldns_rr_list* answers = ldns_pkt_answer(parsed.get());
  for (size_t i = 0; i < ldns_rr_list_rr_count(answers); ++i) {
    const CText text(ldns_rr2str(ldns_rr_list_rr(answers, i)));
    std::string line = text ? text.get() : "";
    std::replace(line.begin(), line.end(), '\t', ' ');
    while (!line.empty() && line.back() == '\n') line.pop_back();
    out.push_back(std::move(line));
  }
  return out;
}

}  // namespace atl::network::dns
