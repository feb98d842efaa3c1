#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "base/core/result.h"
#include "kernel/network/address.h"

// DNS messages (RFC 1035, 2782, 6891) as values. The wire format is ldns's; message.cc alone
// includes it.
namespace atl::network::dns {

enum class Type : uint16_t {
  kA = 1,
  kNs = 2,
  kCname = 5,
  kSoa = 6,
  kPtr = 12,
  kTxt = 16,
  kAaaa = 28,
  kSrv = 33,
  kAny = 255
};
enum class Rcode : uint8_t {
  kOk = 0,
  kFormat = 1,
  kServerFailure = 2,
  kNoName = 3,
  kNotImplemented = 4,
  kRefused = 5
};

inline constexpr size_t kPlainUdpBytes = 512;  // without EDNS
inline constexpr size_t kMostUdpBytes =
    1232;  // what fits every path unfragmented (DNS flag day 2020)
inline constexpr size_t kMostTcpBytes = 65535;
inline constexpr size_t kMostQueryBytes = 4096;

using Bytes = std::vector<uint8_t>;

struct Query {
  uint16_t id = 0;
  std::string name;   // as asked, without the last dot; "" for the root
  std::string lower;  // the same in lower case
  Type type = Type::kA;
  uint16_t klass = 1;
  bool recursion_desired = false;
  bool edns = false;
  bool dnssec = false;  // the DO bit
  bool checking_disabled = false;
  uint16_t udp_bytes = kPlainUdpBytes;  // what the client takes in one packet
};

struct Srv {
  uint16_t priority = 0, weight = 0, port = 0;
  std::string target;
  bool operator==(const Srv&) const = default;
};
struct Name {  // of CNAME, NS, PTR
  std::string text;
  bool operator==(const Name&) const = default;
};
struct Text {
  std::string text;  // at most 255 bytes
  bool operator==(const Text&) const = default;
};

struct Record {
  std::string owner;  // without the last dot
  Type type = Type::kA;
  uint32_t ttl_seconds = 0;
  std::variant<Ipv4, Srv, Name, Text> data;
  bool operator==(const Record&) const = default;
};

// The SOA of a zone: what makes "no such name" cacheable.
struct Soa {
  std::string zone;
  uint32_t serial = 0;
  uint32_t ttl_seconds = 0;
};

struct Reply {
  Rcode rcode = Rcode::kOk;
  bool authoritative = false;
  std::vector<Record> answers;
  std::vector<Record> additional;
  std::vector<Soa> authority;  // at most one
};

// kBadRequest: no DNS query at all (no reply is due); kInvalid: one that gets FORMERR or NOTIMP,
// see refusal().
Result<Query> parse_query(std::span<const uint8_t> packet);
// The reply to a packet that is no usable query, where its header can be read; empty otherwise.
Bytes refusal(std::span<const uint8_t> packet, Rcode rcode);

// At most `limit` bytes: sections that do not fit are left out, and the truncation bit says so.
Bytes encode(const Query& query, const Reply& reply, size_t limit);

// Of a server's reply. kInvalid where it does not belong to the query, or cannot be read.
struct ReplyFacts {
  Rcode rcode = Rcode::kOk;
  bool truncated = false;
  uint32_t ttl_seconds =
      0;  // the lowest; of the SOA's minimum where there is no answer; 0: not to be kept
};
Result<ReplyFacts> inspect_reply(const Query& query, std::span<const uint8_t> reply);

// A kept reply for another query of the same question: its id, its spelling, and `age_seconds` off
// every TTL.
Result<Bytes> reuse_reply(const Query& query, std::span<const uint8_t> reply, uint32_t age_seconds,
                          size_t limit);

// `first` (a CNAME of ours) followed by the answers of a server's reply to the CNAME's target.
Bytes join_replies(const Query& query, const Reply& first, std::span<const uint8_t> rest,
                   size_t limit);

// A query as a client would send it. For looking up a CNAME's target, and for tests.
Bytes encode_query(uint16_t id, const std::string& name, Type type, uint16_t edns_udp_bytes);

// Answers of a packet, for tests and tools: "web.default.svc.cluster.local. 5 IN A 10.96.0.7" each.
Result<std::vector<std::string>> answer_lines(std::span<const uint8_t> packet);

// The text of a name in lower case.
std::string lower(std::string_view name);

}  // namespace atl::network::dns
