#include "kernel/node/runtime/keeper_link.h"

#include <fcntl.h>
#include <unistd.h>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "base/observe/log.h"

namespace atl::node {
namespace {

constexpr Duration kReconnectPause = std::chrono::milliseconds(50);

Result<> outcome_of(const keeper::Packet& packet) {
  const auto reply = packet.as<keeper::Reply>();
  if (!reply) return Error(Code::kInternal, "the keeper's answer is too short");
  if (reply->error == 0) return Unit{};
  return Error(Code(reply->error - 1), std::string(keeper::text(reply->message)));
}

std::string request_bytes(keeper::Type type, const std::string& id, int number, uint64_t request) {
  keeper::Request r;
  r.header.type = type;
  r.header.request = request;
  r.number = number;
  r.subscribe = type == keeper::Type::kHello;
  keeper::put(r.id, id);
  return std::string(reinterpret_cast<const char*>(&r), sizeof r);
}

}  // namespace

struct KeeperLink::Socket {
  explicit Socket(const Executor& executor) : descriptor(executor) {}
  asio::posix::stream_descriptor descriptor;
  int fd() { return descriptor.native_handle(); }
};

KeeperLink::KeeperLink(Executor executor, Timer& timer, std::string socket)
    : executor_(executor), timer_(timer), path_(std::move(socket)), tasks_(executor) {}

KeeperLink::~KeeperLink() = default;

void KeeperLink::start() {
  tasks_.spawn("keeper", [this] { return run(); });
}

Async<void> KeeperLink::stop() {
  if (socket_) socket_->descriptor.close();
  co_await tasks_.stop();
  fail_all();
}

Async<bool> KeeperLink::connected(Duration limit) {
  if (socket_) co_return true;
  co_return co_await connected_.wait_for(timer_, limit);
}

Async<void> KeeperLink::run() {
  while (!tasks_.stopping()) {
    auto client = keeper::KeeperClient::connect(path_);
    if (!client) {
      const bool slept = co_await timer_.sleep_for(kReconnectPause);
      if (!slept) co_return;
      continue;
    }
    // The client closes its fd; ours is a copy.
    const int fd = ::fcntl(client->fd(), F_DUPFD_CLOEXEC, 3);
    socket_ = std::make_unique<Socket>(executor_);
    socket_->descriptor.assign(fd);
    socket_->descriptor.non_blocking(true);
    const std::string hello = request_bytes(keeper::Type::kHello, {}, 1, next_request_++);
    if (keeper::send(fd, hello)) {
      connected_.notify();
      if (was_connected_ && reconnect_) reconnect_();
      was_connected_ = true;
      co_await read_until_closed();
    }
    if (!tasks_.stopping())
      log::warn("the keeper's connection ended; connecting again", {{"socket", path_}});
    socket_.reset();
    fail_all();
  }
}

Async<void> KeeperLink::read_until_closed() {
  for (;;) {
    auto [error] = co_await socket_->descriptor.async_wait(asio::posix::descriptor_base::wait_read,
                                                           asio::as_tuple(asio::use_awaitable));
    if (error) co_return;
    for (;;) {
      auto packet = keeper::receive(socket_->fd());
      if (!packet && packet.error().code() == Code::kTimeout) break;  // nothing more now
      if (!packet || !*packet) co_return;
      dispatch(std::move(**packet));
    }
  }
}

void KeeperLink::dispatch(keeper::Packet packet) {
  if (packet.header().type == keeper::Type::kExited) {
    const auto exited = packet.as<keeper::ExitedPacket>();
    if (exited && exit_) exit_(exited->info);
    return;
  }
  const auto it = pending_.find(packet.header().request);
  if (it == pending_.end()) return;  // the hello's answer, or whoever asked gave up
  Pending& pending = *it->second;
  // A container in answer to kCreate is the whole answer; lists end with a Reply.
  pending.complete = packet.header().type == keeper::Type::kReply;
  pending.packets.push_back(std::move(packet));
  pending.changed.notify();
}

void KeeperLink::fail_all() {
  for (auto& [request, pending] : pending_) {
    pending->failed = true;
    pending->changed.notify();
  }
}

Task<std::vector<keeper::Packet>> KeeperLink::ask(std::string bytes, uint64_t request, int fd) {
  if (!socket_) co_return Error(Code::kUnavailable, "the keeper is not running");
  auto pending = std::make_shared<Pending>();
  pending_[request] = pending;
  bool cancelled = false;
  for (bool full = true; full && !pending->failed && !cancelled;) {
    const auto sent = keeper::send(socket_->fd(), bytes,
                                   fd >= 0 ? std::span<const int>(&fd, 1) : std::span<const int>());
    full = !sent && sent.error().code() == Code::kTimeout;
    pending->failed = !sent && !full;
    if (!full) break;
    // Hundreds of containers at once, and a keeper that has much to do.
    auto [error] = co_await socket_->descriptor.async_wait(asio::posix::descriptor_base::wait_write,
                                                           asio::as_tuple(asio::use_awaitable));
    cancelled = error && !pending->failed;  // failed: the socket itself has gone
  }
  const bool single =
      reinterpret_cast<const keeper::Header*>(bytes.data())->type == keeper::Type::kCreate;
  while (!pending->complete && !pending->failed && !cancelled &&
         !(single && !pending->packets.empty())) {
    const bool woken = co_await pending->changed.wait();
    cancelled = !woken;
  }
  pending_.erase(request);
  if (cancelled) co_return Error(Code::kCancelled, "the agent is stopping");
  if (pending->failed) co_return Error(Code::kUnavailable, "the keeper went away");
  co_return std::move(pending->packets);
}

Task<std::vector<keeper::ContainerView>> KeeperLink::list() {
  std::vector<keeper::ContainerView> all;
  for (;;) {
    const uint64_t request = next_request_++;
    const std::string after = all.empty() ? std::string() : all.back().id();
    CO_TRY(auto packets,
           co_await ask(request_bytes(keeper::Type::kList, after, 0, request), request));
    CO_TRY_OK(outcome_of(packets.back()));
    packets.pop_back();
    const size_t count = packets.size();
    for (keeper::Packet& packet : packets) {
      CO_TRY(keeper::ContainerView view, keeper::to_view(std::move(packet)));
      all.push_back(std::move(view));
    }
    if (count < size_t(keeper::kListBatch)) co_return std::move(all);
  }
}

Task<std::vector<keeper::HeldView>> KeeperLink::list_held() {
  std::vector<keeper::HeldView> all;
  for (;;) {
    const uint64_t request = next_request_++;
    const std::string after = all.empty() ? std::string() : all.back().key;
    CO_TRY(auto packets,
           co_await ask(request_bytes(keeper::Type::kListHeld, after, 0, request), request));
    CO_TRY_OK(outcome_of(packets.back()));
    packets.pop_back();
    const size_t count = packets.size();
    for (keeper::Packet& packet : packets) {
      const auto held = packet.as<keeper::HeldPacket>();
      if (!held || packet.fds.size() != 1)
        co_return Error(Code::kInternal, "the keeper sent no descriptor");
      all.push_back({std::string(keeper::text(held->key)), std::move(packet.fds[0])});
    }
    if (count < size_t(keeper::kListBatch)) co_return std::move(all);
  }
}

Task<keeper::ContainerView> KeeperLink::create(keeper::CreateArguments arguments) {
  const uint64_t request = next_request_++;
  CO_TRY(std::string bytes, keeper::encode(arguments, request));
  CO_TRY(auto packets, co_await ask(std::move(bytes), request));
  if (packets[0].header().type == keeper::Type::kContainer)
    co_return keeper::to_view(std::move(packets[0]));
  CO_TRY_OK(outcome_of(packets[0]));
  co_return Error(Code::kInternal, "the keeper answered create without a container");
}

Task<> KeeperLink::simple(keeper::Type type, std::string id, int number, int fd) {
  const uint64_t request = next_request_++;
  CO_TRY(auto packets, co_await ask(request_bytes(type, id, number, request), request, fd));
  co_return outcome_of(packets.back());
}

}  // namespace atl::node
