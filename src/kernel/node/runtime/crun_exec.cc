#include "kernel/node/runtime/crun_exec.h"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>

#include "base/io/files.h"
#include "base/io/quick_file.h"
#include "kernel/node/runtime/child_process.h"

namespace atl::node {
namespace {

constexpr Duration kConsoleStep = std::chrono::milliseconds(2);
constexpr int kConsoleSteps = 10'000;  // 20 s: a busy machine starts processes late

Result<> make_pipe(io::UniqueFd& read_end, io::UniqueFd& write_end) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) < 0) return io::errno_error("pipe", errno);
  read_end.reset(ends[0]), write_end.reset(ends[1]);
  return Unit{};
}

void non_blocking(int fd) {
  if (fd >= 0) ::fcntl(fd, F_SETFL, ::fcntl(fd, F_GETFL) | O_NONBLOCK);
}

class CrunExec final : public ExecSession {
 public:
  explicit CrunExec(CrunExecCommand command) : command_(std::move(command)) {}

  ~CrunExec() override {
    if (child_ && !child_->ended()) kill();
    for (const char* suffix : {".json", ".pid"}) ::unlink((command_.files + suffix).c_str());
    if (!command_.console_socket.empty()) ::unlink(command_.console_socket.c_str());
  }

  Result<> start(const Executor& executor, const ExecRequest& request) {
    TRY_OK(io::write_quickly(command_.files + ".json", json::serialize(request.process), 0600));
    ChildOptions options;
    options.argv = command_.prefix;
    for (const std::string& word :
         {command_.program, std::string("--root"), command_.state_folder, std::string("exec"),
          std::string("--pid-file"), command_.files + ".pid"}) {
      options.argv.push_back(word);
    }
    io::UniqueFd theirs[3];
    if (request.terminal) {
      TRY_OK(listen());
      options.argv.push_back("--console-socket");
      options.argv.push_back(command_.console_socket);
      TRY_OK(make_pipe(stderr_, theirs[2]));  // crun's own words
    } else {
      if (request.with_stdin) TRY_OK(make_pipe(theirs[0], stdin_));
      TRY_OK(make_pipe(stdout_, theirs[1]));
      TRY_OK(make_pipe(stderr_, theirs[2]));
    }
    for (const io::UniqueFd* fd : {&stdin_, &stdout_, &stderr_}) non_blocking(fd->get());
    options.argv.insert(options.argv.end(), {"--process", command_.files + ".json", request.id});
    options.stdin_fd = theirs[0].get(), options.stdout_fd = theirs[1].get(),
    options.stderr_fd = theirs[2].get();
    TRY(child_, ChildProcess::start(executor, options));
    return Unit{};
  }

  // crun connects and sends the terminal's master before the command runs.
  Task<> take_terminal(Timer& timer) {
    for (int i = 0; i < kConsoleSteps; ++i) {
      // Asked first: a short command may be over, crun with it, before its connection is accepted.
      const bool over = child_->ended();
      const io::UniqueFd peer(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
      if (peer) {
        CO_TRY_OK(receive_terminal(peer.get()));
        listener_.reset();
        co_return Unit{};
      }
      if (over) break;
      co_await timer.sleep_for(kConsoleStep);
    }
    char reason[512] = {};
    const ssize_t n = ::read(stderr_.get(), reason, sizeof reason - 1);
    co_return Error(Code::kInvalid,
                    n > 0 ? reason : "no terminal could be opened in the container");
  }

  int stdin_fd() override { return terminal_ ? terminal_.get() : stdin_.get(); }
  int stdout_fd() override { return terminal_ ? terminal_.get() : stdout_.get(); }
  int stderr_fd() override { return terminal_ ? -1 : stderr_.get(); }
  void close_stdin() override { stdin_.reset(); }

  void resize(uint16_t columns, uint16_t rows) override {
    const winsize size{rows, columns, 0, 0};
    if (terminal_) ::ioctl(terminal_.get(), TIOCSWINSZ, &size);
  }

  Async<int> wait() override { return child_->wait(); }

  // The command itself first: killing crun alone would leave it running.
  void kill() override {
    kill_command();
    child_->kill(SIGKILL);
  }

 private:
  // The pid in the file may be another's by now: only a process of the container's own group is
  // ended, held by a pidfd while it is looked at.
  void kill_command() const {
    const auto text = io::read_file(command_.files + ".pid", 64);
    const int pid = text ? std::atoi(text->c_str()) : 0;
    if (pid <= 1) return;
    const io::UniqueFd process(int(::syscall(SYS_pidfd_open, pid, 0)));
    const auto config = io::read_file(command_.bundle + "/config.json");
    const auto groups = io::read_file("/proc/" + std::to_string(pid) + "/cgroup", 1 << 16);
    const auto spec = config ? json::parse(*config) : Result<json::Value>(json::Value());
    if (!process || !groups || !spec) return;
    const std::string own(json::string_at(*spec, {"linux", "cgroupsPath"}));
    const bool in_it = groups->find(":" + own + "\n") != std::string::npos ||
                       groups->find(":" + own + "/") != std::string::npos;
    if (!own.empty() && in_it) ::syscall(SYS_pidfd_send_signal, process.get(), SIGKILL, nullptr, 0);
  }

  Result<> listen() {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    const std::string& path = command_.console_socket;
    if (path.size() >= sizeof address.sun_path)
      return Error(Code::kInvalid, path + " is too long for a socket");
    path.copy(address.sun_path, sizeof address.sun_path - 1);
    listener_.reset(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!listener_) return io::errno_error("socket", errno);
    if (::bind(listener_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) < 0 ||
        ::listen(listener_.get(), 1) < 0) {
      return io::errno_error("listen " + path, errno);
    }
    return Unit{};
  }

  Result<> receive_terminal(int peer) {
    char name[256];
    iovec part{name, sizeof name};
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))];
    msghdr message{};
    message.msg_iov = &part, message.msg_iovlen = 1;
    message.msg_control = control, message.msg_controllen = sizeof control;
    const timeval limit{2, 0};
    ::setsockopt(peer, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    if (::recvmsg(peer, &message, MSG_CMSG_CLOEXEC) <= 0)
      return io::errno_error("receive terminal", errno);
    const cmsghdr* c = CMSG_FIRSTHDR(&message);
    if (!c || c->cmsg_type != SCM_RIGHTS) return Error(Code::kInternal, "crun sent no terminal");
    int fd = -1;
    std::memcpy(&fd, CMSG_DATA(c), sizeof fd);
    terminal_.reset(fd);
    non_blocking(fd);
    return Unit{};
  }

  CrunExecCommand command_;
  io::UniqueFd listener_, terminal_, stdin_, stdout_, stderr_;
  std::unique_ptr<ChildProcess> child_;
};

}  // namespace

Task<std::unique_ptr<ExecSession>> start_crun_exec(Executor executor, Timer& timer,
                                                   CrunExecCommand command, ExecRequest request) {
  auto session = std::make_unique<CrunExec>(std::move(command));
  CO_TRY_OK(session->start(executor, request));
  if (request.terminal) CO_TRY_OK(co_await session->take_terminal(timer));
  co_return std::unique_ptr<ExecSession>(std::move(session));
}

}  // namespace atl::node
