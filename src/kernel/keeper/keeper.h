#pragma once

#include <list>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "base/core/clock.h"
#include "base/core/result.h"
#include "base/io/unique_fd.h"
#include "kernel/keeper/sealed_program.h"
#include "kernel/keeper/table.h"
#include "kernel/keeper/wire.h"

namespace atl::keeper {

struct KeeperOptions {
  std::string socket;             // mode 0600; only root may connect
  std::string journal;            // its folder exists
  std::string run_folder;         // for console sockets: short, sun_path has 108 bytes
  std::vector<std::string> argv;  // how to execve again, argv[0] replaced by the upgrade's path
};

// Parent of every container's first process. Runs an OCI runtime's create, start and delete as
// children, adopts the container (it is a child subreaper), holds its pidfd, pipes and terminal,
// and tells its exit once that is on disk. One thread, one epoll, never waits for a client: one
// that does not read is dropped. Lives as long as the process. Errors of requests travel in
// replies; run() fails only on faults of its own loop.
class Keeper {
 public:
  // resume_fd: -1, or the memfd of the program that execve'd this one.
  static Result<std::unique_ptr<Keeper>> open(KeeperOptions options, const Clock& clock,
                                              int resume_fd = -1);
  ~Keeper();
  Keeper(const Keeper&) = delete;

  // Until kStop or SIGTERM; containers live on.
  Result<> run();

 private:
  struct Client {
    io::UniqueFd socket;
    uint64_t serial = 0;
    bool subscribed = false;
  };
  // A runtime command that is running, and who waits for it.
  struct Operation {
    Type type = Type::kStart;
    int pid = 0;
    uint64_t client = 0;
    uint64_t request = 0;
    CreateArguments create;  // kCreate
    ContainerFds fds;        // kCreate: our ends
    io::UniqueFd console;    // kCreate with a terminal: the listener
    std::string console_path;
    std::string id;
  };
  struct Stray {  // a child that ended before its `create` command did
    int pid = 0;
    ExitInfo exit;
  };

  Keeper(KeeperOptions options, const Clock& clock, Table table);
  Result<> listen();
  Result<> set_up_loop();
  Result<> watch(int fd, uint64_t tag, uint32_t events);

  void accept_client();
  void read_client(uint64_t serial);
  Result<> handle(Client& client, Packet& packet);
  void drop_client(uint64_t serial);
  void reply(uint64_t serial, uint64_t request, const Result<>& outcome, int number = 0);
  bool send_container(uint64_t serial, uint64_t request, const Container& container);
  void list(Client& client, const Request& request);
  void list_held(Client& client, const Request& request);

  Result<> create(Client& client, const Packet& packet);
  Result<> start(Client& client, const Request& request);
  Result<> run_runtime(Client& client, const Request& request, Type type);
  bool busy(std::string_view id) const;
  Result<> signal(const Request& request);
  Result<> open_console(Operation& operation);
  Result<> open_pipes(Operation& operation, io::UniqueFd (&theirs)[3]);
  void take_console(Operation& operation);
  void finish(Operation operation, int status);
  Result<Container*> adopt(Operation& operation);
  Result<> finish_remove(const Operation& operation, int status);

  void reap();
  void reap_each();
  // False where the exit could not be made durable: the zombie stays and reap() is tried again.
  bool ended(int pid, const ExitInfo& exit);
  void cannot_record(const Container& container, const Error& error);
  void stranger_ended(std::string_view id);
  void tell_exit(const Container& container);
  Result<> upgrade(const Packet& packet);

  KeeperOptions options_;
  const Clock& clock_;
  Table table_;
  SealedPrograms programs_;
  io::UniqueFd epoll_;
  io::UniqueFd signals_;
  io::UniqueFd listener_;
  std::map<uint64_t, Client> clients_;
  std::list<Operation> operations_;
  std::vector<Stray> strays_;
  uint64_t next_serial_ = 1;
  bool retry_reap_ = false;
  bool complained_ = false;
  std::set<std::string> unrecorded_strangers_;  // ended; their exit is still to be recorded
  bool leaving_ = false;
};

}  // namespace atl::keeper
