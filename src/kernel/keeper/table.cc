#include "kernel/keeper/table.h"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/io/files.h"
#include "kernel/keeper/launch.h"

namespace atl::keeper {
namespace {

constexpr size_t kRecordsEach = 4;  // made, started, exited, removed
constexpr uint64_t kHandoverMagic = 0x314b4c4f54410a00;

struct HandoverHead {
  uint64_t magic = kHandoverMagic;
  uint32_t containers = 0;
  uint32_t held = 0;
  int32_t listener = -1;
  uint32_t record_size = sizeof(ContainerRecord);
};

struct HandoverContainer {
  ContainerRecord record;
  int32_t fds[5] = {-1, -1, -1, -1, -1};  // pidfd, stdin, stdout, stderr, pty
  uint32_t child = 1;
};

struct HandoverHeld {
  char key[kIdBytes] = {};
  int32_t fd = -1;
  uint32_t reserved = 0;
};

// PIDFD_GET_INFO, Linux 6.13; PIDFD_INFO_EXIT, Linux 6.15. Debian 12's headers have neither.
struct PidfdInfo {
  uint64_t mask = 0;
  uint64_t cgroup_id = 0;
  uint32_t pid = 0, tgid = 0, ppid = 0, ids[8] = {};
  int32_t exit_code = 0;
};
constexpr unsigned long kPidfdGetInfo = _IOWR(0xFF, 11, PidfdInfo);
constexpr uint64_t kPidfdInfoExit = 1u << 3;

int64_t wall_ns(const Clock& clock) {
  return clock.now().time_since_epoch().count();
}

int open_pidfd(int pid) {
  return int(::syscall(SYS_pidfd_open, pid, 0));
}

// Another read end of the pipe that a live process writes to.
io::UniqueFd reopen_pipe(int pid, int fd) {
  const std::string path = "/proc/" + std::to_string(pid) + "/fd/" + std::to_string(fd);
  struct stat about{};
  if (::stat(path.c_str(), &about) < 0 || !S_ISFIFO(about.st_mode)) return {};
  return io::UniqueFd(::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
}

template <class T>
void append(std::string& out, const T& value) {
  out.append(reinterpret_cast<const char*>(&value), sizeof value);
}

template <class T>
bool take(std::string_view& in, T& value) {
  if (in.size() < sizeof value) return false;
  std::memcpy(&value, in.data(), sizeof value);
  in.remove_prefix(sizeof value);
  return true;
}

void close_on_exec(int fd, bool on) {
  if (fd >= 0) ::fcntl(fd, F_SETFD, on ? FD_CLOEXEC : 0);
}

}  // namespace

std::vector<int> ContainerFds::list(uint32_t& mask) const {
  std::vector<int> out;
  mask = 0;
  const std::pair<const io::UniqueFd*, uint32_t> all[] = {{&pidfd, kHasPidfd},
                                                          {&stdin_pipe, kHasStdin},
                                                          {&stdout_pipe, kHasStdout},
                                                          {&stderr_pipe, kHasStderr},
                                                          {&pty, kHasPty}};
  for (const auto& [fd, bit] : all) {
    if (!*fd) continue;
    mask |= bit;
    out.push_back(fd->get());
  }
  return out;
}

Result<Table> Table::open(std::string journal_file, const Clock& clock) {
  ContainerRecords records;
  TRY(Journal journal, Journal::open(std::move(journal_file), records));
  Table table(std::move(journal), clock);
  for (const auto& [id, record] : records) table.take_over(record);
  return table;
}

void Table::take_over(ContainerRecord record) {
  Container c;
  c.record = record;
  c.child = false;
  ContainerInfo& info = c.record.info;
  if (info.state != State::kExited) {
    c.fds.pidfd.reset(open_pidfd(info.pid));
    if (c.fds.pidfd && start_ticks(info.pid) == info.start_ticks) {
      c.fds.stdout_pipe = reopen_pipe(info.pid, 1);
      c.fds.stderr_pipe = reopen_pipe(info.pid, 2);
    } else {
      c.fds.pidfd.reset();
      info.state = State::kExited;
      info.exit = {.code = kUnknownExit, .finished_ns = wall_ns(*clock_)};
    }
  }
  containers_[std::string(text(info.id))] = std::move(c);
}

Container* Table::find(std::string_view id) {
  const auto it = containers_.find(id);
  return it == containers_.end() ? nullptr : &it->second;
}

Container* Table::by_pid(int pid) {
  for (auto& [id, c] : containers_) {
    if (c.record.info.pid == pid && c.state() != State::kExited) return &c;
  }
  return nullptr;
}

std::vector<Container*> Table::after(std::string_view id, size_t limit) {
  std::vector<Container*> out;
  for (auto it = containers_.upper_bound(id); it != containers_.end() && out.size() < limit; ++it) {
    out.push_back(&it->second);
  }
  return out;
}

Result<> Table::make_room() {
  return journal_.reserve((containers_.size() + 1) * kRecordsEach + unrecorded_removals_.size());
}

Result<Container*> Table::add(Container container) {
  const std::string id(text(container.record.info.id));
  TRY_OK(journal_.put(container.record));
  unrecorded_removals_.erase(id);
  return &(containers_[id] = std::move(container));
}

Result<> Table::started(Container& c) {
  if (c.state() == State::kExited) return Unit{};  // it was quicker than the runtime's answer
  c.record.info.state = State::kRunning;
  c.record.info.started_ns = wall_ns(*clock_);
  return journal_.put(c.record);
}

Result<> Table::exited(Container& c, ExitInfo exit) {
  ContainerRecord record = c.record;
  if (record.info.started_ns == 0) record.info.started_ns = record.info.created_ns;
  record.info.state = State::kExited;
  record.info.exit = exit;
  TRY_OK(journal_.put_durable(record));
  c.record = record;
  c.fds.stdin_pipe.reset();
  return Unit{};
}

bool Table::remove(std::string_view id) {
  const auto it = containers_.find(id);
  if (it == containers_.end()) return true;
  unrecorded_removals_.insert(it->first);
  containers_.erase(it);
  return record_removals();
}

bool Table::record_removals() {
  std::erase_if(unrecorded_removals_,
                [&](const std::string& id) { return journal_.remove(id).has_value(); });
  // Where it cannot be rewritten the old file is as good: the next removal tries again.
  (void)journal_.compact_if_large(records());
  (void)make_room();  // in a new file there is none yet
  return unrecorded_removals_.empty();
}

ContainerRecords Table::records() const {
  ContainerRecords out;
  for (const auto& [id, c] : containers_) out[id] = c.record;
  return out;
}

bool Table::drop(std::string_view key) {
  const auto it = held_.find(key);
  if (it == held_.end()) return false;
  held_.erase(it);
  return true;
}

int Table::held(std::string_view key) const {
  const auto it = held_.find(key);
  return it == held_.end() ? -1 : it->second.get();
}

void Table::set_close_on_exec(bool on) const {
  for (const auto& [id, c] : containers_) {
    uint32_t mask = 0;
    for (const int fd : c.fds.list(mask)) close_on_exec(fd, on);
  }
  for (const auto& [key, fd] : held_) close_on_exec(fd.get(), on);
}

void Table::close_on_exec_again() const {
  set_close_on_exec(true);
}

Result<io::UniqueFd> Table::serialize(int listener) const {
  std::string out;
  HandoverHead head;
  head.containers = uint32_t(containers_.size());
  head.held = uint32_t(held_.size());
  head.listener = listener;
  append(out, head);
  for (const auto& [id, c] : containers_) {
    HandoverContainer h;
    h.record = c.record;
    const io::UniqueFd* fds[] = {&c.fds.pidfd, &c.fds.stdin_pipe, &c.fds.stdout_pipe,
                                 &c.fds.stderr_pipe, &c.fds.pty};
    for (size_t i = 0; i < std::size(fds); ++i) h.fds[i] = fds[i]->get();
    h.child = c.child;
    append(out, h);
  }
  for (const auto& [key, fd] : held_) {
    HandoverHeld h;
    put(h.key, key);
    h.fd = fd.get();
    append(out, h);
  }
  io::UniqueFd memory(::memfd_create("atoll-keeper", 0));
  if (!memory) return io::errno_error("memfd", errno);
  if (::write(memory.get(), out.data(), out.size()) != ssize_t(out.size()))
    return io::errno_error("write memfd", errno);
  set_close_on_exec(false);
  return memory;
}

Result<Table> Table::restore(int memfd, std::string journal_file, const Clock& clock,
                             io::UniqueFd& listener) {
  const io::UniqueFd memory(memfd);
  TRY(const std::string bytes, io::read_file("/proc/self/fd/" + std::to_string(memfd), 1u << 30));
  std::string_view in = bytes;
  HandoverHead head;
  if (!take(in, head) || head.magic != kHandoverMagic ||
      head.record_size != sizeof(ContainerRecord)) {
    return Error(Code::kInvalid, "the hand-over is from another version");
  }
  ContainerRecords ignored;  // the memory of the old program is newer than the journal, or equal
  TRY(Journal journal, Journal::open(std::move(journal_file), ignored));
  Table table(std::move(journal), clock);
  for (uint32_t i = 0; i < head.containers; ++i) {
    HandoverContainer h;
    if (!take(in, h)) return Error(Code::kInvalid, "the hand-over is cut off");
    Container c{h.record, {}, h.child != 0};
    io::UniqueFd* fds[] = {&c.fds.pidfd, &c.fds.stdin_pipe, &c.fds.stdout_pipe, &c.fds.stderr_pipe,
                           &c.fds.pty};
    for (size_t f = 0; f < std::size(fds); ++f) fds[f]->reset(h.fds[f]);
    table.containers_[std::string(text(h.record.info.id))] = std::move(c);
  }
  for (uint32_t i = 0; i < head.held; ++i) {
    HandoverHeld h;
    if (!take(in, h)) return Error(Code::kInvalid, "the hand-over is cut off");
    table.held_[std::string(text(h.key))].reset(h.fd);
  }
  listener.reset(head.listener);
  close_on_exec(head.listener, true);
  table.set_close_on_exec(true);
  return table;
}

ExitInfo exit_of_stranger(int pidfd, const Clock& clock) {
  ExitInfo exit{.code = kUnknownExit, .finished_ns = wall_ns(clock)};
  PidfdInfo info;
  info.mask = kPidfdInfoExit;
  if (::ioctl(pidfd, kPidfdGetInfo, &info) < 0 || !(info.mask & kPidfdInfoExit)) return exit;
  exit.code = WIFEXITED(info.exit_code) ? WEXITSTATUS(info.exit_code) : 0;
  exit.signal = WIFSIGNALED(info.exit_code) ? WTERMSIG(info.exit_code) : 0;
  return exit;
}

}  // namespace atl::keeper
