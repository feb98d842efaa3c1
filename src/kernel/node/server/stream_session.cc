#include "kernel/node/server/stream_session.h"

#include <fmt/format.h>
#include <sys/ioctl.h>

#include <deque>

#include <boost/asio/experimental/awaitable_operators.hpp>

#include "base/async/event.h"
#include "base/io/files.h"
#include "base/net/websocket.h"
#include "base/observe/log.h"
#include "base/text/json.h"
#include "kernel/node/server/loop_fd_impl.h"

namespace atl::node {
namespace {

enum class Channel : uint8_t {
  kStdin = 0,
  kStdout = 1,
  kStderr = 2,
  kError = 3,
  kResize = 4,
  kClose = 255
};

constexpr size_t kBacklogMax = 4 << 20;  // attach: a client that does not read loses output
constexpr uint16_t kNormalClosure = 1000;

// A WebSocket with channels, written to by several coroutines in turn.
class Channels {
 public:
  explicit Channels(std::unique_ptr<net::WebSocket> socket) : socket_(std::move(socket)) {}

  net::WebSocket& socket() { return *socket_; }
  bool version5() const { return socket_->subprotocol() == "v5.channel.k8s.io"; }

  Task<> write(Channel channel, std::string bytes) {
    while (busy_) co_await free_.wait();
    busy_ = true;
    bytes.insert(bytes.begin(), char(channel));
    auto sent = co_await socket_->write({false, std::move(bytes)});
    busy_ = false;
    free_.notify();
    co_return sent;
  }

 private:
  std::unique_ptr<net::WebSocket> socket_;
  bool busy_ = false;
  Event free_;
};

Async<void> copy_out(LoopFd& fd, Channel channel, Channels& channels) {
  while (fd.open()) {
    std::string bytes = co_await fd.read();
    if (bytes.empty()) co_return;
    auto sent = co_await channels.write(channel, std::move(bytes));
    if (!sent) co_return;
  }
}

struct Input {
  LoopFd* into;  // null: stdin is not wanted
  std::function<void(TerminalSize)> resize;
  std::function<void()> end;  // the client closed stdin
};

// Until the client goes away.
Async<void> copy_in(Channels& channels, Input input) {
  for (;;) {
    auto message = co_await channels.socket().read();
    if (!message || !*message) co_return;
    std::string data = std::move((*message)->data);
    if (data.empty()) continue;
    const Channel channel = Channel(uint8_t(data[0]));
    if (channel == Channel::kStdin && input.into && input.into->open()) {
      const bool taken = co_await input.into->write(data.substr(1));
      if (!taken) input.into->close();
    } else if (channel == Channel::kResize) {
      if (const auto size = parse_resize(std::string_view(data).substr(1))) input.resize(*size);
    } else if (channel == Channel::kClose && data.size() > 1 && data[1] == char(Channel::kStdin)) {
      if (input.into) input.into->close();
      input.end();
    }
  }
}

Task<std::unique_ptr<net::WebSocket>> accept(const net::Request& request,
                                             net::Responder& responder) {
  if (!net::WebSocket::is_upgrade(request)) {
    co_return Error(
        Code::kBadRequest,
        "Upgrade request required: this server streams over WebSocket (kubectl 1.31 or newer)");
  }
  const std::string protocol = choose_subprotocol(net::WebSocket::offered(request));
  if (protocol.empty()) {
    co_return Error(Code::kBadRequest,
                    "the client offers neither v5.channel.k8s.io nor v4.channel.k8s.io");
  }
  co_return co_await net::WebSocket::accept(request, responder, protocol);
}

}  // namespace

StreamQuery stream_query(const net::Query& query) {
  return {query.flag("stdin") || query.flag("input"), query.flag("stdout") || query.flag("output"),
          query.flag("stderr") || query.flag("error"), query.flag("tty")};
}

std::string choose_subprotocol(const std::vector<std::string>& offered) {
  for (const std::string_view ours : {"v5.channel.k8s.io", "v4.channel.k8s.io"}) {
    for (const std::string& theirs : offered) {
      if (theirs == ours) return theirs;
    }
  }
  return {};
}

std::optional<TerminalSize> parse_resize(std::string_view text) {
  const auto value = json::parse(text);
  if (!value) return std::nullopt;
  const int64_t width = json::int_at(*value, {"Width"});
  const int64_t height = json::int_at(*value, {"Height"});
  if (width < 1 || height < 1 || width > 65'535 || height > 65'535) return std::nullopt;
  return TerminalSize{uint16_t(width), uint16_t(height)};
}

std::string exit_status(int code) {
  json::Object out{{"metadata", json::Object{}}, {"status", code == 0 ? "Success" : "Failure"}};
  if (code != 0) {
    out["reason"] = "NonZeroExitCode";
    out["message"] =
        fmt::format("command terminated with non-zero exit code: exit status {}", code);
    out["details"] = json::Object{
        {"causes",
         json::Array{json::Object{{"reason", "ExitCode"}, {"message", std::to_string(code)}}}}};
  }
  return json::serialize(out);
}

std::string failure_status(const Error& error) {
  return json::serialize(json::Object{{"metadata", json::Object{}},
                                      {"status", "Failure"},
                                      {"reason", "InternalError"},
                                      {"message", error.message()},
                                      {"code", 500}});
}

Task<> serve_exec(Executor executor, net::Request request, net::Responder& responder,
                  StreamQuery query, StartExec start) {
  using namespace asio::experimental::awaitable_operators;
  CO_TRY(auto socket, co_await accept(request, responder));
  Channels channels(std::move(socket));
  auto started = co_await start();
  if (!started) {
    log::warn("command not started", {{"path", request.path}, {"error", started.error()}});
    CO_TRY_OK(co_await channels.write(Channel::kError, failure_status(started.error())));
    co_return co_await channels.socket().close(kNormalClosure, "");
  }
  const std::unique_ptr<ExecSession> session = *std::move(started);
  LoopFd in(executor, query.with_stdin ? session->stdin_fd() : -1);
  LoopFd out(executor, session->stdout_fd());
  LoopFd err(executor, session->stderr_fd());
  ExecSession* const command = session.get();
  // Our copy is the only one: the command sees the end of its input when it goes.
  if (query.with_stdin && !query.terminal) session->close_stdin();
  Input input{query.with_stdin ? &in : nullptr,
              [command](TerminalSize size) { command->resize(size.columns, size.rows); }, [] {}};
  auto output = copy_out(out, Channel::kStdout, channels) &&
                copy_out(err, Channel::kStderr, channels) && session->wait();
  auto ended = co_await (std::move(output) || copy_in(channels, std::move(input)));
  if (ended.index() == 1) {
    session->kill();
    co_return Unit{};
  }
  const int code = std::get<0>(ended);
  CO_TRY_OK(co_await channels.write(Channel::kError, exit_status(code)));
  co_return co_await channels.socket().close(kNormalClosure, "");
}

namespace {

// What an attached client has yet to get.
struct Backlog {
  StreamQuery query;
  std::deque<std::pair<Channel, std::string>> pieces;
  size_t bytes = 0;
  Event news;

  void add(LogStream stream, std::string_view text) {
    const bool wanted = stream == LogStream::kStdout ? query.with_stdout : query.with_stderr;
    if (!wanted || bytes + text.size() > kBacklogMax) return;
    pieces.emplace_back(stream == LogStream::kStdout ? Channel::kStdout : Channel::kStderr, text);
    bytes += text.size();
    news.notify();
  }

  // The log so far. Nothing is written to it meanwhile: one executor, and no wait in here.
  void replay(const std::string& log_file) {
    const auto text = io::read_file(log_file, kBacklogMax);
    if (!text) return;
    for (std::string_view rest = *text; !rest.empty();) {
      const size_t end = rest.find('\n');
      const auto line = parse_log_line(rest.substr(0, end));
      if (line) add(line->stream, std::string(line->text) + (line->partial ? "" : "\n"));
      rest = end == std::string_view::npos ? std::string_view() : rest.substr(end + 1);
    }
  }
};

}  // namespace

Task<> serve_attach(Executor executor, net::Request request, net::Responder& responder,
                    StreamQuery query, Attached attached, std::function<void()> close_stdin) {
  using namespace asio::experimental::awaitable_operators;
  LoopFd terminal(executor, std::move(attached.streams.terminal));
  io::UniqueFd pipe = std::move(attached.streams.stdin_pipe);
  if (!query.with_stdin) pipe.reset();
  LoopFd in = attached.run.terminal ? LoopFd(executor, query.with_stdin ? terminal.fd() : -1)
                                    : LoopFd(executor, std::move(pipe));
  CO_TRY(auto socket, co_await accept(request, responder));
  Channels channels(std::move(socket));
  Backlog backlog{query, {}, 0, {}};
  const ContainerLogPtr log = attached.run.log;
  if (query.replay) backlog.replay(attached.run.log_file);
  const uint64_t listener =
      log->listen([&](LogStream stream, std::string_view bytes) { backlog.add(stream, bytes); });
  const auto forward = [&]() -> Async<void> {
    for (;;) {
      while (!backlog.pieces.empty()) {
        auto [channel, bytes] = std::move(backlog.pieces.front());
        backlog.pieces.pop_front();
        backlog.bytes -= bytes.size();
        auto sent = co_await channels.write(channel, std::move(bytes));
        if (!sent) co_return;
      }
      if (log->finished()) co_return;
      // Either more output, or the end of the container, which the log tells.
      auto woken = co_await (backlog.news.wait() || log->changed().wait());
      (void)woken;
    }
  };
  Input input{query.with_stdin ? &in : nullptr,
              [&terminal](TerminalSize size) {
                const winsize wanted{size.rows, size.columns, 0, 0};
                if (terminal.open()) ::ioctl(terminal.fd(), TIOCSWINSZ, &wanted);
              },
              std::move(close_stdin)};
  auto ended = co_await (forward() || copy_in(channels, std::move(input)));
  log->forget(listener);
  if (ended.index() == 1) co_return Unit{};
  CO_TRY_OK(co_await channels.write(Channel::kError, exit_status(0)));
  co_return co_await channels.socket().close(kNormalClosure, "");
}

}  // namespace atl::node
