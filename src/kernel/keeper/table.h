#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/core/clock.h"
#include "base/core/result.h"
#include "base/io/unique_fd.h"
#include "kernel/keeper/journal.h"
#include "kernel/keeper/protocol.h"

namespace atl::keeper {

// What the keeper holds open for one container.
struct ContainerFds {
  io::UniqueFd pidfd;
  io::UniqueFd stdin_pipe;
  io::UniqueFd stdout_pipe;
  io::UniqueFd stderr_pipe;
  io::UniqueFd pty;

  // Borrowed, in the order of the kHas… bits that `mask` receives.
  std::vector<int> list(uint32_t& mask) const;
};

struct Container {
  ContainerRecord record;
  ContainerFds fds;
  bool child = true;  // false: taken over from a keeper that died; init reaps it
  State state() const { return record.info.state; }
};

// The containers and held fds of this node, and the journal behind them. Owned by the Keeper, one
// thread.
class Table {
 public:
  // Reads the journal. Containers that were alive are opened again by pid and start time, their log
  // pipes through /proc; those that ended meanwhile have an unknown exit.
  static Result<Table> open(std::string journal_file, const Clock& clock);

  Container* find(std::string_view id);
  Container* by_pid(int pid);
  // Borrowed until the next change. Ids in order; `after` is exclusive.
  std::vector<Container*> after(std::string_view id, size_t limit);
  size_t size() const { return containers_.size(); }

  // Takes room on disk for the start, exit and removal of every container that there is and of one
  // more: before a container is made, so that its end can be recorded whatever fills the disk.
  Result<> make_room();
  Result<Container*> add(Container container);
  Result<> started(Container& container);
  // On disk when it returns.
  Result<> exited(Container& container, ExitInfo exit);
  // The container is gone from here in any case: what cannot be recorded is kept for
  // record_removals(), and comes back as an unknown exit where this program ends before. False
  // there.
  bool remove(std::string_view id);
  // False where removals are still not on record.
  bool record_removals();

  void hold(std::string key, io::UniqueFd fd) { held_[std::move(key)] = std::move(fd); }
  bool drop(std::string_view key);
  int held(std::string_view key) const;
  const std::map<std::string, io::UniqueFd, std::less<>>& held() const { return held_; }

  // Hand-over to a new program in the same process: a memfd that survives execve, as do all fds in
  // it.
  Result<io::UniqueFd> serialize(int listener) const;
  static Result<Table> restore(int memfd, std::string journal_file, const Clock& clock,
                               io::UniqueFd& listener);
  // The opposite of serialize() where execve failed: nothing leaks into runtime commands.
  void close_on_exec_again() const;

 private:
  Table(Journal journal, const Clock& clock) : journal_(std::move(journal)), clock_(&clock) {}
  void set_close_on_exec(bool on) const;
  void take_over(ContainerRecord record);
  ContainerRecords records() const;

  Journal journal_;
  const Clock* clock_;
  std::map<std::string, Container, std::less<>> containers_;
  std::map<std::string, io::UniqueFd, std::less<>> held_;
  std::set<std::string, std::less<>> unrecorded_removals_;
};

// The exit of a process that is not our child, from its pidfd; kUnknownExit where the kernel keeps
// none (before 6.15). Call it once the pidfd hung up: the process was reaped then.
ExitInfo exit_of_stranger(int pidfd, const Clock& clock);

}  // namespace atl::keeper
