#include "kernel/keeper/wire.h"

#include <sys/socket.h>

#include <cerrno>

#include "base/io/files.h"

namespace atl::keeper {
namespace {

constexpr size_t kFixedStrings = 7;

void take_fds(const msghdr& message, Packet& packet) {
  for (cmsghdr* c = CMSG_FIRSTHDR(&message); c; c = CMSG_NXTHDR(const_cast<msghdr*>(&message), c)) {
    if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS) continue;
    const size_t count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (size_t i = 0; i < count; ++i) {
      int fd = -1;
      std::memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof fd);
      packet.fds.emplace_back(fd);
    }
  }
}

}  // namespace

Result<std::optional<Packet>> receive(int socket) {
  Packet packet;
  packet.bytes.resize(kMaxPacket);
  iovec part{packet.bytes.data(), packet.bytes.size()};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int) * kMaxFds)];
  msghdr message{};
  message.msg_iov = &part, message.msg_iovlen = 1;
  message.msg_control = control, message.msg_controllen = sizeof control;
  ssize_t n = 0;
  do n = ::recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
  while (n < 0 && errno == EINTR);
  if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
    return Error(Code::kTimeout, "no packet yet");
  if (n < 0) return io::errno_error("receive from keeper socket", errno);
  take_fds(message, packet);
  if (n == 0) return std::optional<Packet>();
  if (message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) {
    return Error(Code::kInvalid, "a packet of the keeper's protocol is too long");
  }
  packet.bytes.resize(size_t(n));
  TRY_OK(check_packet(packet));
  return std::optional<Packet>(std::move(packet));
}

Result<> check_packet(const Packet& packet) {
  if (packet.bytes.size() < sizeof(Header))
    return Error(Code::kInvalid, "a packet is shorter than its header");
  if (packet.header().magic != kMagic)
    return Error(Code::kInvalid, "a packet is not of the keeper's protocol");
  if (packet.header().version != kVersion) {
    return Error(Code::kInvalid,
                 "the peer speaks version " + std::to_string(packet.header().version) +
                     " of the keeper's protocol, this is version " + std::to_string(kVersion));
  }
  return Unit{};
}

Result<> send(int socket, std::string_view bytes, std::span<const int> fds) {
  iovec part{const_cast<char*>(bytes.data()), bytes.size()};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int) * kMaxFds)] = {};
  msghdr message{};
  message.msg_iov = &part, message.msg_iovlen = 1;
  if (fds.size() > kMaxFds)
    return Error(Code::kInvalid, "too many file descriptors for one packet");
  if (!fds.empty()) {
    message.msg_control = control;
    message.msg_controllen = CMSG_SPACE(sizeof(int) * fds.size());
    cmsghdr* c = CMSG_FIRSTHDR(&message);
    c->cmsg_level = SOL_SOCKET, c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(sizeof(int) * fds.size());
    std::memcpy(CMSG_DATA(c), fds.data(), sizeof(int) * fds.size());
  }
  ssize_t n = 0;
  do n = ::sendmsg(socket, &message, MSG_NOSIGNAL);
  while (n < 0 && errno == EINTR);
  if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
    return Error(Code::kTimeout, "there is no room for a packet");
  if (n < 0) return io::errno_error("send to keeper socket", errno);
  return Unit{};
}

Result<std::string> encode(const CreateArguments& a, uint64_t request) {
  CreateRequest fixed;
  fixed.header.type = Type::kCreate;
  fixed.header.request = request;
  fixed.flags = a.flags;
  if (a.id.empty() || !put(fixed.id, a.id))
    return Error(Code::kInvalid, "container id is empty or too long: " + a.id);
  std::vector<const std::string*> strings = {&a.runtime,     &a.state_folder,   &a.bundle,
                                             &a.netns_key,   &a.overlay_target, &a.overlay_upper,
                                             &a.overlay_work};
  for (const std::string& lower : a.overlay_lowers) strings.push_back(&lower);
  fixed.strings = uint32_t(strings.size());
  std::string out(reinterpret_cast<const char*>(&fixed), sizeof fixed);
  for (const std::string* s : strings) {
    if (s->find('\0') != std::string::npos) return Error(Code::kInvalid, "a path holds a NUL byte");
    out.append(*s).push_back('\0');
  }
  if (out.size() > kMaxPacket)
    return Error(Code::kInvalid, "the image has too many layers for one packet");
  return out;
}

Result<CreateArguments> decode_create(const Packet& packet) {
  const auto fixed = packet.as<CreateRequest>();
  if (!fixed) return Error(Code::kInvalid, "create: the packet is too short");
  std::vector<std::string> strings;
  std::string_view rest = std::string_view(packet.bytes).substr(sizeof(CreateRequest));
  while (!rest.empty()) {
    const size_t end = rest.find('\0');
    if (end == std::string_view::npos) return Error(Code::kInvalid, "create: a string has no end");
    strings.emplace_back(rest.substr(0, end));
    rest.remove_prefix(end + 1);
  }
  if (strings.size() != fixed->strings || strings.size() < kFixedStrings) {
    return Error(Code::kInvalid, "create: the number of strings is wrong");
  }
  CreateArguments a{std::string(text(fixed->id)),
                    fixed->flags,
                    strings[0],
                    strings[1],
                    strings[2],
                    strings[3],
                    strings[4],
                    strings[5],
                    strings[6],
                    {}};
  a.overlay_lowers.assign(strings.begin() + kFixedStrings, strings.end());
  if (a.id.empty() || a.id.find('/') != std::string::npos || a.id == "." || a.id == "..") {
    return Error(Code::kInvalid, "create: bad container id");
  }
  if (!a.overlay_target.empty() && a.overlay_lowers.empty()) {
    return Error(Code::kInvalid, "create: an overlay needs at least one lower folder");
  }
  return a;
}

}  // namespace atl::keeper
