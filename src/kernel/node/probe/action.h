#pragma once

#include <string>

#include "base/async/task.h"
#include "base/async/timer.h"
#include "base/text/json.h"
#include "kernel/node/runtime/runtime.h"

// What probes and life-cycle hooks do: run a command, ask a URL, open a connection, wait.
namespace atl::node {

// Where the action happens. Value type.
struct ActionTarget {
  std::string pod_ip;  // host of httpGet and tcpSocket where they name none
  std::string container_id;
  std::string bundle;
  json::Value process;    // of the container's OCI spec, for exec
  json::Value container;  // its manifest: names of ports
};

class ActionRunner {
 public:
  virtual ~ActionRunner() = default;
  // `action` holds one of exec, httpGet, tcpSocket, grpc, sleep. Success is a Unit; an Error's
  // message says what went wrong in the words of an Unhealthy event; kTimeout past the deadline.
  virtual Task<> run(json::Value action, ActionTarget target, Duration timeout) = 0;
};

// The real one: exec through the runtime, the rest by the network. One executor.
std::unique_ptr<ActionRunner> make_action_runner(Executor executor, Timer& timer, Runtime& runtime);

// A port by number or by the name it has in the container's manifest.
Result<uint16_t> resolve_port(const json::Value& port, const json::Value& container);

// Runs a command in a container and gathers what it says, at most `limit` bytes of it.
struct CommandOutcome {
  int code = 0;
  std::string output;
};
Task<CommandOutcome> run_command(Executor executor, Timer& timer, Runtime& runtime,
                                 ExecRequest request, Duration timeout, size_t limit = 10 * 1024);

}  // namespace atl::node
