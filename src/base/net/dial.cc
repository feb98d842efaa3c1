#include <sys/socket.h>
#include <sys/un.h>

#include <cerrno>
#include <cstring>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "base/net/dial_impl.h"
#include "base/net/socket_address_impl.h"

namespace atl::net {
namespace {

std::string name_of(const Endpoint& endpoint) {
  if (!endpoint.unix_path.empty()) return endpoint.unix_path;
  const bool v6 = endpoint.host.find(':') != std::string::npos;
  return (v6 ? "[" + endpoint.host + "]" : endpoint.host) + ":" + std::to_string(endpoint.port);
}

Error dial_error(const Endpoint& endpoint, std::string_view reason) {
  return Error(Code::kUnavailable, "connect to " + name_of(endpoint) + ": " + std::string(reason));
}

Error late(const Endpoint& endpoint) {
  return Error(Code::kTimeout, "connect to " + name_of(endpoint) + ": no answer in time");
}

// Name resolution has its own thread and cannot be cut short: whoever waited goes, and it ends
// alone.
struct Resolution {
  explicit Resolution(const Executor& executor) : resolver(executor) {}
  asio::ip::tcp::resolver resolver;
  std::string host;
  std::vector<std::string> addresses;
  std::string failure;
  bool done = false;
  Event changed;
};

Async<void> resolve(std::shared_ptr<Resolution> job) {
  auto [error, found] =
      co_await job->resolver.async_resolve(job->host, "", asio::as_tuple(asio::use_awaitable));
  if (error) job->failure = error.message();
  for (const auto& entry : found) job->addresses.push_back(entry.endpoint().address().to_string());
  job->done = true;
  job->changed.notify();
}

Task<std::vector<SocketAddress>> addresses_of(Timer& timer, Endpoint endpoint, MonoTime deadline) {
  std::vector<SocketAddress> out;
  const auto numeric = SocketAddress::parse(endpoint.host, endpoint.port);
  if (numeric) {
    out.push_back(*numeric);
    co_return out;
  }
  const Executor executor = co_await asio::this_coro::executor;
  const auto job = std::make_shared<Resolution>(executor);
  job->host = endpoint.host;
  run_in_background(executor, resolve(job));
  while (!job->done) {
    const Duration left = deadline - timer.monotonic();
    if (left <= Duration(0)) co_return late(endpoint);
    co_await job->changed.wait_for(timer, left);
  }
  if (!job->failure.empty()) co_return dial_error(endpoint, job->failure);
  for (const std::string& text : job->addresses) {
    const auto address = SocketAddress::parse(text, endpoint.port);
    if (address) out.push_back(*address);
  }
  co_return out;
}

Result<SocketAddress> unix_address(const Endpoint& endpoint) {
  sockaddr_un address{};
  if (endpoint.unix_path.size() >= sizeof address.sun_path)
    return dial_error(endpoint, "the path is too long");
  address.sun_family = AF_UNIX;
  endpoint.unix_path.copy(address.sun_path, endpoint.unix_path.size());
  SocketAddress out;
  std::memcpy(out.get(), &address, sizeof address);
  *out.size_pointer() = sizeof address;
  return out;
}

// One address: the socket, and TLS on it where wanted.
Task<Dialed> try_address(std::shared_ptr<Deadlines> deadlines, DialOptions options,
                         SocketAddress address) {
  const Executor executor = co_await asio::this_coro::executor;
  io::UniqueFd fd(::socket(address.family(), SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd) co_return dial_error(options.endpoint, std::strerror(errno));
  const int raw = fd.get();
  if (address.family() != AF_UNIX) set_stream_options(raw);
  const int connected = ::connect(raw, address.get(), address.size());
  if (connected != 0 && errno != EINPROGRESS)
    co_return dial_error(options.endpoint, std::strerror(errno));
  Dialed out;
  TlsTransport* tls = nullptr;
  if (options.tls == nullptr) {
    out.transport = std::make_unique<PlainTransport>(executor, std::move(fd));
  } else {
    CO_TRY(auto made, TlsTransport::make(executor, std::move(fd), TlsTransport::Side::kClient,
                                         options.tls, options.protocols));
    tls = made.get();
    out.transport = std::move(made);
  }
  Deadlines::Entry deadline(*deadlines, [&] { out.transport->fail(late(options.endpoint)); });
  deadline.set(options.deadline);
  if (connected != 0) CO_TRY_OK(co_await out.transport->wait_writable());
  int failure = 0;
  socklen_t size = sizeof failure;
  ::getsockopt(raw, SOL_SOCKET, SO_ERROR, &failure, &size);
  if (failure != 0) co_return dial_error(options.endpoint, std::strerror(failure));
  if (tls == nullptr) co_return out;
  auto shaken = co_await tls->handshake();
  if (!shaken && shaken.error().code() == Code::kTimeout) co_return std::move(shaken).error();
  if (!shaken) co_return dial_error(options.endpoint, shaken.error().message());
  out.protocol = tls->protocol();
  co_return out;
}

}  // namespace

Task<Dialed> dial(std::shared_ptr<Deadlines> deadlines, Timer& timer, DialOptions options) {
  std::vector<SocketAddress> addresses;
  if (!options.endpoint.unix_path.empty()) {
    CO_TRY(const auto address, unix_address(options.endpoint));
    addresses.push_back(address);
  } else {
    CO_TRY(addresses, co_await addresses_of(timer, options.endpoint, options.deadline));
  }
  Error last = dial_error(options.endpoint, "the name has no address");
  for (const SocketAddress& address : addresses) {
    auto dialed = co_await try_address(deadlines, options, address);
    if (dialed) co_return dialed;
    last = std::move(dialed).error();
    if (last.code() == Code::kTimeout) break;
  }
  co_return last;
}

Task<std::unique_ptr<ByteStream>> connect(Timer& timer, Endpoint endpoint, Duration deadline) {
  const Executor executor = co_await asio::this_coro::executor;
  const auto deadlines =
      std::make_shared<Deadlines>(executor, timer, std::chrono::milliseconds(10));
  std::shared_ptr<TlsContext> tls;
  if (endpoint.tls) {
    CO_TRY(tls, TlsContext::for_client(endpoint));
  }
  DialOptions options{std::move(endpoint), std::move(tls), {}, deadlines->now() + deadline};
  CO_TRY(auto dialed, co_await dial(deadlines, timer, std::move(options)));
  co_return make_stream(std::move(dialed.transport), {});
}

}  // namespace atl::net
