#include "kernel/network/host_network.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <map>

#include "base/io/files.h"
#include "base/io/unique_fd.h"
#include "kernel/network/host_record.h"
#include "kernel/network/netlink_impl.h"

namespace atl::network {
namespace {

constexpr int kLoopback = 1;  // lo's index in every namespace
// The groups of all instances' links share their first byte (options.h).
bool of_an_instance(uint32_t group) {
  return group >> 24 == 0x41 || group >> 24 == 0x42;
}

Result<std::string> read_sysctl(const std::string& path) {
  TRY(std::string text, io::read_file("/proc/sys/" + path, 4096));
  while (!text.empty() && text.back() == '\n') text.pop_back();
  return text;
}

Result<> write_sysctl(const std::string& path, const std::string& value) {
  const std::string file = "/proc/sys/" + path;
  const io::UniqueFd fd(::open(file.c_str(), O_WRONLY | O_CLOEXEC));
  if (!fd) return io::errno_error("open " + file, errno);
  if (::write(fd.get(), value.data(), value.size()) != ssize_t(value.size())) {
    return io::errno_error("write " + file, errno);
  }
  return Unit{};
}

std::string forwarding_of(const std::string& device) {
  return "net/ipv4/conf/" + device + "/forwarding";
}

Result<> check_clash(const Options& options, const std::vector<RouteSpec>& routes,
                     const std::map<int, LinkInfo>& links) {
  for (const RouteSpec& route : routes) {
    const auto link = links.find(route.device);
    const bool ours =
        route.device == kLoopback || (link != links.end() && of_an_instance(link->second.group));
    if (ours || route.to.prefix() == 0) continue;
    for (const Ipv4Range& range : {options.pods, options.services}) {
      if (!range.overlaps(route.to)) continue;
      return Error(Code::kConflict,
                   fmt::format("the range {} overlaps the host's own route to {}{}; set another "
                               "{} in atoll.conf",
                               range.text(), route.to.text(),
                               link == links.end() ? "" : " on " + link->second.name,
                               range == options.pods ? "POD_CIDR" : "SERVICE_CIDR"));
    }
  }
  return Unit{};
}

// Turns forwarding on for a device, noting first how it was.
Result<> open_device(HostRecord& record, const std::string& device) {
  const std::string path = forwarding_of(device);
  auto before = read_sysctl(path);
  if (!before && before.error().code() == Code::kNotFound) return Unit{};  // gone meanwhile
  if (!before) return std::move(before).error();
  if (*before != "0") return Unit{};
  TRY_OK(record.add_sysctl(path, *before));
  return write_sysctl(path, "1");
}

}  // namespace

Result<HostFacts> prepare_host(const Options& options) {
  TRY(HostRecord record, HostRecord::load(options.state));
  TRY(const auto netlink, Netlink::open());
  TRY(const auto all, netlink->links());
  std::map<int, LinkInfo> links;
  for (const LinkInfo& link : all) links[link.index] = link;
  TRY(const auto routes, netlink->routes());
  TRY_OK(check_clash(options, routes, links));

  TRY_OK(netlink->set_up(kLoopback));
  TRY_OK(record.add_address(options.link_ip));
  TRY_OK(netlink->add_address(kLoopback, options.link_ip, 32, Netlink::Scope::kHost));
  TRY_OK(record.add_route(options.services));
  TRY_OK(netlink->replace_route({.to = options.services,
                                 .device = kLoopback,
                                 .source = options.link_ip,
                                 .link_scope = true}));

  HostFacts facts{.node_address = "127.0.0.1"};
  std::set<std::string> devices;
  int uplink = 0;
  for (const RouteSpec& route : routes) {
    const auto link = links.find(route.device);
    if (link == links.end() || route.device == kLoopback || of_an_instance(link->second.group)) {
      continue;
    }
    devices.insert(link->second.name);
    if (route.to.prefix() != 0 || uplink != 0) continue;
    uplink = route.device;
    facts.mtu = link->second.mtu;
    TRY(const auto addresses, netlink->addresses(uplink));
    if (route.source)
      facts.node_address = route.source->text();
    else if (!addresses.empty())
      facts.node_address = addresses.front().text();
  }
  for (const std::string& device : devices) TRY_OK(open_device(record, device));

  // Somebody who turned forwarding on for the whole host wants it: then nothing is kept back.
  TRY(const std::string everywhere, read_sysctl("net/ipv4/ip_forward"));
  if (everywhere == "0") {
    for (const std::string& device : devices) {
      if (record.sysctls().contains(forwarding_of(device))) facts.opened.insert(device);
    }
  }
  return facts;
}

Result<> restore_host(const Options& options) {
  Result<> first = Unit{};
  const auto keep_first = [&first](Result<> result) {
    if (!result && first) first = std::move(result);
  };
  TRY(const auto netlink, Netlink::open());
  TRY(const auto all, netlink->links());
  for (const LinkInfo& link : all) {
    if (link.group == options.link_group()) {
      keep_first(netlink->set_group(link.index, options.dying_group()));
    }
  }
  keep_first(netlink->delete_group(options.dying_group()));

  auto record = HostRecord::load(options.state);
  if (!record) return std::move(record).error();
  for (const std::string& text : record->routes()) {
    TRY(const Ipv4Range range, Ipv4Range::parse(text));
    keep_first(netlink->delete_route({.to = range, .device = kLoopback}));
  }
  for (const std::string& text : record->addresses()) {
    TRY(const Ipv4 ip, Ipv4::parse(text));
    keep_first(netlink->delete_address(kLoopback, ip, 32));
  }
  for (const auto& [path, before] : record->sysctls()) {
    auto restored = write_sysctl(path, before);
    if (!restored && restored.error().code() == Code::kNotFound) continue;  // the device is gone
    keep_first(std::move(restored));
  }
  if (first) keep_first(record->remove());
  return first;
}

}  // namespace atl::network
