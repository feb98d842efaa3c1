#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/async/task.h"
#include "base/core/clock.h"
#include "base/io/unique_fd.h"
#include "base/text/json.h"

namespace atl::node {

enum class RunState : uint8_t { kCreated, kRunning, kExited };

struct ExitStatus {
  int code = 0;  // 128 + signal where killed
  int signal = 0;
  bool unknown = false;  // the kernel could not tell
  bool oom_killed = false;
  WallTime finished{};
};

// A container's first process as the runtime knows it. Copies of the fds are the caller's.
struct LiveContainer {
  std::string id;
  RunState state = RunState::kCreated;
  int pid = 0;
  WallTime started{};
  ExitStatus exit;
  io::UniqueFd stdin_pipe, stdout_pipe, stderr_pipe, terminal;
};

// What to make of an OCI spec. The root filesystem is an overlay of the image's layers.
struct CreateRequest {
  std::string id;                       // at most 127 characters, unique on the node
  std::string bundle;                   // folder for the runtime's files; exists
  std::string scratch;                  // with folders upper and work: what the container writes
  json::Value spec;                     // config.json
  std::vector<std::string> lower_dirs;  // top first
  std::string netns;  // key of a held namespace, bound to <bundle>/netns; may be empty
  bool terminal = false;
  bool with_stdin = false;
};

struct ExecRequest {
  std::string id;  // of the container
  std::string bundle;
  json::Value process;  // exec_process()
  bool terminal = false;
  bool with_stdin = false;
};

// A command inside a container. Destroying it kills the command. One executor.
class ExecSession {
 public:
  virtual ~ExecSession() = default;
  // Non-blocking; -1 where there is none. The session's own.
  virtual int stdin_fd() = 0;
  virtual int stdout_fd() = 0;  // of a terminal: the master, also for input
  virtual int stderr_fd() = 0;
  virtual void close_stdin() = 0;
  virtual void resize(uint16_t columns, uint16_t rows) = 0;
  // The exit code, 128 + signal where killed.
  virtual Async<int> wait() = 0;
  virtual void kill() = 0;
};

// An engine that runs OCI containers below a parent that outlives the agent. One executor; lives as
// long as the agent. Requests of different containers run side by side. Errors: kInvalid with the
// engine's reason (no such command, bad mount), kUnavailable while the keeper is away.
class Runtime {
 public:
  virtual ~Runtime() = default;

  // Everything that the keeper holds; called at start and whenever the keeper was away.
  virtual Task<std::vector<LiveContainer>> list() = 0;
  virtual Task<LiveContainer> create(CreateRequest request) = 0;
  virtual Task<> start(std::string id) = 0;
  // Ok where it has ended already.
  virtual Task<> signal(std::string id, int number) = 0;
  // Deletes it with its cgroup, killing what still runs; ok where there is none.
  virtual Task<> remove(std::string id) = 0;
  virtual Task<> close_stdin(std::string id) = 0;
  virtual Task<std::unique_ptr<ExecSession>> exec(ExecRequest request) = 0;

  // Fds that outlive the agent: network namespaces.
  virtual Task<> hold(std::string key, int fd) = 0;
  virtual Task<> drop(std::string key) = 0;
  struct Held {
    std::string key;
    io::UniqueFd fd;
  };
  virtual Task<std::vector<Held>> held() = 0;

  // Called for each container that ends, on the executor; only takes notes.
  virtual void on_exit(
      std::function<void(const std::string& id, const ExitStatus& exit)> handler) = 0;
  // Called when the connection to the keeper came back: list() again.
  virtual void on_reconnect(std::function<void()> handler) = 0;
};

}  // namespace atl::node
