#include <arpa/inet.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>

#include <cerrno>
#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/io/files.h"
#include "kernel/network/conntrack_impl.h"

namespace atl::network {
namespace {

constexpr size_t kBufferBytes = 64 * 1024;

struct Tuple {
  Ipv4 source, destination;
  uint8_t protocol = 0;
  uint16_t source_port = 0, destination_port = 0;
};

class Socket {
 public:
  Socket() : socket_(mnl_socket_open2(NETLINK_NETFILTER, SOCK_CLOEXEC)) {}
  ~Socket() {
    if (socket_ != nullptr) mnl_socket_close(socket_);
  }
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;
  mnl_socket* get() const { return socket_; }

 private:
  mnl_socket* socket_;
};

template <class F>
void for_each_nested(const nlattr* nest, F each) {
  const auto* attr = static_cast<const nlattr*>(mnl_attr_get_payload(nest));
  int left = int(mnl_attr_get_payload_len(nest));
  while (mnl_attr_ok(attr, left)) {
    each(attr);
    left -= int(MNL_ALIGN(attr->nla_len));
    attr = mnl_attr_next(attr);
  }
}

void read_field(Tuple& out, const nlattr* attr, uint16_t inside) {
  const uint16_t type = mnl_attr_get_type(attr);
  if (inside == CTA_TUPLE_IP) {
    if (type == CTA_IP_V4_SRC) out.source = Ipv4(ntohl(mnl_attr_get_u32(attr)));
    if (type == CTA_IP_V4_DST) out.destination = Ipv4(ntohl(mnl_attr_get_u32(attr)));
  } else if (inside == CTA_TUPLE_PROTO) {
    if (type == CTA_PROTO_NUM) out.protocol = mnl_attr_get_u8(attr);
    if (type == CTA_PROTO_SRC_PORT) out.source_port = ntohs(mnl_attr_get_u16(attr));
    if (type == CTA_PROTO_DST_PORT) out.destination_port = ntohs(mnl_attr_get_u16(attr));
  }
}

Tuple tuple_of(const nlattr* nest) {
  Tuple out;
  for_each_nested(nest, [&](const nlattr* part) {
    const uint16_t type = mnl_attr_get_type(part);
    for_each_nested(part, [&](const nlattr* field) { read_field(out, field, type); });
  });
  return out;
}

struct Flow {
  std::vector<char> original;  // the attribute as the kernel gave it: names the flow in a deletion
  Tuple from, to;
};

std::optional<Flow> flow_of(const nlmsghdr* header) {
  Flow flow;
  bool complete = false;
  const auto* attr =
      static_cast<const nlattr*>(mnl_nlmsg_get_payload_offset(header, sizeof(nfgenmsg)));
  const auto* end = static_cast<const char*>(mnl_nlmsg_get_payload_tail(header));
  while (mnl_attr_ok(attr, int(end - reinterpret_cast<const char*>(attr)))) {
    if (mnl_attr_get_type(attr) == CTA_TUPLE_ORIG) {
      const auto* bytes = static_cast<const char*>(mnl_attr_get_payload(attr));
      flow.original.assign(bytes, bytes + mnl_attr_get_payload_len(attr));
      flow.from = tuple_of(attr);
    } else if (mnl_attr_get_type(attr) == CTA_TUPLE_REPLY) {
      flow.to = tuple_of(attr);
      complete = true;
    }
    attr = mnl_attr_next(attr);
  }
  if (!complete || flow.original.empty()) return std::nullopt;
  return flow;
}

bool translated_so(const Flow& flow, const std::set<Translation>& gone) {
  if (flow.from.protocol != uint8_t(Protocol::kUdp)) return false;
  return gone.contains({{flow.from.destination, Protocol::kUdp, flow.from.destination_port},
                        {flow.to.source, flow.to.source_port}});
}

nlmsghdr* put_header(char* buffer, uint16_t type, uint16_t flags) {
  nlmsghdr* header = mnl_nlmsg_put_header(buffer);
  header->nlmsg_type = uint16_t(NFNL_SUBSYS_CTNETLINK << 8 | type);
  header->nlmsg_flags = uint16_t(NLM_F_REQUEST | flags);
  auto* body = static_cast<nfgenmsg*>(mnl_nlmsg_put_extra_header(header, sizeof(nfgenmsg)));
  body->nfgen_family = AF_INET;
  body->version = NFNETLINK_V0;
  return header;
}

// Hands every message of a reply to `on_message` until the kernel says that it is done.
template <class F>
Result<> exchange(const Socket& socket, nlmsghdr* request, const char* what, F on_message) {
  if (mnl_socket_sendto(socket.get(), request, request->nlmsg_len) < 0) {
    return io::errno_error(what, errno);
  }
  const std::unique_ptr<char[]> buffer(new char[kBufferBytes]);
  for (;;) {
    const ssize_t got = mnl_socket_recvfrom(socket.get(), buffer.get(), kBufferBytes);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return io::errno_error(what, errno);
    int left = int(got);
    for (auto* header = reinterpret_cast<nlmsghdr*>(buffer.get()); mnl_nlmsg_ok(header, left);
         header = mnl_nlmsg_next(header, &left)) {
      if (header->nlmsg_type == NLMSG_DONE) return Unit{};
      if (header->nlmsg_type == NLMSG_ERROR) {
        const int error = -static_cast<nlmsgerr*>(mnl_nlmsg_get_payload(header))->error;
        if (error == 0 || error == ENOENT) return Unit{};  // ENOENT: it expired meanwhile
        return io::errno_error(what, error);
      }
      on_message(header);
    }
  }
}

}  // namespace

Result<size_t> forget_udp_flows(const std::set<Translation>& gone) {
  if (gone.empty()) return size_t(0);
  const Socket socket;
  if (socket.get() == nullptr || mnl_socket_bind(socket.get(), 0, MNL_SOCKET_AUTOPID) < 0) {
    return io::errno_error("open the connection table", errno);
  }
  std::vector<Flow> stale;
  alignas(NLMSG_ALIGNTO) char buffer[1024];
  std::memset(buffer, 0, sizeof(buffer));
  nlmsghdr* list = put_header(buffer, IPCTNL_MSG_CT_GET, NLM_F_DUMP);
  TRY_OK(exchange(socket, list, "list connections", [&](const nlmsghdr* header) {
    auto flow = flow_of(header);
    if (flow && translated_so(*flow, gone)) stale.push_back(std::move(*flow));
  }));
  for (const Flow& flow : stale) {
    std::memset(buffer, 0, sizeof(buffer));
    nlmsghdr* removal = put_header(buffer, IPCTNL_MSG_CT_DELETE, NLM_F_ACK);
    mnl_attr_put(removal, CTA_TUPLE_ORIG | NLA_F_NESTED, flow.original.size(),
                 flow.original.data());
    TRY_OK(exchange(socket, removal, "forget a connection", [](const nlmsghdr*) {}));
  }
  return stale.size();
}

}  // namespace atl::network
