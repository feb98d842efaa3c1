#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/async/timer.h"
#include "base/net/http.h"
#include "kernel/node/pod/pod_access.h"
#include "kernel/node/runtime/runtime.h"

// exec and attach over WebSocket, subprotocols v5.channel.k8s.io and v4.channel.k8s.io: each
// message starts with a byte that names its channel: 0 stdin, 1 stdout, 2 stderr, 3 the closing
// Status, 4 resize; in v5 255 closes a channel.
namespace atl::node {

struct StreamQuery {
  bool with_stdin = false;
  bool with_stdout = false;
  bool with_stderr = false;
  bool terminal = false;
  bool replay = false;  // attach: what the container wrote before comes first
};
StreamQuery stream_query(const net::Query& query);

// The first of our subprotocols that the client offers; empty: none fits.
std::string choose_subprotocol(const std::vector<std::string>& offered);

// {"Width":80,"Height":24} of channel 4; nothing where malformed.
struct TerminalSize {
  uint16_t columns = 0;
  uint16_t rows = 0;
};
std::optional<TerminalSize> parse_resize(std::string_view text);

// What channel 3 carries at the end of a command, and where none could be started.
std::string exit_status(int code);
std::string failure_status(const Error& error);

// Accepts, starts the command, and serves until it ends or the client goes away (the command is
// killed then). Why a command could not be started is told inside the stream: kubectl takes a
// refused upgrade for a server without WebSocket, tries SPDY, and shows only what becomes of that.
using StartExec = std::function<Task<std::unique_ptr<ExecSession>>()>;
Task<> serve_exec(Executor executor, net::Request request, net::Responder& responder,
                  StreamQuery query, StartExec start);
struct Attached {
  PodAccess run;
  PodStreams streams;
};
// Serves until the container ends or the client goes away (the container lives on).
Task<> serve_attach(Executor executor, net::Request request, net::Responder& responder,
                    StreamQuery query, Attached attached, std::function<void()> close_stdin);

}  // namespace atl::node
