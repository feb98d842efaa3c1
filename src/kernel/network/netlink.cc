#include <arpa/inet.h>
#include <libmnl/libmnl.h>
#include <linux/if.h>
#include <linux/if_link.h>
#include <linux/ip.h>
#include <linux/neighbour.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>

#include "base/io/files.h"
#include "kernel/network/netlink_impl.h"

namespace atl::network {
namespace {

// Marks routes as ours in `ip route` (proto 97).
constexpr uint8_t kRouteProtocol = 97;
constexpr size_t kDumpBytes = 32 * 1024;

mnl_socket* handle(void* socket) {
  return static_cast<mnl_socket*>(socket);
}

// Calls `each` for every attribute behind the first `skip` bytes of the payload.
template <class F>
void for_each_attribute(const nlmsghdr* header, size_t skip, F each) {
  const auto* attr = static_cast<const nlattr*>(mnl_nlmsg_get_payload_offset(header, skip));
  const auto* end = static_cast<const char*>(mnl_nlmsg_get_payload_tail(header));
  while (mnl_attr_ok(attr, int(end - reinterpret_cast<const char*>(attr)))) {
    each(attr);
    attr = mnl_attr_next(attr);
  }
}

// The kernel's sentence in an extended acknowledgement, or nothing.
std::string kernel_words(const nlmsghdr* header) {
  if ((header->nlmsg_flags & NLM_F_ACK_TLVS) == 0) return {};
  const auto* error = static_cast<const nlmsgerr*>(mnl_nlmsg_get_payload(header));
  size_t skip = sizeof(nlmsgerr);
  if ((header->nlmsg_flags & NLM_F_CAPPED) == 0) skip += error->msg.nlmsg_len - sizeof(nlmsghdr);
  std::string words;
  for_each_attribute(header, skip, [&](const nlattr* attr) {
    if (mnl_attr_get_type(attr) == NLMSGERR_ATTR_MSG) words = mnl_attr_get_str(attr);
  });
  return words;
}

Error refused(const std::string& what, int error, const std::string& words) {
  return io::errno_error(words.empty() ? what : what + ": " + words, error);
}

LinkInfo link_of(const nlmsghdr* header) {
  const auto* info = static_cast<const ifinfomsg*>(mnl_nlmsg_get_payload(header));
  LinkInfo out{.index = info->ifi_index, .up = (info->ifi_flags & IFF_UP) != 0};
  for_each_attribute(header, sizeof(*info), [&](const nlattr* attr) {
    switch (mnl_attr_get_type(attr)) {
      case IFLA_IFNAME:
        out.name = mnl_attr_get_str(attr);
        break;
      case IFLA_IFALIAS:
        out.alias = mnl_attr_get_str(attr);
        break;
      case IFLA_OPERSTATE:
        out.carrying = mnl_attr_get_u8(attr) == IF_OPER_UP;
        break;
      case IFLA_GROUP:
        out.group = mnl_attr_get_u32(attr);
        break;
      case IFLA_MTU:
        out.mtu = mnl_attr_get_u32(attr);
        break;
      default:
        break;
    }
  });
  return out;
}

Ipv4 address_of(const nlattr* attr) {
  return Ipv4(ntohl(mnl_attr_get_u32(attr)));
}

std::optional<RouteSpec> route_of(const nlmsghdr* header) {
  const auto* info = static_cast<const rtmsg*>(mnl_nlmsg_get_payload(header));
  if (info->rtm_table != RT_TABLE_MAIN || info->rtm_type != RTN_UNICAST) return std::nullopt;
  RouteSpec out{.to = {Ipv4(), info->rtm_dst_len}, .link_scope = info->rtm_scope == RT_SCOPE_LINK};
  for_each_attribute(header, sizeof(*info), [&](const nlattr* attr) {
    switch (mnl_attr_get_type(attr)) {
      case RTA_DST:
        out.to = {address_of(attr), info->rtm_dst_len};
        break;
      case RTA_OIF:
        out.device = int(mnl_attr_get_u32(attr));
        break;
      case RTA_GATEWAY:
        out.gateway = address_of(attr);
        break;
      case RTA_PREFSRC:
        out.source = address_of(attr);
        break;
      default:
        break;
    }
  });
  return out;
}

}  // namespace

class Netlink::Message {
 public:
  Message(uint16_t type, uint16_t flags) : header(mnl_nlmsg_put_header(buffer_)) {
    header->nlmsg_type = type;
    header->nlmsg_flags = uint16_t(NLM_F_REQUEST | flags);
  }
  template <class T>
  T* body() {
    return static_cast<T*>(mnl_nlmsg_put_extra_header(header, sizeof(T)));
  }
  void u8(uint16_t type, uint8_t value) { mnl_attr_put_u8(header, type, value); }
  void u32(uint16_t type, uint32_t value) { mnl_attr_put_u32(header, type, value); }
  void ip(uint16_t type, Ipv4 value) { mnl_attr_put_u32(header, type, value.network_order()); }
  void text(uint16_t type, const std::string& value) {
    mnl_attr_put_strz(header, type, value.c_str());
  }
  void mac(uint16_t type, const Mac& value) {
    mnl_attr_put(header, type, value.size(), value.data());
  }
  nlattr* begin(uint16_t type) { return mnl_attr_nest_start(header, type); }
  void end(nlattr* nest) { mnl_attr_nest_end(header, nest); }

 private:
  alignas(NLMSG_ALIGNTO) char buffer_[4096] = {};  // our messages stay below 1 KiB

 public:
  nlmsghdr* header;
};

Result<std::unique_ptr<Netlink>> Netlink::open() {
  mnl_socket* socket = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
  if (socket == nullptr) return io::errno_error("open a netlink socket", errno);
  auto out = std::unique_ptr<Netlink>(new Netlink(socket));
  if (mnl_socket_bind(socket, 0, MNL_SOCKET_AUTOPID) < 0) {
    return io::errno_error("bind a netlink socket", errno);
  }
  int on = 1;
  // Both only make messages better or shorter: a kernel without them is fine.
  (void)mnl_socket_setsockopt(socket, NETLINK_EXT_ACK, &on, sizeof(on));
  (void)mnl_socket_setsockopt(socket, NETLINK_CAP_ACK, &on, sizeof(on));
  return out;
}

Netlink::~Netlink() {
  mnl_socket_close(handle(socket_));
}

template <class F>
Result<> Netlink::exchange(Message& message, const std::string& what,
                           std::initializer_list<int> fine, F on_message) {
  message.header->nlmsg_seq = sequence_++;
  if (mnl_socket_sendto(handle(socket_), message.header, message.header->nlmsg_len) < 0) {
    return io::errno_error(what, errno);
  }
  const std::unique_ptr<char[]> buffer(new char[kDumpBytes]);
  for (;;) {
    const ssize_t got = mnl_socket_recvfrom(handle(socket_), buffer.get(), kDumpBytes);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return io::errno_error(what, errno);
    int left = int(got);
    for (auto* header = reinterpret_cast<nlmsghdr*>(buffer.get()); mnl_nlmsg_ok(header, left);
         header = mnl_nlmsg_next(header, &left)) {
      if (header->nlmsg_seq != message.header->nlmsg_seq) continue;
      if (header->nlmsg_type == NLMSG_DONE) return Unit{};
      if (header->nlmsg_type != NLMSG_ERROR) {
        on_message(header);
        continue;
      }
      const int error = -static_cast<nlmsgerr*>(mnl_nlmsg_get_payload(header))->error;
      if (error == 0 || std::find(fine.begin(), fine.end(), error) != fine.end()) return Unit{};
      return refused(what, error, kernel_words(header));
    }
  }
}

Result<> Netlink::talk(Message& message, const std::string& what, std::initializer_list<int> fine) {
  message.header->nlmsg_flags |= NLM_F_ACK;
  return exchange(message, what, fine, [](const nlmsghdr*) {});
}

template <class F>
Result<> Netlink::dump(Message& message, const std::string& what, F on_message) {
  message.header->nlmsg_flags |= NLM_F_DUMP;
  return exchange(message, what, {}, on_message);
}

Result<std::vector<LinkInfo>> Netlink::links() {
  Message message(RTM_GETLINK, 0);
  message.body<ifinfomsg>()->ifi_family = AF_UNSPEC;
  std::vector<LinkInfo> out;
  TRY_OK(dump(message, "list the links", [&](const nlmsghdr* h) { out.push_back(link_of(h)); }));
  return out;
}

// By name, not by listing all: and the kernel first finishes what a change of the carrier left to
// do.
Result<std::optional<LinkInfo>> Netlink::link(const std::string& name) {
  Message message(RTM_GETLINK, NLM_F_ACK);
  message.body<ifinfomsg>()->ifi_family = AF_UNSPEC;
  message.text(IFLA_IFNAME, name);
  std::optional<LinkInfo> out;
  TRY_OK(exchange(message, "look up the link " + name, {ENODEV},
                  [&](const nlmsghdr* h) { out = link_of(h); }));
  return out;
}

Result<> Netlink::create_veth(const VethSpec& spec) {
  Message message(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL);
  message.body<ifinfomsg>()->ifi_family = AF_UNSPEC;
  message.text(IFLA_IFNAME, spec.name);
  message.text(IFLA_IFALIAS, spec.alias.substr(0, 255));
  message.u32(IFLA_GROUP, spec.group);
  message.u32(IFLA_MTU, spec.mtu);
  message.mac(IFLA_ADDRESS, spec.mac);
  // One queue a side: with the default of one a CPU, creation is six times slower on large hosts.
  message.u32(IFLA_NUM_TX_QUEUES, 1);
  message.u32(IFLA_NUM_RX_QUEUES, 1);
  nlattr* info = message.begin(IFLA_LINKINFO);
  message.text(IFLA_INFO_KIND, "veth");
  nlattr* data = message.begin(IFLA_INFO_DATA);
  nlattr* peer = message.begin(VETH_INFO_PEER);
  message.body<ifinfomsg>()->ifi_family = AF_UNSPEC;
  message.text(IFLA_IFNAME, spec.peer_name);
  message.u32(IFLA_NET_NS_FD, uint32_t(spec.peer_netns));
  message.u32(IFLA_MTU, spec.mtu);
  message.mac(IFLA_ADDRESS, spec.peer_mac);
  message.u32(IFLA_NUM_TX_QUEUES, 1);
  message.u32(IFLA_NUM_RX_QUEUES, 1);
  message.end(peer);
  message.end(data);
  message.end(info);
  return talk(message, "create the link " + spec.name);
}

Result<> Netlink::set_up(int index) {
  Message message(RTM_NEWLINK, 0);
  auto* info = message.body<ifinfomsg>();
  info->ifi_index = index;
  info->ifi_flags = IFF_UP;
  info->ifi_change = IFF_UP;
  return talk(message, "bring a link up");
}

Result<> Netlink::set_settings(int index, const DeviceSettings& settings) {
  Message message(RTM_NEWLINK, 0);
  message.body<ifinfomsg>()->ifi_index = index;
  nlattr* spec = message.begin(IFLA_AF_SPEC);
  nlattr* inet = message.begin(AF_INET);
  nlattr* conf = message.begin(IFLA_INET_CONF);
  message.u32(IPV4_DEVCONF_FORWARDING, settings.forwarding ? 1 : 0);
  message.u32(IPV4_DEVCONF_ROUTE_LOCALNET, settings.route_localnet ? 1 : 0);
  message.u32(IPV4_DEVCONF_ACCEPT_REDIRECTS, settings.accept_redirects ? 1 : 0);
  message.u32(IPV4_DEVCONF_SEND_REDIRECTS, settings.send_redirects ? 1 : 0);
  message.end(conf);
  message.end(inet);
  // Pods have no IPv6 address yet: without a link-local one there is no duplicate detection either.
  nlattr* inet6 = message.begin(AF_INET6);
  message.u8(IFLA_INET6_ADDR_GEN_MODE, IN6_ADDR_GEN_MODE_NONE);
  message.end(inet6);
  message.end(spec);
  return talk(message, "set up a link");
}

Result<> Netlink::set_group(int index, uint32_t group) {
  Message message(RTM_NEWLINK, 0);
  message.body<ifinfomsg>()->ifi_index = index;
  message.u32(IFLA_GROUP, group);
  return talk(message, "set a link's group", {ENODEV});
}

Result<> Netlink::delete_link(int index) {
  Message message(RTM_DELLINK, 0);
  message.body<ifinfomsg>()->ifi_index = index;
  return talk(message, "delete a link", {ENODEV});
}

Result<> Netlink::delete_group(uint32_t group) {
  TRY(const auto all, links());
  bool any = false;
  for (const LinkInfo& link : all) any = any || link.group == group;
  if (!any) return Unit{};
  Message message(RTM_DELLINK, 0);
  message.body<ifinfomsg>();
  message.u32(IFLA_GROUP, group);
  return talk(message, "delete a group of links");
}

Result<> Netlink::add_address(int index, Ipv4 ip, uint8_t prefix, Scope scope) {
  Message message(RTM_NEWADDR, NLM_F_CREATE | NLM_F_REPLACE);
  auto* info = message.body<ifaddrmsg>();
  info->ifa_family = AF_INET;
  info->ifa_prefixlen = prefix;
  info->ifa_index = uint32_t(index);
  info->ifa_scope = scope == Scope::kHost   ? RT_SCOPE_HOST
                    : scope == Scope::kLink ? RT_SCOPE_LINK
                                            : RT_SCOPE_UNIVERSE;
  message.ip(IFA_LOCAL, ip);
  message.ip(IFA_ADDRESS, ip);
  return talk(message, "add the address " + ip.text());
}

Result<> Netlink::delete_address(int index, Ipv4 ip, uint8_t prefix) {
  Message message(RTM_DELADDR, 0);
  auto* info = message.body<ifaddrmsg>();
  info->ifa_family = AF_INET;
  info->ifa_prefixlen = prefix;
  info->ifa_index = uint32_t(index);
  message.ip(IFA_LOCAL, ip);
  return talk(message, "remove the address " + ip.text(), {EADDRNOTAVAIL});
}

Result<std::vector<Ipv4>> Netlink::addresses(int index) {
  Message message(RTM_GETADDR, 0);
  message.body<ifaddrmsg>()->ifa_family = AF_INET;
  std::vector<Ipv4> out;
  TRY_OK(dump(message, "list addresses", [&](const nlmsghdr* header) {
    const auto* info = static_cast<const ifaddrmsg*>(mnl_nlmsg_get_payload(header));
    if (info->ifa_index != uint32_t(index)) return;
    for_each_attribute(header, sizeof(*info), [&](const nlattr* attr) {
      if (mnl_attr_get_type(attr) == IFA_LOCAL) out.push_back(address_of(attr));
    });
  }));
  return out;
}

Result<std::vector<RouteSpec>> Netlink::routes() {
  Message message(RTM_GETROUTE, 0);
  message.body<rtmsg>()->rtm_family = AF_INET;
  std::vector<RouteSpec> out;
  TRY_OK(dump(message, "list routes", [&](const nlmsghdr* header) {
    if (auto route = route_of(header)) out.push_back(*route);
  }));
  return out;
}

Result<> Netlink::replace_route(const RouteSpec& route) {
  Message message(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE);
  auto* info = message.body<rtmsg>();
  info->rtm_family = AF_INET;
  info->rtm_table = RT_TABLE_MAIN;
  info->rtm_protocol = kRouteProtocol;
  info->rtm_type = RTN_UNICAST;
  info->rtm_dst_len = route.to.prefix();
  info->rtm_scope = route.link_scope ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE;
  if (route.gateway) info->rtm_flags = RTNH_F_ONLINK;
  if (route.to.prefix() != 0) message.ip(RTA_DST, route.to.first());
  message.u32(RTA_OIF, uint32_t(route.device));
  if (route.gateway) message.ip(RTA_GATEWAY, *route.gateway);
  if (route.source) message.ip(RTA_PREFSRC, *route.source);
  return talk(message, "add the route to " + route.to.text());
}

Result<> Netlink::delete_route(const RouteSpec& route) {
  Message message(RTM_DELROUTE, 0);
  auto* info = message.body<rtmsg>();
  info->rtm_family = AF_INET;
  info->rtm_table = RT_TABLE_MAIN;
  info->rtm_dst_len = route.to.prefix();
  info->rtm_scope = RT_SCOPE_NOWHERE;
  if (route.to.prefix() != 0) message.ip(RTA_DST, route.to.first());
  if (route.device != 0) message.u32(RTA_OIF, uint32_t(route.device));
  return talk(message, "remove the route to " + route.to.text(), {ESRCH});
}

Result<> Netlink::replace_neighbour(int index, Ipv4 ip, const Mac& mac) {
  Message message(RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE);
  auto* info = message.body<ndmsg>();
  info->ndm_family = AF_INET;
  info->ndm_ifindex = index;
  info->ndm_state = NUD_PERMANENT;
  message.ip(NDA_DST, ip);
  message.mac(NDA_LLADDR, mac);
  return talk(message, "add the neighbour " + ip.text());
}

}  // namespace atl::network
