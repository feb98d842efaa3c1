#include <fmt/format.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "base/async/task_group.h"
#include "base/net/websocket.h"
#include "cli/selection.h"
#include "cli/verbs.h"

namespace atl::cli {
namespace {

// Channels of v5.channel.k8s.io: the first byte of every message.
enum Channel : char {
  kStdin = 0,
  kStdout = 1,
  kStderr = 2,
  kStatus = 3,
  kResize = 4,
  kClose = char(255)
};

// The terminal in raw mode while a tty session lasts.
class RawTerminal {
 public:
  explicit RawTerminal(bool wanted) : on_(wanted && ::tcgetattr(STDIN_FILENO, &before_) == 0) {
    if (!on_) return;
    termios raw = before_;
    ::cfmakeraw(&raw);
    ::tcsetattr(STDIN_FILENO, TCSANOW, &raw);
  }
  ~RawTerminal() {
    if (on_) ::tcsetattr(STDIN_FILENO, TCSANOW, &before_);
  }
  RawTerminal(const RawTerminal&) = delete;
  RawTerminal& operator=(const RawTerminal&) = delete;

 private:
  termios before_{};
  bool on_;
};

void write_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::write(fd, bytes.data(), bytes.size());
    if (n <= 0) return;
    bytes.remove_prefix(size_t(n));
  }
}

std::string resize_message() {
  winsize size{};
  if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return {};
  return std::string(1, kResize) +
         fmt::format("{{\"Width\":{},\"Height\":{}}}", size.ws_col, size.ws_row);
}

Async<void> send_input(net::WebSocket& socket) {
  asio::posix::stream_descriptor input(co_await asio::this_coro::executor, ::dup(STDIN_FILENO));
  char buffer[16384];
  for (;;) {
    auto [error, n] =
        co_await input.async_read_some(asio::buffer(buffer), asio::as_tuple(asio::use_awaitable));
    if (error) break;
    const auto sent =
        co_await socket.write({false, std::string(1, kStdin) + std::string(buffer, n)});
    if (!sent) co_return;
  }
  const std::string end_of_input{kClose, kStdin};
  [[maybe_unused]] const auto closed = co_await socket.write({false, end_of_input});
}

Async<void> send_sizes(net::WebSocket& socket) {
  asio::signal_set changes(co_await asio::this_coro::executor, SIGWINCH);
  for (;;) {
    const std::string message = resize_message();
    if (message.empty()) co_return;
    const auto sent = co_await socket.write({false, message});
    if (!sent) co_return;
    auto [error, signal] = co_await changes.async_wait(asio::as_tuple(asio::use_awaitable));
    if (error) co_return;
  }
}

// The final Status: success, or the command's exit code.
Result<int> exit_code_of(std::string_view text) {
  TRY(const json::Value status, json::parse(text));
  if (json::string_at(status, {"status"}) == "Success") return 0;
  for (const json::Value& cause : json::array_at(status, {"details", "causes"})) {
    if (json::string_at(cause, {"reason"}) == "ExitCode")
      return std::atoi(std::string(json::string_at(cause, {"message"})).c_str());
  }
  return Error(Code::kInternal,
               std::string(json::string_at(status, {"message"}, "the command could not be run")));
}

// A refused connection carries the server's Status behind other words: what it says is enough.
Error in_the_servers_words(const Error& error) {
  const std::string message = error.message();
  const size_t start = message.find('{');
  const auto status = json::parse(start == std::string::npos ? "" : message.substr(start));
  if (!status || json::string_at(*status, {"kind"}) != "Status") return error;
  return Error(error.code(), std::string(json::string_at(*status, {"message"})));
}

Task<int> receive(net::WebSocket& socket) {
  std::optional<Result<int>> code;
  for (;;) {
    CO_TRY(const auto message, co_await socket.read());
    if (!message) break;
    if (message->data.empty()) continue;
    const std::string_view payload = std::string_view(message->data).substr(1);
    switch (message->data[0]) {
      case kStdout:
        write_all(STDOUT_FILENO, payload);
        break;
      case kStderr:
        write_all(STDERR_FILENO, payload);
        break;
      case kStatus:
        code = exit_code_of(payload);
        break;
      default:
        break;
    }
  }
  if (code) co_return *std::move(code);
  co_return Error(Code::kUnavailable, "the connection ended before the command did");
}

}  // namespace

Result<> exec(const Common& common, const ExecOptions& options, int& exit_code) {
  if (options.command.empty())
    return Error(Code::kInvalid, "name the command after --: atoll exec POD -- COMMAND");
  TRY(const auto session, Session::open(common));
  TRY(const std::string pod, choose_pod(*session, options.pod));
  std::string target = fmt::format(
      "/api/v1/namespaces/{}/pods/{}/exec?stdin={}&stdout=true&stderr={}&tty={}",
      segment(session->ns()), segment(pod), options.stdin_open, !options.tty, options.tty);
  if (!options.container.empty()) target += "&container=" + net::percent_encode(options.container);
  for (const std::string& word : options.command) target += "&command=" + net::percent_encode(word);
  return session->run([&](net::HttpClient& client, net::ClientRequest request) -> Task<> {
    request.target = session->access().path_prefix + target;
    auto connected = co_await net::WebSocket::connect(
        client, std::move(request), {"v5.channel.k8s.io"}, std::chrono::seconds(30));
    if (!connected) co_return in_the_servers_words(connected.error());
    const std::unique_ptr<net::WebSocket> socket = *std::move(connected);
    const RawTerminal raw(options.tty && options.stdin_open);
    TaskGroup background(co_await asio::this_coro::executor);
    if (options.stdin_open)
      background.spawn("input", [&]() -> Async<void> { co_await send_input(*socket); });
    if (options.tty)
      background.spawn("sizes", [&]() -> Async<void> { co_await send_sizes(*socket); });
    const auto code = co_await receive(*socket);
    co_await background.stop();
    if (!code) co_return code.error();
    exit_code = *code;
    co_return Unit{};
  });
}

}  // namespace atl::cli
