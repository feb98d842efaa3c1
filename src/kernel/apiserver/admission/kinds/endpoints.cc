#include "kernel/apiserver/admission/kinds/endpoints.h"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <set>
#include <span>

#include "kernel/apiserver/contract/findings.h"

namespace atl::apiserver {
namespace {

constexpr std::string_view kSystemWriter = "system:apiserver";
constexpr size_t kHintsMax = 8;
constexpr size_t kFqdnLabelsMin = 2;

// An address of either family; IPv4 in its last four bytes.
struct Address {
  bool v4 = false;
  std::array<uint8_t, 16> bytes{};
  bool mapped = false;  // IPv4 written as IPv6
};

std::optional<Address> parse_address(std::string_view text) {
  const std::string terminated(text);
  if (terminated.size() != text.size() || text.find('\0') != std::string_view::npos)
    return std::nullopt;
  Address out;
  out.v4 = inet_pton(AF_INET, terminated.c_str(), &out.bytes[12]) == 1;
  if (!out.v4 && inet_pton(AF_INET6, terminated.c_str(), out.bytes.data()) != 1)
    return std::nullopt;
  constexpr std::array<uint8_t, 12> kMapped{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
  out.mapped = !out.v4 && std::ranges::equal(std::span(out.bytes).first<12>(), kMapped);
  return out;
}

bool is_loopback(const Address& a) {
  if (a.v4) return a.bytes[12] == 127;
  return a.bytes[15] == 1 &&
         std::ranges::all_of(std::span(a.bytes).first<15>(), [](uint8_t b) { return b == 0; });
}
bool is_link_local(const Address& a) {
  if (a.v4) return a.bytes[12] == 169 && a.bytes[13] == 254;
  return a.bytes[0] == 0xfe && (a.bytes[1] & 0xc0) == 0x80;
}
bool is_multicast(const Address& a) {
  return a.v4 ? a.bytes[12] >= 224 && a.bytes[12] <= 239 : a.bytes[0] == 0xff;
}
bool is_link_multicast(const Address& a) {
  if (a.v4) return a.bytes[12] == 224 && a.bytes[13] == 0 && a.bytes[14] == 0;
  return a.bytes[0] == 0xff && (a.bytes[1] & 0x0f) == 2;
}
bool is_unspecified(const Address& a) {
  return std::ranges::all_of(a.bytes, [](uint8_t b) { return b == 0; });
}

// What no packet for a Service may be sent to.
void check_special(const Address& address, std::string_view text, const std::string& path,
                   api::Findings& out) {
  const auto add = [&](std::string_view why) {
    out.push_back(invalid_value(path, json::Value(text), why));
  };
  if (is_unspecified(address)) add(fmt::format("may not be unspecified ({})", text));
  if (is_loopback(address)) add("may not be in the loopback range (127.0.0.0/8, ::1/128)");
  if (is_link_local(address)) add("may not be in the link-local range (169.254.0.0/16, fe80::/10)");
  if (is_link_multicast(address)) {
    add("may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)");
  } else if (is_multicast(address)) {
    add("may not be in the multicast range (224.0.0.0/4, ff00::/8)");
  }
}

std::optional<Address> check_address(std::string_view text, const std::string& path,
                                     api::Findings& out) {
  auto address = parse_address(text);
  if (!address) {
    out.push_back(invalid_value(path, json::Value(text),
                                "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"));
  } else if (address->mapped) {
    out.push_back(
        invalid_value(path, json::Value(text), "must not be an IPv4-mapped IPv6 address"));
    return std::nullopt;
  }
  return address;
}

void check_domain(std::string_view text, const std::string& path, api::Findings& out) {
  if (text.empty()) return out.push_back(required_value(path));
  const std::string_view name = text.ends_with('.') ? text.substr(0, text.size() - 1) : text;
  const size_t before = out.size();
  for (const std::string& why : api::dns_subdomain(name))
    out.push_back(invalid_value(path, json::Value(text), why));
  if (out.size() != before) return;
  if (size_t(std::ranges::count(name, '.')) + 1 < kFqdnLabelsMin) {
    out.push_back(invalid_value(path, json::Value(text),
                                "should be a domain with at least two segments separated by dots"));
  }
}

void check_typed(std::string_view type, std::string_view text, const std::string& path,
                 api::Findings& out) {
  if (type == "FQDN") return check_domain(text, path, out);
  if (type != "IPv4" && type != "IPv6") return;  // the schema has told
  const auto address = check_address(text, path, out);
  if (!address) return;
  if (address->v4 != (type == "IPv4"))
    out.push_back(
        invalid_value(path, json::Value(text), fmt::format("must be an {} address", type)));
  check_special(*address, text, path, out);
}

// Names of a list stand once.
void check_names(const json::Array& list, const std::string& path, api::Findings& out) {
  std::set<std::string, std::less<>> seen;
  for (size_t i = 0; i < list.size(); ++i) {
    const std::string_view name = json::string_at(list[i], {"name"});
    if (!seen.emplace(name).second)
      out.push_back(duplicate_value(under(at(path, i), "name"), json::Value(name)));
  }
}

void check_hints(const json::Value& endpoint, const std::string& path, api::Findings& out) {
  for (const std::string_view field : {"forZones", "forNodes"}) {
    const json::Array& hints = json::array_at(endpoint, {"hints", field});
    const std::string here = under(under(path, "hints"), field);
    if (hints.size() > kHintsMax) {
      out.push_back(api::too_many(here, hints.size(), kHintsMax));
      continue;
    }
    check_names(hints, here, out);
    for (size_t i = 0; i < hints.size(); ++i) {
      check_text(out, under(at(here, i), "name"), json::string_at(hints[i], {"name"}),
                 field == "forZones" ? api::label_value : api::dns_subdomain);
    }
  }
}

void check_port_texts(const json::Value& port, const std::string& path, api::Findings& out) {
  check_text(out, under(path, "name"), json::string_at(port, {"name"}), api::dns_label);
  check_text(out, under(path, "appProtocol"), json::string_at(port, {"appProtocol"}),
             api::label_key);
}

void check_place(const json::Value& endpoint, const std::string& path, api::Findings& out) {
  check_text(out, under(path, "nodeName"), json::string_at(endpoint, {"nodeName"}),
             api::dns_subdomain);
  check_text(out, under(path, "hostname"), json::string_at(endpoint, {"hostname"}), api::dns_label);
}

bool judged(const WriteContext& write, std::string_view field) {
  if (write.user && write.user->name == kSystemWriter) return false;
  if (!write.old) return true;
  return !json::equal(json::Value(json::array_at(*write.object, {field})),
                      json::Value(json::array_at(*write.old, {field})));
}

void check_subset(const json::Value& subset, const std::string& path, api::Findings& out) {
  size_t count = 0;
  for (const std::string_view list : {"addresses", "notReadyAddresses"}) {
    const json::Array& addresses = json::array_at(subset, {list});
    count += addresses.size();
    for (size_t i = 0; i < addresses.size(); ++i) {
      const std::string here = at(under(path, list), i);
      const std::string_view text = json::string_at(addresses[i], {"ip"});
      const auto address = check_address(text, under(here, "ip"), out);
      if (address) check_special(*address, text, under(here, "ip"), out);
      check_place(addresses[i], here, out);
    }
  }
  if (count == 0)
    out.push_back(required_value(path, "must specify `addresses` or `notReadyAddresses`"));
  const json::Array& ports = json::array_at(subset, {"ports"});
  for (size_t i = 0; i < ports.size(); ++i) {
    const std::string here = at(under(path, "ports"), i);
    if (ports.size() > 1 && json::string_at(ports[i], {"name"}).empty())
      out.push_back(required_value(under(here, "name")));
    check_port_texts(ports[i], here, out);
  }
}

}  // namespace

api::Findings EndpointSliceHook::validate(const WriteContext& write) const {
  if (!write.subresource.empty()) return {};
  const json::Value& slice = *write.object;
  api::Findings out;
  const std::string_view type = json::string_at(slice, {"addressType"});
  if (write.old && json::string_at(*write.old, {"addressType"}) != type)
    out.push_back(api::immutable_value("addressType", json::Value(type)));
  const json::Array& ports = json::array_at(slice, {"ports"});
  check_names(ports, "ports", out);
  for (size_t i = 0; i < ports.size(); ++i) check_port_texts(ports[i], at("ports", i), out);
  if (!judged(write, "endpoints")) return out;
  const json::Array& endpoints = json::array_at(slice, {"endpoints"});
  for (size_t i = 0; i < endpoints.size(); ++i) {
    const std::string here = at("endpoints", i);
    const json::Array& addresses = json::array_at(endpoints[i], {"addresses"});
    for (size_t j = 0; j < addresses.size(); ++j) {
      if (addresses[j].is_string())
        check_typed(type, addresses[j].get_string(), at(under(here, "addresses"), j), out);
    }
    check_place(endpoints[i], here, out);
    check_hints(endpoints[i], here, out);
  }
  return out;
}

api::Findings EndpointsHook::validate(const WriteContext& write) const {
  if (!write.subresource.empty() || !judged(write, "subsets")) return {};
  api::Findings out;
  const json::Array& subsets = json::array_at(*write.object, {"subsets"});
  for (size_t i = 0; i < subsets.size(); ++i) check_subset(subsets[i], at("subsets", i), out);
  return out;
}

}  // namespace atl::apiserver
