// The keeper's half that deals with runtimes: create, start, delete, adoption and exits.
//
// Order that must hold: an exit is peeked at (WNOWAIT), journaled and synced, and only then reaped
// and told. A crash in between leaves the zombie for the next wait, or the journal entry for the
// next start.
#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <utility>

#include "base/io/files.h"
#include "kernel/keeper/exec_fifo.h"
#include "kernel/keeper/keeper.h"
#include "kernel/keeper/launch.h"

namespace atl::keeper {
namespace {

std::string runtime_log(std::string_view bundle) {
  return std::string(bundle) + "/runtime.log";
}

// The last line of what the runtime or our child wrote: its reason.
std::string reason_of(std::string_view bundle) {
  auto log = io::read_file(runtime_log(bundle), 1 << 20);
  if (!log) return "it left no reason";
  std::string& text = *log;
  while (!text.empty() && text.back() == '\n') text.pop_back();
  text.erase(0, text.rfind('\n') + 1);
  return text.empty() ? "it left no reason" : text;
}

std::vector<std::string> runtime_command(const std::string& runtime, const std::string& state,
                                         std::string_view bundle) {
  return {runtime, "--root", state, "--log", runtime_log(bundle)};
}

Result<> runtime_failed(std::string_view bundle) {
  return Error(Code::kInvalid, reason_of(bundle));
}

Result<> make_pipe(io::UniqueFd& read_end, io::UniqueFd& write_end) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) < 0) return io::errno_error("pipe", errno);
  read_end.reset(ends[0]), write_end.reset(ends[1]);
  return Unit{};
}

int64_t nanoseconds(const Clock& clock) {
  return clock.now().time_since_epoch().count();
}

struct Ended {
  int pid = 0;
  ExitInfo exit;
};

// A child that has ended, which stays a zombie; nothing where there is none.
std::optional<Ended> peek(idtype_t which, id_t id, const Clock& clock) {
  siginfo_t info{};
  rusage usage{};
  // The raw call: glibc's waitid has no rusage.
  if (::syscall(SYS_waitid, which, id, &info, WEXITED | WNOHANG | WNOWAIT | __WALL, &usage) < 0 ||
      info.si_pid == 0) {
    return std::nullopt;
  }
  Ended out{.pid = info.si_pid, .exit = {}};
  out.exit.code = info.si_code == CLD_EXITED ? info.si_status : 0;
  out.exit.signal = info.si_code == CLD_EXITED ? 0 : info.si_status;
  out.exit.finished_ns = nanoseconds(clock);
  const auto micros = [](const timeval& t) {
    return uint64_t(t.tv_sec) * 1'000'000 + uint64_t(t.tv_usec);
  };
  out.exit.user_us = micros(usage.ru_utime);
  out.exit.system_us = micros(usage.ru_stime);
  out.exit.max_rss_kib = uint64_t(usage.ru_maxrss);
  return out;
}

}  // namespace

Result<> Keeper::open_pipes(Operation& operation, io::UniqueFd (&theirs)[3]) {
  ContainerFds& fds = operation.fds;
  TRY_OK(make_pipe(fds.stdout_pipe, theirs[1]));
  TRY_OK(make_pipe(fds.stderr_pipe, theirs[2]));
  if (operation.create.flags & kStdin) TRY_OK(make_pipe(theirs[0], fds.stdin_pipe));
  for (const int fd : {fds.stdout_pipe.get(), fds.stderr_pipe.get(), fds.stdin_pipe.get()}) {
    if (fd >= 0) ::fcntl(fd, F_SETFL, O_NONBLOCK);
  }
  return Unit{};
}

Result<> Keeper::open_console(Operation& operation) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  operation.console_path = options_.run_folder + "/pty" + std::to_string(next_serial_++) + ".sock";
  const std::string& path = operation.console_path;
  if (path.size() >= sizeof address.sun_path)
    return Error(Code::kInvalid, path + " is too long for a socket");
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  ::unlink(path.c_str());
  operation.console.reset(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!operation.console) return io::errno_error("socket", errno);
  if (::bind(operation.console.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) < 0 ||
      ::listen(operation.console.get(), 1) < 0) {
    return io::errno_error("listen " + path, errno);
  }
  return Unit{};
}

// The runtime has connected and sent the master before it ended, so nothing here waits.
void Keeper::take_console(Operation& operation) {
  const io::UniqueFd peer(
      ::accept4(operation.console.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
  operation.console.reset();
  ::unlink(operation.console_path.c_str());
  if (!peer) return;
  char name[256];
  iovec part{name, sizeof name};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))];
  msghdr message{};
  message.msg_iov = &part, message.msg_iovlen = 1;
  message.msg_control = control, message.msg_controllen = sizeof control;
  if (::recvmsg(peer.get(), &message, MSG_CMSG_CLOEXEC) <= 0) return;
  const cmsghdr* c = CMSG_FIRSTHDR(&message);
  if (!c || c->cmsg_type != SCM_RIGHTS || c->cmsg_len != CMSG_LEN(sizeof(int))) return;
  int fd = -1;
  std::memcpy(&fd, CMSG_DATA(c), sizeof fd);
  operation.fds.pty.reset(fd);
  ::fcntl(fd, F_SETFL, ::fcntl(fd, F_GETFL) | O_NONBLOCK);
}

Result<> Keeper::create(Client& client, const Packet& packet) {
  Operation operation;
  TRY(operation.create, decode_create(packet));
  const CreateArguments& a = operation.create;
  operation.type = Type::kCreate;
  operation.id = a.id;
  operation.client = client.serial;
  operation.request = packet.header().request;
  if (a.runtime.size() >= kPathBytes || a.state_folder.size() >= kPathBytes ||
      a.bundle.size() >= 2 * kPathBytes) {
    return Error(Code::kInvalid, "create: a path is too long");
  }
  if (table_.find(a.id)) return Error(Code::kExists, "container " + a.id + " exists");
  if (busy(a.id)) return Error(Code::kExists, "container " + a.id + " is being created");
  TRY_OK(table_.make_room());
  const int netns = a.netns_key.empty() ? -1 : table_.held(a.netns_key);
  if (!a.netns_key.empty() && netns < 0)
    return Error(Code::kNotFound, "the network namespace is not held: " + a.netns_key);

  Launch what;
  what.argv = runtime_command(a.runtime, a.state_folder, a.bundle);
  for (const char* word : {"create", "--bundle"}) what.argv.emplace_back(word);
  what.argv.push_back(a.bundle);
  what.argv.push_back("--pid-file");
  what.argv.push_back(a.bundle + "/pid");
  what.log_file = runtime_log(a.bundle);
  what.legacy_cgroups = a.flags & kLegacyCgroups;
  what.create = &a;
  what.program_fd = programs_.of(a.runtime);
  what.netns_fd = netns;
  io::UniqueFd theirs[3];
  if (a.flags & kTerminal) {
    TRY_OK(open_console(operation));
    what.argv.push_back("--console-socket");
    what.argv.push_back(operation.console_path);
  } else {
    TRY_OK(open_pipes(operation, theirs));
    what.stdin_fd = theirs[0].get(), what.stdout_fd = theirs[1].get(),
    what.stderr_fd = theirs[2].get();
  }
  what.argv.push_back(a.id);
  ::unlink((a.bundle + "/pid").c_str());
  ::unlink(what.log_file.c_str());
  TRY(operation.pid, launch(what));
  operations_.push_back(std::move(operation));
  return Unit{};
}

bool Keeper::busy(std::string_view id) const {
  return std::any_of(operations_.begin(), operations_.end(),
                     [&](const Operation& o) { return o.id == id; });
}

Result<> Keeper::start(Client& client, const Request& request) {
  Container* c = table_.find(text(request.id));
  const bool at_once =
      c && c->state() == State::kCreated && !busy(text(request.id)) &&
      release_by_fifo(std::string(text(c->record.state_folder)), std::string(text(request.id)));
  if (!at_once) return run_runtime(client, request, Type::kStart);
  reply(client.serial, request.header.request, table_.started(*c));
  return Unit{};
}

Result<> Keeper::run_runtime(Client& client, const Request& request, Type type) {
  Container* c = table_.find(text(request.id));
  if (busy(text(request.id)))
    return Error(Code::kConflict, "another command for this container is running; try again");
  if (!c && type == Type::kRemove) {
    reply(client.serial, request.header.request, Unit{});
    return Unit{};
  }
  if (!c) return Error(Code::kNotFound, "no such container");
  const std::string bundle(text(c->record.bundle));
  Launch what;
  what.argv = runtime_command(std::string(text(c->record.runtime)),
                              std::string(text(c->record.state_folder)), bundle);
  what.argv.emplace_back(type == Type::kStart ? "start" : "delete");
  if (type == Type::kRemove) what.argv.emplace_back("--force");
  what.argv.emplace_back(text(request.id));
  what.program_fd = programs_.of(what.argv[0]);
  what.log_file = runtime_log(bundle);
  what.legacy_cgroups = c->record.flags & kLegacyCgroups;
  ::unlink(what.log_file.c_str());
  Operation operation;
  operation.type = type;
  operation.id = text(request.id);
  operation.client = client.serial;
  operation.request = request.header.request;
  TRY(operation.pid, launch(what));
  operations_.push_back(std::move(operation));
  return Unit{};
}

Result<Container*> Keeper::adopt(Operation& operation) {
  const CreateArguments& a = operation.create;
  TRY(const std::string pid_text, io::read_file(a.bundle + "/pid", 64));
  const int pid = std::atoi(pid_text.c_str());
  if (pid <= 1) return Error(Code::kInternal, "the runtime wrote no pid");
  Container c;
  c.fds = std::move(operation.fds);
  ContainerInfo& info = c.record.info;
  put(info.id, a.id), put(c.record.runtime, a.runtime);
  put(c.record.state_folder, a.state_folder), put(c.record.bundle, a.bundle);
  c.record.flags = a.flags;
  info.pid = pid;
  info.created_ns = nanoseconds(clock_);
  const auto stray =
      std::find_if(strays_.begin(), strays_.end(), [&](const Stray& s) { return s.pid == pid; });
  if (stray != strays_.end()) {
    TRY(Container * gone, table_.add(std::move(c)));
    TRY_OK(table_.exited(*gone, stray->exit));
    return gone;
  }
  c.fds.pidfd.reset(int(::syscall(SYS_pidfd_open, pid, 0)));
  if (!c.fds.pidfd) return io::errno_error("open the container's pid", errno);
  siginfo_t ignored{};
  if (::waitid(P_PIDFD, id_t(c.fds.pidfd.get()), &ignored, WEXITED | WNOHANG | WNOWAIT) < 0) {
    return io::errno_error("the container is not the keeper's child", errno);
  }
  info.start_ticks = start_ticks(pid);
  return table_.add(std::move(c));
}

Result<> Keeper::finish_remove(const Operation& operation, int status) {
  const Container* c = table_.find(operation.id);
  if (!c) return Unit{};
  struct stat about{};
  const std::string state = std::string(text(c->record.state_folder)) + "/" + operation.id;
  if (status != 0 && ::stat(state.c_str(), &about) == 0)
    return runtime_failed(text(c->record.bundle));
  if (!table_.remove(operation.id)) retry_reap_ = true;
  return Unit{};
}

void Keeper::finish(Operation operation, int status) {
  if (operation.console) take_console(operation);
  if (operation.type == Type::kRemove) {
    return reply(operation.client, operation.request, finish_remove(operation, status));
  }
  if (operation.type == Type::kStart) {
    Container* c = table_.find(operation.id);
    Result<> outcome = !c ? Result<>(Error(Code::kNotFound, "the container was removed meanwhile"))
                       : status != 0 ? runtime_failed(text(c->record.bundle))
                                     : table_.started(*c);
    return reply(operation.client, operation.request, outcome);
  }
  Result<Container*> made =
      status != 0 ? Result<Container*>(Error(Code::kInvalid, reason_of(operation.create.bundle)))
                  : adopt(operation);
  if (!made) return reply(operation.client, operation.request, std::move(made).error());
  send_container(operation.client, operation.request, **made);
  if ((*made)->state() == State::kExited) tell_exit(**made);
}

void Keeper::reap() {
  retry_reap_ = !table_.record_removals();
  for (const std::string& id : std::exchange(unrecorded_strangers_, {})) stranger_ended(id);
  for (;;) {
    const auto child = peek(P_ALL, 0, clock_);
    if (!child) break;
    if (ended(child->pid, child->exit)) continue;
    reap_each();
    break;
  }
  complained_ = complained_ && retry_reap_;
}

// A child whose exit cannot be recorded stays a zombie, which is found first whenever any child is
// asked for. So each is asked for by itself: one container is held up, and no other.
void Keeper::reap_each() {
  std::vector<int> pids;
  for (const Operation& o : operations_) pids.push_back(o.pid);
  for (const Container* c : table_.after("", table_.size())) {
    if (c->child && c->state() != State::kExited) pids.push_back(c->record.info.pid);
  }
  for (const int pid : pids) {
    if (const auto child = peek(P_PID, id_t(pid), clock_)) (void)ended(child->pid, child->exit);
  }
}

void Keeper::cannot_record(const Container& container, const Error& error) {
  retry_reap_ = true;
  if (std::exchange(complained_, true)) return;
  std::fprintf(stderr, "keeper: the exit of %s waits until it can be recorded: %s\n",
               container.record.info.id, error.message().c_str());
}

bool Keeper::ended(int pid, const ExitInfo& exit) {
  const int status = exit.signal ? 128 + exit.signal : exit.code;
  Container* c = table_.by_pid(pid);
  if (c) {
    if (auto durable = table_.exited(*c, exit); !durable) {
      cannot_record(*c, durable.error());
      return false;
    }
  }
  ::waitpid(pid, nullptr, __WALL);
  if (c) {
    tell_exit(*c);
    return true;
  }
  const auto it = std::find_if(operations_.begin(), operations_.end(),
                               [&](const Operation& o) { return o.pid == pid; });
  if (it != operations_.end()) {
    Operation operation = std::move(*it);
    operations_.erase(it);
    finish(std::move(operation), status);
  } else if (!operations_.empty()) {
    strays_.push_back({pid, exit});
  }
  if (operations_.empty()) strays_.clear();
  return true;
}

void Keeper::stranger_ended(std::string_view id) {
  Container* c = table_.find(id);
  if (!c || c->state() == State::kExited) return;
  // The pidfd becomes readable when the process is a zombie; the kernel tells the code once init
  // reaped it, which it does at once. A short spin is bounded; after it the code stays unknown.
  ExitInfo exit = exit_of_stranger(c->fds.pidfd.get(), clock_);
  for (int i = 0; i < 100 && exit.code == kUnknownExit; ++i) {
    ::usleep(1'000);
    exit = exit_of_stranger(c->fds.pidfd.get(), clock_);
  }
  ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, c->fds.pidfd.get(), nullptr);
  if (auto durable = table_.exited(*c, exit); !durable) {
    unrecorded_strangers_.emplace(id);
    return cannot_record(*c, durable.error());
  }
  tell_exit(*c);
}

void Keeper::tell_exit(const Container& container) {
  ExitedPacket packet;
  packet.header.type = Type::kExited;
  packet.info = container.record.info;
  std::vector<uint64_t> deaf;
  for (const auto& [serial, client] : clients_) {
    if (client.subscribed && !send_struct(client.socket.get(), packet)) deaf.push_back(serial);
  }
  for (const uint64_t serial : deaf) drop_client(serial);
}

}  // namespace atl::keeper
