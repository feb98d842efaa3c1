#include "kernel/keeper/keeper.h"

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>

#include "base/core/idle_memory.h"
#include "base/io/files.h"
#include "kernel/keeper/launch.h"

namespace atl::keeper {
namespace {

// What an epoll event means: kind in the top byte, a serial or fd below.
constexpr uint64_t kTagSignals = 1ull << 56;
constexpr uint64_t kTagListener = 2ull << 56;
constexpr uint64_t kTagClient = 3ull << 56;
constexpr uint64_t kTagStranger = 4ull << 56;  // pidfd of a container that is not our child
constexpr uint64_t kTagMask = 0xffull << 56;
constexpr int kUnreadBytes = 16 << 20;
constexpr int kRetryMs = 1'000;
constexpr int kRestMs = 5'000;  // without a request: what the last ones took is given back

}  // namespace

Keeper::Keeper(KeeperOptions options, const Clock& clock, Table table)
    : options_(std::move(options)), clock_(clock), table_(std::move(table)) {}

Keeper::~Keeper() = default;

Result<std::unique_ptr<Keeper>> Keeper::open(KeeperOptions options, const Clock& clock,
                                             int resume_fd) {
  io::UniqueFd listener;
  auto table = resume_fd >= 0 ? Table::restore(resume_fd, options.journal, clock, listener)
                              : Table::open(options.journal, clock);
  if (!table && resume_fd >= 0) {
    // Our own children under a program that cannot read the hand-over: the journal knows them.
    std::fprintf(stderr, "keeper: %s; the journal is used\n", table.error().message().c_str());
    table = Table::open(options.journal, clock);
  }
  if (!table) return std::move(table).error();
  std::unique_ptr<Keeper> keeper(new Keeper(std::move(options), clock, *std::move(table)));
  keeper->listener_ = std::move(listener);
  if (!keeper->listener_) TRY_OK(keeper->listen());
  TRY_OK(keeper->set_up_loop());
  return keeper;
}

Result<> Keeper::listen() {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (options_.socket.size() >= sizeof address.sun_path) {
    return Error(Code::kInvalid,
                 options_.socket + " is longer than a socket's path may be (107 bytes)");
  }
  options_.socket.copy(address.sun_path, sizeof address.sun_path - 1);
  ::unlink(options_.socket.c_str());
  listener_.reset(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!listener_) return io::errno_error("socket", errno);
  const mode_t before = ::umask(0177);
  const int bound = ::bind(listener_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address);
  ::umask(before);
  if (bound < 0) return io::errno_error("bind " + options_.socket, errno);
  if (::listen(listener_.get(), 16) < 0) return io::errno_error("listen " + options_.socket, errno);
  return Unit{};
}

Result<> Keeper::watch(int fd, uint64_t tag, uint32_t events) {
  epoll_event event{};
  event.events = events;
  event.data.u64 = tag;
  if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) < 0)
    return io::errno_error("epoll", errno);
  return Unit{};
}

Result<> Keeper::set_up_loop() {
  if (::prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) < 0)
    return io::errno_error("become subreaper", errno);
  ::signal(SIGPIPE, SIG_IGN);
  sigset_t set;
  sigemptyset(&set);
  for (const int s : {SIGCHLD, SIGTERM, SIGINT}) sigaddset(&set, s);
  ::sigprocmask(SIG_BLOCK, &set, nullptr);
  signals_.reset(::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!signals_) return io::errno_error("signalfd", errno);
  epoll_.reset(::epoll_create1(EPOLL_CLOEXEC));
  if (!epoll_) return io::errno_error("epoll", errno);
  TRY_OK(watch(signals_.get(), kTagSignals, EPOLLIN));
  TRY_OK(watch(listener_.get(), kTagListener, EPOLLIN));
  for (Container* c : table_.after("", table_.size())) {
    if (!c->child && c->fds.pidfd && c->state() != State::kExited) {
      TRY_OK(watch(c->fds.pidfd.get(), kTagStranger | uint32_t(c->record.info.pid), EPOLLIN));
    }
  }
  reap();  // children that ended during an upgrade
  return Unit{};
}

Result<> Keeper::run() {
  epoll_event events[32];
  bool rested = false;
  // A command that is running would leave a container that nobody knows of.
  while (!leaving_ || !operations_.empty()) {
    const int n = ::epoll_wait(epoll_.get(), events, 32,
                               retry_reap_ ? kRetryMs
                               : rested    ? -1
                                           : kRestMs);
    if (n < 0 && errno != EINTR) return io::errno_error("epoll", errno);
    if (n == 0 && !retry_reap_) release_idle_memory();
    rested = n == 0;
    if (retry_reap_) reap();
    for (int i = 0; i < n; ++i) {
      const uint64_t tag = events[i].data.u64;
      switch (tag & kTagMask) {
        case kTagSignals: {
          signalfd_siginfo info{};
          while (::read(signals_.get(), &info, sizeof info) == ssize_t(sizeof info)) {
            if (info.ssi_signo != SIGCHLD) leaving_ = true;
          }
          reap();
          break;
        }
        case kTagListener:
          accept_client();
          break;
        case kTagClient:
          read_client(tag & ~kTagMask);
          break;
        case kTagStranger:
          for (Container* c : table_.after("", table_.size())) {
            if (!c->child && uint64_t(c->record.info.pid) == (tag & ~kTagMask)) {
              stranger_ended(text(c->record.info.id));
              break;
            }
          }
          break;
      }
    }
  }
  (void)table_.record_removals();
  return Unit{};
}

void Keeper::accept_client() {
  io::UniqueFd socket(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
  if (!socket) return;
  ucred who{};
  socklen_t size = sizeof who;
  if (::getsockopt(socket.get(), SOL_SOCKET, SO_PEERCRED, &who, &size) < 0 || who.uid != 0) return;
  // Room for the exits of thousands of containers at once; used only while they are not read.
  const int room = kUnreadBytes;
  (void)::setsockopt(socket.get(), SOL_SOCKET, SO_SNDBUFFORCE, &room, sizeof room);
  const uint64_t serial = next_serial_++;
  if (!watch(socket.get(), kTagClient | serial, EPOLLIN)) return;
  clients_[serial] = {std::move(socket), serial, false};
}

void Keeper::drop_client(uint64_t serial) {
  clients_.erase(serial);
}

void Keeper::read_client(uint64_t serial) {
  const auto it = clients_.find(serial);
  if (it == clients_.end()) return;
  auto packet = receive(it->second.socket.get());
  if (!packet) {
    if (packet.error().code() != Code::kTimeout) drop_client(serial);
    return;
  }
  if (!*packet) return drop_client(serial);
  const uint64_t request = (*packet)->header().request;
  auto outcome = handle(it->second, **packet);
  // Requests that were accepted answer for themselves; here only refusals.
  if (!outcome) reply(serial, request, outcome);
}

void Keeper::reply(uint64_t serial, uint64_t request, const Result<>& outcome, int number) {
  const auto it = clients_.find(serial);
  if (it == clients_.end()) return;
  Reply answer;
  answer.header.type = Type::kReply;
  answer.header.request = request;
  answer.number = number;
  if (!outcome) {
    answer.error = 1 + int32_t(outcome.error().code());
    put(answer.message, std::string_view(outcome.error().message()).substr(0, kMessageBytes - 1));
  }
  if (!send_struct(it->second.socket.get(), answer)) drop_client(serial);
}

bool Keeper::send_container(uint64_t serial, uint64_t request, const Container& container) {
  const auto it = clients_.find(serial);
  if (it == clients_.end()) return false;
  ContainerPacket packet;
  packet.header.type = Type::kContainer;
  packet.header.request = request;
  packet.info = container.record.info;
  const std::vector<int> fds = container.fds.list(packet.fds);
  if (send_struct(it->second.socket.get(), packet, fds)) return true;
  drop_client(serial);
  return false;
}

void Keeper::list(Client& client, const Request& request) {
  const uint64_t serial = client.serial;
  const auto page = table_.after(text(request.id), kListBatch);
  for (const Container* c : page) {
    if (!send_container(serial, request.header.request, *c)) return;
  }
  reply(serial, request.header.request, Unit{}, int(page.size()));
}

void Keeper::list_held(Client& client, const Request& request) {
  const uint64_t serial = client.serial;
  int sent = 0;
  for (auto it = table_.held().upper_bound(text(request.id));
       it != table_.held().end() && sent < kListBatch; ++it) {
    HeldPacket packet;
    packet.header.type = Type::kHeld;
    packet.header.request = request.header.request;
    put(packet.key, it->first);
    const int fd = it->second.get();
    if (!send_struct(client.socket.get(), packet, {&fd, 1})) return drop_client(serial);
    ++sent;
  }
  reply(serial, request.header.request, Unit{}, sent);
}

Result<> Keeper::handle(Client& client, Packet& packet) {
  if (packet.header().type == Type::kCreate) return create(client, packet);
  if (packet.header().type == Type::kUpgrade) return upgrade(packet);
  const auto request = packet.as<Request>();
  if (!request) return Error(Code::kInvalid, "the packet is too short");
  const uint64_t serial = client.serial;
  switch (packet.header().type) {
    case Type::kHello:
      client.subscribed = request->subscribe != 0;
      reply(serial, request->header.request, Unit{}, ::getpid());
      return Unit{};
    case Type::kList:
      list(client, *request);
      return Unit{};
    case Type::kListHeld:
      list_held(client, *request);
      return Unit{};
    case Type::kStart:
      return start(client, *request);
    case Type::kRemove:
      return run_runtime(client, *request, Type::kRemove);
    case Type::kSignal:
      TRY_OK(signal(*request));
      break;
    case Type::kHold:
      if (packet.fds.size() != 1)
        return Error(Code::kInvalid, "hold: exactly one file descriptor is needed");
      table_.hold(std::string(text(request->id)), std::move(packet.fds[0]));
      break;
    case Type::kDrop:
      table_.drop(text(request->id));
      break;
    case Type::kCloseStdin:
      if (Container* c = table_.find(text(request->id))) c->fds.stdin_pipe.reset();
      break;
    case Type::kStop:
      leaving_ = true;
      break;
    default:
      return Error(Code::kInvalid, "the keeper does not know this request");
  }
  reply(serial, request->header.request, Unit{});
  return Unit{};
}

Result<> Keeper::signal(const Request& request) {
  Container* c = table_.find(text(request.id));
  if (!c) return Error(Code::kNotFound, "no such container");
  if (c->state() == State::kExited) return Unit{};
  if (::syscall(SYS_pidfd_send_signal, c->fds.pidfd.get(), request.number, nullptr, 0) < 0 &&
      errno != ESRCH) {
    return io::errno_error("signal", errno);
  }
  return Unit{};
}

// Replaces the program; pid, children and every held fd stay. Returns only where it failed.
Result<> Keeper::upgrade(const Packet& packet) {
  if (!operations_.empty())
    return Error(Code::kConflict, "a runtime command is running; try again");
  if (packet.bytes.size() <= sizeof(Request)) return Error(Code::kInvalid, "upgrade: no path");
  const std::string path = packet.bytes.substr(sizeof(Request));
  if (::access(path.c_str(), X_OK) < 0) return io::errno_error(path, errno);
  TRY(const io::UniqueFd memory, table_.serialize(listener_.get()));
  ::fcntl(listener_.get(), F_SETFD, 0);
  std::vector<std::string> words = options_.argv;
  words.push_back("--resume");
  words.push_back(std::to_string(memory.get()));
  std::vector<char*> argv;
  for (std::string& w : words) argv.push_back(w.data());
  argv.push_back(nullptr);
  ::execve(path.c_str(), argv.data(), environ);
  const int error = errno;
  ::fcntl(listener_.get(), F_SETFD, FD_CLOEXEC);
  table_.close_on_exec_again();
  return io::errno_error("execve " + path, error);
}

}  // namespace atl::keeper
