#include "kernel/keeper/client.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cerrno>
#include <chrono>

#include "base/io/files.h"

namespace atl::keeper {
namespace {

Result<> outcome_of(const Packet& packet) {
  const auto reply = packet.as<Reply>();
  if (!reply) return Error(Code::kInternal, "the keeper's answer is too short");
  if (reply->error == 0) return Unit{};
  return Error(Code(reply->error - 1), std::string(text(reply->message)));
}

}  // namespace

Result<ContainerView> to_view(Packet packet) {
  const auto fixed = packet.as<ContainerPacket>();
  if (!fixed) return Error(Code::kInternal, "the keeper's answer is too short");
  ContainerView view;
  view.info = fixed->info;
  size_t next = 0;
  const std::pair<uint32_t, io::UniqueFd*> slots[] = {{kHasPidfd, &view.pidfd},
                                                      {kHasStdin, &view.stdin_pipe},
                                                      {kHasStdout, &view.stdout_pipe},
                                                      {kHasStderr, &view.stderr_pipe},
                                                      {kHasPty, &view.pty}};
  for (const auto& [bit, slot] : slots) {
    if (!(fixed->fds & bit)) continue;
    if (next == packet.fds.size())
      return Error(Code::kExhausted, "file descriptors of the keeper were lost");
    *slot = std::move(packet.fds[next++]);
  }
  return view;
}

Result<KeeperClient> KeeperClient::connect(const std::string& socket) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (socket.size() >= sizeof address.sun_path)
    return Error(Code::kInvalid, socket + " is too long for a socket");
  socket.copy(address.sun_path, sizeof address.sun_path - 1);
  io::UniqueFd fd(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
  if (!fd) return io::errno_error("socket", errno);
  if (::connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) < 0) {
    return Error(Code::kUnavailable, io::errno_error("connect " + socket, errno).message());
  }
  return KeeperClient(std::move(fd));
}

Result<Packet> KeeperClient::read_answer() {
  for (;;) {
    TRY(auto packet, receive(socket_.get()));
    if (!packet) return Error(Code::kUnavailable, "the keeper closed the connection");
    if (packet->header().type != Type::kExited) return *std::move(packet);
    if (const auto exited = packet->as<ExitedPacket>()) exits_.push_back(exited->info);
  }
}

Result<Packet> KeeperClient::ask(Type type, const std::string& id, int number, int fd) {
  Request request;
  request.header.type = type;
  request.header.request = next_request_++;
  request.number = number;
  request.subscribe = type == Type::kHello && number != 0;
  if (!put(request.id, id)) return Error(Code::kInvalid, "the name is too long: " + id);
  TRY_OK(send_struct(socket_.get(), request,
                     fd >= 0 ? std::span<const int>(&fd, 1) : std::span<const int>()));
  return read_answer();
}

Result<> KeeperClient::ask_plain(Type type, const std::string& id, int number, int fd) {
  TRY(const Packet answer, ask(type, id, number, fd));
  return outcome_of(answer);
}

Result<int> KeeperClient::hello(bool subscribe) {
  TRY(const Packet answer, ask(Type::kHello, {}, subscribe));
  TRY_OK(outcome_of(answer));
  return answer.as<Reply>()->number;
}

Result<std::vector<ContainerView>> KeeperClient::list() {
  std::vector<ContainerView> all;
  for (;;) {
    TRY(Packet packet, ask(Type::kList, all.empty() ? std::string() : all.back().id()));
    while (packet.header().type == Type::kContainer) {
      TRY(ContainerView view, to_view(std::move(packet)));
      all.push_back(std::move(view));
      TRY(packet, read_answer());
    }
    TRY_OK(outcome_of(packet));
    if (packet.as<Reply>()->number < kListBatch) return all;
  }
}

Result<std::vector<HeldView>> KeeperClient::list_held() {
  std::vector<HeldView> all;
  for (;;) {
    TRY(Packet packet, ask(Type::kListHeld, all.empty() ? std::string() : all.back().key));
    while (packet.header().type == Type::kHeld) {
      const auto held = packet.as<HeldPacket>();
      if (!held || packet.fds.size() != 1)
        return Error(Code::kInternal, "the keeper's answer holds no descriptor");
      all.push_back({std::string(text(held->key)), std::move(packet.fds[0])});
      TRY(packet, read_answer());
    }
    TRY_OK(outcome_of(packet));
    if (packet.as<Reply>()->number < kListBatch) return all;
  }
}

Result<ContainerView> KeeperClient::create(const CreateArguments& arguments) {
  TRY(const std::string bytes, encode(arguments, next_request_++));
  TRY_OK(send(socket_.get(), bytes));
  TRY(Packet answer, read_answer());
  if (answer.header().type == Type::kContainer) return to_view(std::move(answer));
  TRY_OK(outcome_of(answer));
  return Error(Code::kInternal, "the keeper answered create without a container");
}

Result<> KeeperClient::start(const std::string& id) {
  return ask_plain(Type::kStart, id);
}
Result<> KeeperClient::signal(const std::string& id, int number) {
  return ask_plain(Type::kSignal, id, number);
}
Result<> KeeperClient::remove(const std::string& id) {
  return ask_plain(Type::kRemove, id);
}
Result<> KeeperClient::hold(const std::string& key, int fd) {
  return ask_plain(Type::kHold, key, 0, fd);
}
Result<> KeeperClient::drop(const std::string& key) {
  return ask_plain(Type::kDrop, key);
}
Result<> KeeperClient::close_stdin(const std::string& id) {
  return ask_plain(Type::kCloseStdin, id);
}
Result<> KeeperClient::stop() {
  return ask_plain(Type::kStop);
}

Result<> KeeperClient::upgrade(const std::string& program) {
  Request request;
  request.header.type = Type::kUpgrade;
  request.header.request = next_request_++;
  TRY_OK(send(socket_.get(),
              std::string(reinterpret_cast<const char*>(&request), sizeof request) + program));
  auto answer = read_answer();
  // The new program keeps no connections: the end of this one is the sign of success.
  if (!answer)
    return answer.error().code() == Code::kUnavailable ? Result<>(Unit{})
                                                       : std::move(answer).error();
  return outcome_of(*answer);
}

Result<ContainerInfo> KeeperClient::next_exit(Duration limit) {
  if (exits_.empty()) {
    pollfd wait{socket_.get(), POLLIN, 0};
    const int ms = int(std::chrono::duration_cast<std::chrono::milliseconds>(limit).count());
    if (::poll(&wait, 1, ms) <= 0) return Error(Code::kTimeout, "no container ended");
    TRY(auto packet, receive(socket_.get()));
    if (!packet) return Error(Code::kUnavailable, "the keeper closed the connection");
    const auto exited = packet->as<ExitedPacket>();
    if (!exited || packet->header().type != Type::kExited)
      return Error(Code::kInternal, "an answer without a question");
    exits_.push_back(exited->info);
  }
  const ContainerInfo info = exits_.front();
  exits_.pop_front();
  return info;
}

}  // namespace atl::keeper
