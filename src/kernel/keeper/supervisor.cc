#include "kernel/keeper/supervisor.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>

#include "base/core/idle_memory.h"
#include "base/io/files.h"
#include "kernel/keeper/client.h"
#include "kernel/keeper/rotation.h"

namespace atl::keeper {
namespace {

constexpr uint64_t kTagSignals = 1'000'000;
constexpr uint64_t kTagControl = 1'000'001;
constexpr Duration kRotateFirst = std::chrono::seconds(5);
constexpr Duration kRotateEvery = std::chrono::minutes(1);
constexpr Duration kQuick = std::chrono::seconds(10);  // who lived shorter ended quickly
constexpr Duration kFilePoll = std::chrono::milliseconds(200);
constexpr Duration kControlLimit = std::chrono::seconds(1);
constexpr int kLockTries = 25;
constexpr int kLockPauseUs = 20'000;
constexpr Duration kContainerGrace = std::chrono::seconds(10);

void note(const std::string& line) {
  std::fprintf(stderr, "atoll-supervise: %s\n", line.c_str());
}

void signal_process(const ServiceProcess& process, int number) {
  ::syscall(SYS_pidfd_send_signal, process.pidfd.get(), number, nullptr, 0);
}

}  // namespace

Supervisor::Supervisor(SupervisorOptions options, const Clock& clock)
    : options_(std::move(options)), clock_(clock) {
  for (const ServiceSpec& spec : options_.services) services_.emplace_back().spec = spec;
}

Supervisor::~Supervisor() = default;

Result<std::unique_ptr<Supervisor>> Supervisor::open(SupervisorOptions options,
                                                     const Clock& clock) {
  std::unique_ptr<Supervisor> s(new Supervisor(std::move(options), clock));
  TRY_OK(s->lock());
  TRY_OK(s->listen());
  TRY_OK(s->set_up_loop());
  return s;
}

Result<> Supervisor::lock() {
  lock_.reset(::open(options_.lock_file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!lock_) return io::errno_error("open " + options_.lock_file, errno);
  // A service that a killed supervisor was just starting holds the lock until it execs: wait that
  // long.
  for (int i = 0; i < kLockTries; ++i) {
    if (::flock(lock_.get(), LOCK_EX | LOCK_NB) == 0) return Unit{};
    ::usleep(kLockPauseUs);
  }
  return Error(Code::kConflict,
               "another atoll-supervise runs this instance (" + options_.lock_file + ")");
}

Result<> Supervisor::listen() {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string& path = options_.control_socket;
  if (path.size() >= sizeof address.sun_path)
    return Error(Code::kInvalid, path + " is too long for a socket");
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  ::unlink(path.c_str());
  control_.reset(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!control_) return io::errno_error("socket", errno);
  if (::bind(control_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) < 0 ||
      ::chmod(path.c_str(), 0666) < 0 ||
      ::listen(control_.get(), 8) < 0) {  // who may ask what: by SO_PEERCRED
    return io::errno_error("listen " + path, errno);
  }
  return Unit{};
}

Result<> Supervisor::set_up_loop() {
  ::signal(SIGPIPE, SIG_IGN);
  sigset_t set;
  sigemptyset(&set);
  for (const int s : {SIGCHLD, SIGTERM, SIGINT}) sigaddset(&set, s);
  ::sigprocmask(SIG_BLOCK, &set, nullptr);
  signals_.reset(::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
  epoll_.reset(::epoll_create1(EPOLL_CLOEXEC));
  if (!signals_ || !epoll_) return io::errno_error("epoll", errno);
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.u64 = kTagSignals;
  if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, signals_.get(), &event) < 0)
    return io::errno_error("epoll", errno);
  event.data.u64 = kTagControl;
  if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, control_.get(), &event) < 0)
    return io::errno_error("epoll", errno);
  for (size_t i = 0; i < services_.size(); ++i) {
    if (auto found = find_service(services_[i].spec)) {
      note(services_[i].spec.name + " lives on as process " + std::to_string(found->pid));
      adopt(i, *std::move(found));
    }
  }
  rotate_at_ = clock_.monotonic() + kRotateFirst;
  return Unit{};
}

void Supervisor::adopt(size_t index, ServiceProcess process) {
  Service& s = services_[index];
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.u64 = index;
  ::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, process.pidfd.get(), &event);
  s.process = std::move(process);
  s.phase = Phase::kUp;
  s.since = clock_.monotonic();
  s.waiting_for_file = false;
}

void Supervisor::try_start(size_t index) {
  Service& s = services_[index];
  const MonoTime now = clock_.monotonic();
  if (!s.spec.wait_for_file.empty() && ::access(s.spec.wait_for_file.c_str(), R_OK) < 0) {
    s.waiting_for_file = true;
    s.start_at = now + kFilePoll;
    return;
  }
  auto process = start_service(s.spec);
  if (process) return adopt(index, *std::move(process));
  note(s.spec.name + ": " + process.error().message());
  s.start_at = now + restart_delay(std::max(2, ++s.quick_ends));
}

void Supervisor::start_due() {
  if (stopping_) return;
  const MonoTime now = clock_.monotonic();
  for (size_t i = 0; i < services_.size(); ++i) {
    if (services_[i].phase == Phase::kDown && services_[i].start_at <= now) try_start(i);
  }
}

// Runs for children and for adopted processes alike: the pidfd became readable.
void Supervisor::ended(size_t index) {
  Service& s = services_[index];
  ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, s.process.pidfd.get(), nullptr);
  int status = 0;
  const bool ours = ::waitpid(s.process.pid, &status, WNOHANG) == s.process.pid;
  const MonoTime now = clock_.monotonic();
  s.quick_ends = s.phase == Phase::kStopping || now - s.since > kQuick ? 0 : s.quick_ends + 1;
  const char* how = !ours                 ? "ended"
                    : WIFSIGNALED(status) ? "was killed by signal"
                                          : "ended with code";
  const int number = WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status);
  note(s.spec.name + " (process " + std::to_string(s.process.pid) + ") " + how +
       (ours ? " " + std::to_string(number) : std::string()));
  s.process = {};
  s.phase = Phase::kDown;
  s.since = now;
  s.start_at = now + restart_delay(s.quick_ends);
  ++s.restarts;
  ::unlink(s.spec.pid_file.c_str());
}

void Supervisor::begin_stop(Service& s) {
  if (s.phase != Phase::kUp) return;
  signal_process(s.process, SIGTERM);
  s.phase = Phase::kStopping;
  s.kill_at = clock_.monotonic() + s.spec.grace;
}

void Supervisor::kill_overdue() {
  for (Service& s : services_) {
    if (s.phase == Phase::kStopping && s.kill_at <= clock_.monotonic())
      signal_process(s.process, SIGKILL);
  }
}

int Supervisor::next_timeout_ms() const {
  MonoTime next = rotate_at_;
  for (const Service& s : services_) {
    if (s.phase == Phase::kDown && !stopping_) next = std::min(next, s.start_at);
    if (s.phase == Phase::kStopping) next = std::min(next, s.kill_at);
  }
  const auto wait =
      std::chrono::duration_cast<std::chrono::milliseconds>(next - clock_.monotonic()).count();
  return int(std::clamp<int64_t>(wait + 1, 0, 60'000));
}

void Supervisor::rotate_logs() {
  if (clock_.monotonic() < rotate_at_) return;
  rotate_at_ = clock_.monotonic() + kRotateEvery;
  release_idle_memory();
  for (const Service& s : services_) {
    auto done = rotate_if_large(s.spec.log_file, options_.log_limit_bytes, options_.log_files);
    if (!done) note(done.error().message());
  }
}

// One round of the loop; false on a fault of the loop itself.
bool Supervisor::step(int timeout_ms) {
  epoll_event events[16];
  const int n = ::epoll_wait(epoll_.get(), events, 16, timeout_ms);
  if (n < 0 && errno != EINTR) return false;
  for (int i = 0; i < n; ++i) {
    const uint64_t tag = events[i].data.u64;
    if (tag == kTagSignals) {
      signalfd_siginfo info{};
      while (::read(signals_.get(), &info, sizeof info) == ssize_t(sizeof info)) {
        if (info.ssi_signo != SIGCHLD) stopping_ = true;
      }
    } else if (tag == kTagControl) {
      serve_control();
    } else {
      ended(size_t(tag));
    }
  }
  kill_overdue();
  return true;
}

Result<> Supervisor::run() {
  while (!leaving_) {
    start_due();
    rotate_logs();
    if (!step(next_timeout_ms())) return io::errno_error("epoll", errno);
    if (stopping_ && !leaving_) stop_everything();
  }
  return Unit{};
}

Supervisor::Service* Supervisor::find(std::string_view name) {
  const auto it = std::find_if(services_.begin(), services_.end(),
                               [&](const Service& s) { return s.spec.name == name; });
  return it == services_.end() ? nullptr : &*it;
}

std::string Supervisor::status() const {
  std::string out;
  for (const Service& s : services_) {
    const char* state = s.phase == Phase::kUp         ? "up"
                        : s.phase == Phase::kStopping ? "stopping"
                        : s.waiting_for_file          ? "waiting"
                                                      : "down";
    out += s.spec.name + " " + state + " " + std::to_string(s.process.pid) + " " +
           std::to_string(s.restarts) + "\n";
  }
  return out;
}

std::string Supervisor::restart(Service& s) {
  if (s.spec.name == "keeper" && s.phase == Phase::kUp) {
    auto client = KeeperClient::connect(options_.keeper_socket);
    if (!client) return "error: " + client.error().message() + "\n";
    auto done = client->upgrade(s.spec.argv[0]);
    return done ? "ok\n" : "error: " + done.error().message() + "\n";
  }
  s.quick_ends = 0;
  s.start_at = clock_.monotonic();
  begin_stop(s);
  return "ok\n";
}

std::string Supervisor::answer(const std::string& line, uint32_t uid) {
  const size_t space = line.find(' ');
  const std::string verb = line.substr(0, space);
  const std::string name = space == std::string::npos ? std::string() : line.substr(space + 1);
  const bool own = options_.control_uid != 0 && uid == options_.control_uid;
  const bool allowed = uid == 0 || (own && (verb == "status" || name == options_.control_may));
  if (!allowed) return "error: user " + std::to_string(uid) + " may not do this\n";
  if (verb == "status") return status();
  if (verb == "stop") return stopping_ = true, "ok\n";
  if (verb == "detach") return leaving_ = true, "ok\n";
  if (verb != "reload" && verb != "restart")
    return "error: say status, reload NAME, restart NAME, detach or stop\n";
  Service* s = find(name);
  if (!s) return "error: no service is named '" + name + "'\n";
  if (verb == "restart") return restart(*s);
  if (s->spec.reload_signal == 0) return "error: " + name + " cannot reload\n";
  if (s->phase != Phase::kUp) return "error: " + name + " is not running\n";
  signal_process(s->process, s->spec.reload_signal);
  return "ok\n";
}

// Who may say nothing at all is not listened to either.
bool Supervisor::known(uint32_t uid) const {
  return uid == 0 || (options_.control_uid != 0 && uid == options_.control_uid);
}

// A line of at most 256 bytes, or what has come of it when the limit passes: for the whole line, so
// that a peer that sends a byte now and then holds nobody up.
std::string Supervisor::read_line(int peer) const {
  const MonoTime end = clock_.monotonic() + kControlLimit;
  std::string line;
  while (line.size() < 256) {
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(end - clock_.monotonic());
    pollfd wait{peer, POLLIN, 0};
    if (left.count() <= 0 || ::poll(&wait, 1, int(left.count())) <= 0) break;
    char c = 0;
    if (::read(peer, &c, 1) != 1 || c == '\n') break;
    line.push_back(c);
  }
  return line;
}

// Local, short and rare, so that the loop may wait for it, for one second at most.
void Supervisor::serve_control() {
  const io::UniqueFd peer(::accept4(control_.get(), nullptr, nullptr, SOCK_CLOEXEC));
  if (!peer) return;
  ucred who{};
  socklen_t size = sizeof who;
  if (::getsockopt(peer.get(), SOL_SOCKET, SO_PEERCRED, &who, &size) < 0) return;
  const timeval limit{1, 0};
  ::setsockopt(peer.get(), SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
  const std::string text = answer(known(who.uid) ? read_line(peer.get()) : std::string(), who.uid);
  (void)!::write(peer.get(), text.data(), text.size());
}

void Supervisor::stop_containers() {
  auto client = KeeperClient::connect(options_.keeper_socket);
  if (!client) return;
  const MonoTime limit = clock_.monotonic() + kContainerGrace;
  for (bool first = true;; first = false) {
    auto all = client->list();
    if (!all) return note(all.error().message());
    size_t alive = 0;
    for (const ContainerView& c : *all) alive += c.info.state != State::kExited;
    const bool late = clock_.monotonic() >= limit;
    for (const ContainerView& c : *all) {
      if (c.info.state == State::kExited || (!first && !late)) continue;
      if (auto sent = client->signal(c.id(), late ? SIGKILL : SIGTERM); !sent)
        note(sent.error().message());
    }
    if (alive == 0) {
      for (const ContainerView& c : *all) {
        if (auto gone = client->remove(c.id()); !gone)
          note("remove " + c.id() + ": " + gone.error().message());
      }
      return;
    }
    ::usleep(50'000);
  }
}

void Supervisor::stop_everything() {
  // The agent goes before the containers do, or it would start them again; the keeper goes last.
  for (auto it = services_.rbegin(); it != services_.rend(); ++it) {
    if (it->spec.name != "keeper") begin_stop(*it);
  }
  const auto others_down = [&] {
    return std::all_of(services_.begin(), services_.end(), [](const Service& s) {
      return s.spec.name == "keeper" || s.phase == Phase::kDown;
    });
  };
  while (!others_down() && step(next_timeout_ms())) {
  }
  Service* keeper = find("keeper");
  if (keeper && keeper->phase == Phase::kUp) {
    stop_containers();
    begin_stop(*keeper);
    while (keeper->phase != Phase::kDown && step(next_timeout_ms())) {
    }
  }
  leaving_ = true;
}

}  // namespace atl::keeper
