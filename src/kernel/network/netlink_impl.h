#pragma once

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/core/result.h"
#include "kernel/network/address.h"

namespace atl::network {

struct LinkInfo {
  int index = 0;
  std::string name;
  std::string alias;
  uint32_t group = 0;
  uint32_t mtu = 0;
  bool up = false;
  bool carrying = false;  // packets really get through: the kernel's work after "up" is done
};

struct VethSpec {
  std::string name;   // this side, in the socket's namespace
  std::string alias;  // for people: "pod default/web-1"
  uint32_t group = 0;
  Mac mac{};
  std::string peer_name;
  Mac peer_mac{};
  int peer_netns = -1;  // an fd
  uint32_t mtu = 1500;
};

// Per-device IPv4 settings, as under /proc/sys/net/ipv4/conf/<device>/, set without a file system.
struct DeviceSettings {
  bool forwarding = false;
  bool route_localnet = false;  // replies to 127.0.0.0/8 after un-NAT
  bool accept_redirects = false;
  bool send_redirects = false;
};

struct RouteSpec {
  Ipv4Range to;  // {0.0.0.0, 0}: the default route
  int device = 0;
  std::optional<Ipv4> gateway;  // always taken as on-link
  std::optional<Ipv4> source;   // preferred source address
  bool link_scope = false;
  bool operator==(const RouteSpec&) const = default;
};

// rtnetlink of the network namespace in which it was opened, through libmnl. Blocking (microseconds
// to milliseconds: the kernel's RTNL lock), so it runs on the blocking pool; one thread at a time.
// Adding what is there already replaces it. Errors carry the kernel's own words where it has
// any: kForbidden (no CAP_NET_ADMIN), kUnavailable.
class Netlink {
 public:
  static Result<std::unique_ptr<Netlink>> open();
  ~Netlink();
  Netlink(const Netlink&) = delete;
  Netlink& operator=(const Netlink&) = delete;

  Result<std::vector<LinkInfo>> links();
  Result<std::optional<LinkInfo>> link(const std::string& name);
  Result<> create_veth(const VethSpec& spec);
  Result<> set_up(int index);
  Result<> set_settings(int index, const DeviceSettings& settings);
  Result<> set_group(int index, uint32_t group);  // ok where the link is gone
  Result<> delete_link(int index);                // ok where it is gone
  // Every link of the group in one go: far cheaper than one by one.
  Result<> delete_group(uint32_t group);

  enum class Scope : uint8_t { kGlobal, kLink, kHost };
  Result<> add_address(int index, Ipv4 ip, uint8_t prefix, Scope scope);
  Result<> delete_address(int index, Ipv4 ip, uint8_t prefix);  // ok where it is gone
  Result<std::vector<Ipv4>> addresses(int index);

  // IPv4, main table.
  Result<std::vector<RouteSpec>> routes();
  Result<> replace_route(const RouteSpec& route);
  Result<> delete_route(const RouteSpec& route);  // ok where it is gone
  // Permanent: never asked for on the wire.
  Result<> replace_neighbour(int index, Ipv4 ip, const Mac& mac);

 private:
  class Message;
  explicit Netlink(void* socket) : socket_(socket) {}
  // Sends, hands each answer to `on_message`, and waits for the end. `what` is the operation for
  // the error's text; errno values in `fine` are success.
  template <class F>
  Result<> exchange(Message& message, const std::string& what, std::initializer_list<int> fine,
                    F on_message);
  Result<> talk(Message& message, const std::string& what, std::initializer_list<int> fine = {});
  template <class F>
  Result<> dump(Message& message, const std::string& what, F on_message);

  void* socket_;  // mnl_socket
  uint32_t sequence_ = 1;
};

}  // namespace atl::network
