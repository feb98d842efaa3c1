#include "kernel/network/ruleset.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <string_view>
#include <vector>

namespace atl::network {
namespace {

constexpr std::array<size_t, 5> kCoarseSlots = {64, 128, 256, 512, 1024};
constexpr std::string_view kKey = "ip daddr . meta l4proto . th dport";

// Twice as many slots as backends at least: no backend gets more than 1.5 times another's share.
size_t slots_for(size_t backends) {
  if (backends <= kExactBackends) return backends;
  for (const size_t slots : kCoarseSlots) {
    if (slots >= 2 * backends) return slots;
  }
  return kMostSlots;
}

uint64_t mixed(uint64_t x) {  // splitmix64
  x += 0x9e3779b97f4a7c15u;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
  return x ^ (x >> 31);
}

// Rendezvous: the backend with the highest hash for this slot.
const Backend& sticky_choice(const std::vector<Backend>& backends, size_t slot) {
  const auto weight = [slot](const Backend& b) {
    return mixed(uint64_t(b.ip.value()) << 32 | uint64_t(b.port) << 16 | slot);
  };
  return *std::ranges::max_element(backends, {}, weight);
}

std::string key_text(const Frontend& f) {
  return fmt::format("{} . {} . {}", f.ip.text(), name(f.protocol), f.port);
}

// Elements of the maps, as the text between the braces spells them.
struct Elements {
  std::map<std::string, std::string> services;  // key → verdict
  std::map<std::string, std::string> slots;     // key → backend
};

Elements elements_of(const Frontends& frontends) {
  Elements out;
  for (const auto& [frontend, balancing] : frontends) {
    const auto& backends = balancing.backends;
    const std::string key = key_text(frontend);
    const size_t slots = balancing.sticky ? kStickySlots : slots_for(backends.size());
    out.services[key] = balancing.sticky ? "goto sticky" : fmt::format("goto pick_{}", slots);
    for (size_t slot = 0; slot < slots; ++slot) {
      const Backend& backend =
          balancing.sticky ? sticky_choice(backends, slot) : backends[slot % backends.size()];
      out.slots[fmt::format("{} . {}", key, slot)] =
          fmt::format("{} . {}", backend.ip.text(), backend.port);
    }
  }
  return out;
}

std::map<std::string, std::string> hairpins(const std::set<Ipv4>& backends) {
  std::map<std::string, std::string> out;
  for (const Ipv4 ip : backends) out[ip.text() + " . " + ip.text()] = "";
  return out;
}

std::string list(const std::map<std::string, std::string>& elements) {
  std::string out;
  for (const auto& [key, value] : elements) {
    if (!out.empty()) out += ", ";
    out += value.empty() ? key : key + " : " + value;
  }
  return out;
}

// "elements = { ... }" or nothing: nft knows no empty list.
std::string initial(const std::map<std::string, std::string>& elements) {
  return elements.empty() ? "" : "elements = { " + list(elements) + " }";
}

std::string opened_devices(const HostFacts& facts) {
  std::map<std::string, std::string> names;
  for (const std::string& device : facts.opened) names["\"" + device + "\""] = "";
  return initial(names);
}

std::string pick_chains() {
  std::string out;
  const auto chain = [&](const std::string& chain_name, const std::string& draw) {
    out += fmt::format("  chain {} {{ dnat ip to {} . {} map @slots; }}\n", chain_name, kKey, draw);
  };
  for (size_t n = 1; n <= kExactBackends; ++n) {
    chain(fmt::format("pick_{}", n), fmt::format("numgen random mod {}", n));
  }
  for (const size_t n : kCoarseSlots) {
    chain(fmt::format("pick_{}", n), fmt::format("numgen random mod {}", n));
  }
  chain("sticky", fmt::format("jhash ip saddr mod {} seed 0x41746f6c", kStickySlots));
  return out;
}

// Node addresses beyond loopback, where NodePorts were asked for: "{ 192.0.2.2, ... }" or empty.
std::string outside_addresses(const Options& options) {
  std::string out;
  for (const Ipv4 ip : options.node_port_addresses) {
    if (ip.loopback()) continue;
    out += (out.empty() ? "" : ", ") + ip.text();
  }
  return out.empty() ? out : "{ " + out + " }";
}

std::string nat_chains(const Options& options) {
  const std::string outside = outside_addresses(options);
  std::string out = "  chain from_pods {\n    type nat hook prerouting priority dstnat;\n";
  out += fmt::format("    iifgroup {} {} vmap @services\n", options.link_group(), kKey);
  if (!outside.empty()) out += fmt::format("    ip daddr {} {} vmap @services\n", outside, kKey);
  out += "  }\n  chain from_host {\n    type nat hook output priority -100;\n";
  out += fmt::format("    {} vmap @services\n  }}\n", kKey);
  // A pod that reaches itself through a Service, and 127.0.0.1 as the source of a connection to a
  // NodePort, need a source that the pod can answer to. What leaves the machine wears the machine's
  // address.
  out += fmt::format(
      "  chain sources {{\n    type nat hook postrouting priority srcnat;\n"
      "    ip saddr . ip daddr @hairpin snat ip to {0}\n"
      "    oifgroup {1} ip saddr 127.0.0.0/8 snat ip to {0}\n"
      "    ip saddr {2} ip daddr != {2} oifgroup != {1} oifname != \"lo\" masquerade\n  }}\n",
      options.link_ip.text(), options.link_group(), options.pods.text());
  return out;
}

// Told at once: TCP by a reset, because ICMP errors are rationed by the kernel.
std::string refused(std::string_view what) {
  return fmt::format("    {0} meta l4proto tcp reject with tcp reset\n    {0} reject\n", what);
}

std::string filter_chains(const Options& options) {
  const uint32_t group = options.link_group();
  const std::string outside = outside_addresses(options);
  const std::string refuse = refused("ip daddr " + options.services.text());
  std::string out = fmt::format(
      "  chain spoofed {{\n    type filter hook prerouting priority raw;\n"
      "    iifgroup {0} meta nfproto != ipv4 drop\n"
      "    iifgroup {0} ip daddr 127.0.0.0/8 drop\n"
      "    iifgroup {0} fib saddr . iif oif missing drop\n  }}\n",
      group);
  out += fmt::format(
      "  chain link_local {{\n    type filter hook input priority filter;\n"
      "    ip daddr {} iifname != \"lo\" iifgroup != {} drop\n"
      // Replies to NodePorts on loopback come this way too.
      "    ip daddr 127.0.0.0/8 iifname != \"lo\" ct direction original drop\n  }}\n",
      options.link_ip.text(), group);
  out += "  chain through {\n    type filter hook forward priority filter;\n";
  if (!options.metadata_from_pods)
    out += refused(fmt::format("iifgroup {} ip daddr 169.254.0.0/16", group));
  if (!outside.empty()) out += fmt::format("    ct original ip daddr {} accept\n", outside);
  out += fmt::format(
      "    oifgroup {} iifgroup != {} ct state != {{ established, related }} drop\n"
      "    iifname @opened meta oifgroup and 0xff000000 != 0x41000000 drop\n",
      group, group);
  out += refuse + "  }\n  chain refused {\n    type filter hook output priority filter;\n";
  return out + refuse + "  }\n";
}

std::string commands(std::string_view verb, const Options& options, std::string_view set,
                     const std::map<std::string, std::string>& elements) {
  if (elements.empty()) return {};
  return fmt::format("{} element inet {} {} {{ {} }}\n", verb, options.instance, set,
                     list(elements));
}

// What must go, and what must come, to get from one map to the other.
std::string change(const Options& options, std::string_view set,
                   const std::map<std::string, std::string>& before,
                   const std::map<std::string, std::string>& after) {
  std::map<std::string, std::string> gone, fresh;
  for (const auto& [key, value] : before) {
    const auto it = after.find(key);
    if (it == after.end() || it->second != value) gone[key] = "";
  }
  for (const auto& [key, value] : after) {
    const auto it = before.find(key);
    if (it == before.end() || it->second != value) fresh[key] = value;
  }
  return commands("delete", options, set, gone) + commands("add", options, set, fresh);
}

}  // namespace

std::string full_ruleset(const Options& options, const HostFacts& facts,
                         const Frontends& frontends) {
  const Elements elements = elements_of(frontends);
  std::set<Ipv4> backends;
  for (const auto& [frontend, balancing] : frontends) {
    for (const Backend& backend : balancing.backends) backends.insert(backend.ip);
  }
  std::string out = delete_ruleset(options);
  out += fmt::format("table inet {} {{\n", options.instance);
  out += fmt::format("  set opened {{ type ifname; {} }}\n", opened_devices(facts));
  out += fmt::format("  set hairpin {{ type ipv4_addr . ipv4_addr; {} }}\n",
                     initial(hairpins(backends)));
  out += fmt::format(
      "  map slots {{ typeof {} . numgen random mod 65536 : ip daddr . th dport; {} }}\n", kKey,
      initial(elements.slots));
  out += pick_chains();
  out +=
      fmt::format("  map services {{ type ipv4_addr . inet_proto . inet_service : verdict; {} }}\n",
                  initial(elements.services));
  out += nat_chains(options) + filter_chains(options);
  return out + "}\n";
}

std::string ruleset_change(const Options& options, const Frontends& before, const Frontends& after,
                           const BackendChange& backends) {
  const Elements old = elements_of(before);
  const Elements now = elements_of(after);
  return change(options, "services", old.services, now.services) +
         change(options, "slots", old.slots, now.slots) +
         change(options, "hairpin", hairpins(backends.gone), hairpins(backends.fresh));
}

std::string delete_ruleset(const Options& options) {
  // "delete" fails where there is none; "add" makes sure that there is.
  return fmt::format("add table inet {0}\ndelete table inet {0}\n", options.instance);
}

}  // namespace atl::network
