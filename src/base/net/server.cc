#include <algorithm>

#include <boost/asio/error.hpp>
#include <boost/system/system_error.hpp>

#include "base/net/listener_impl.h"
#include "base/net/server_impl.h"
#include "base/net/tls_impl.h"
#include "base/observe/log.h"

namespace atl::net {
namespace {

constexpr Duration kDeadlineGranularity = std::chrono::milliseconds(500);
constexpr std::string_view kHttp2Preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

// A connection before its first request: nothing is lost when the server stops.
class Opening final : public ServerConnection {
 public:
  Opening(ServerCore& core, Transport& transport, std::string_view doing)
      : transport_(transport),
        deadline_(*core.deadlines,
                  [this, doing] {
                    transport_.fail(Error(Code::kTimeout, std::string(doing) + " took too long"));
                  }),
        registration_(core, *this) {
    deadline_.set_after(core.limits.header_timeout);
    if (core.stopping) drain();
  }
  void drain() override { transport_.fail(Error(Code::kUnavailable, "the server is stopping")); }
  bool idle() const override { return false; }

 private:
  Transport& transport_;
  Deadlines::Entry deadline_;
  Registration registration_;
};

class ServerImpl final : public Server {
 public:
  ServerImpl(Executor executor, Timer& timer, Handler handler, ServerOptions options)
      : core_(std::move(executor), timer, std::move(handler), options.limits) {
    if (options.tls) first_tls_ = std::move(options.tls);
    wants_tls_ = first_tls_.has_value();
  }

  Result<uint16_t> listen_tcp(const std::string& address, uint16_t port) override {
    TRY(auto listener, Listener::tcp(address, port));
    const uint16_t bound = listener->port();
    TRY_OK(start(std::move(listener)));
    return bound;
  }
  Result<> listen_unix(const std::string& path, uint32_t mode) override {
    TRY(auto listener, Listener::unix_socket(path, mode));
    return start(std::move(listener));
  }
  Result<> listen_fd(int fd) override {
    TRY(auto listener, Listener::from_fd(fd));
    return start(std::move(listener));
  }

  Result<> set_tls(TlsIdentity identity) override {
    TRY(tls_, TlsContext::for_server(identity));
    wants_tls_ = true;
    first_tls_.reset();
    return Unit{};
  }

  Async<void> stop(Duration grace) override;
  size_t connections() const override { return accepted_; }

 private:
  Result<> start(std::unique_ptr<Listener> listener);
  void accept(io::UniqueFd fd, Peer peer);
  bool make_room();
  Async<void> serve(io::UniqueFd fd, Peer peer);
  Task<std::unique_ptr<Transport>> open(io::UniqueFd fd, Peer* peer, std::string* protocol);
  Task<std::string> read_preface(Transport* transport);

  ServerCore core_;
  std::optional<TlsIdentity> first_tls_;  // given at construction, not loaded yet
  bool wants_tls_ = false;
  std::shared_ptr<TlsContext> tls_;
  std::vector<std::function<void()>> stop_listeners_;
  size_t accepted_ = 0;
};

Result<> ServerImpl::start(std::unique_ptr<Listener> listener) {
  if (first_tls_) TRY_OK(set_tls(*std::exchange(first_tls_, std::nullopt)));
  std::shared_ptr<Listener> shared = std::move(listener);
  auto cancel = core_.tasks.spawn_cancellable("accept", [this, shared] {
    return shared->run(core_.timer, [this](io::UniqueFd fd, Peer peer) {
      accept(std::move(fd), std::move(peer));
    });
  });
  if (!cancel) return Error(Code::kUnavailable, "the server is stopping");
  stop_listeners_.push_back(std::move(cancel));
  return Unit{};
}

// The connection that has been idle for the longest makes room for a new one.
bool ServerImpl::make_room() {
  if (accepted_ < core_.limits.connections) return true;
  const auto idle = std::ranges::find_if(core_.connections,
                                         [](const auto* connection) { return connection->idle(); });
  if (idle == core_.connections.end()) return false;
  (*idle)->drain();
  return true;
}

void ServerImpl::accept(io::UniqueFd fd, Peer peer) {
  if (!make_room()) {
    log::warn("a connection was refused: the server is full",
              {{"peer", peer.address}, {"limit", core_.limits.connections}});
    return;
  }
  ++accepted_;
  std::shared_ptr<void> leave(nullptr, [this](void*) {
    --accepted_;
    core_.fewer_connections.notify();
  });
  auto held = std::make_shared<io::UniqueFd>(std::move(fd));
  auto who = std::make_shared<Peer>(std::move(peer));
  core_.tasks.spawn("connection",
                    [this, held, who, leave] { return serve(std::move(*held), std::move(*who)); });
}

// TLS where it is wanted; says in `peer` who came and in `protocol` what was agreed on.
Task<std::unique_ptr<Transport>> ServerImpl::open(io::UniqueFd fd, Peer* peer,
                                                  std::string* protocol) {
  if (!wants_tls_ || peer->uid)
    co_return std::make_unique<PlainTransport>(core_.executor, std::move(fd));
  CO_TRY(auto tls,
         TlsTransport::make(core_.executor, std::move(fd), TlsTransport::Side::kServer, tls_, {}));
  const Opening opening(core_, *tls, "the TLS handshake");
  CO_TRY_OK(co_await tls->handshake());
  peer->tls = true;
  peer->certificate = tls->peer_certificate();
  *protocol = tls->protocol();
  co_return tls;
}

// Bytes up to the point where they are the preface of HTTP/2 or cannot become it.
Task<std::string> ServerImpl::read_preface(Transport* transport) {
  const Opening opening(core_, *transport, "the first request");
  std::string early;
  while (early.size() < kHttp2Preface.size() && kHttp2Preface.starts_with(early)) {
    CO_TRY(const auto count, transport->try_read(read_scratch()));
    if (count && *count == 0) co_return Error(Code::kUnavailable, "the peer closed the connection");
    if (count) {
      early.append(read_scratch().data(), *count);
      continue;
    }
    CO_TRY_OK(co_await transport->wait_readable());
  }
  co_return early;
}

Async<void> ServerImpl::serve(io::UniqueFd fd, Peer peer) {
  std::string protocol;
  auto transport = co_await open(std::move(fd), &peer, &protocol);
  if (!transport) {
    log::debug("a connection failed", {{"peer", peer.address}, {"error", transport.error()}});
    co_return;
  }
  std::string early;
  if (protocol.empty()) {
    auto read = co_await read_preface(transport->get());
    if (!read) co_return;
    early = *std::move(read);
  }
  if (protocol == "h2" || early.starts_with(kHttp2Preface)) {
    co_await serve_http2(core_, *std::move(transport), std::move(peer), std::move(early));
  } else {
    co_await serve_http1(core_, *std::move(transport), std::move(peer), std::move(early));
  }
}

Async<void> ServerImpl::stop(Duration grace) {
  core_.stopping = true;
  for (const auto& cancel : stop_listeners_) cancel();
  for (ServerConnection* connection : core_.connections) connection->drain();
  const MonoTime end = core_.timer.monotonic() + grace;
  while (accepted_ > 0) {
    const Duration left = end - core_.timer.monotonic();
    if (left <= Duration(0)) break;
    co_await core_.fewer_connections.wait_for(core_.timer, left);
  }
  co_await core_.tasks.stop();
}

}  // namespace

ServerCore::ServerCore(Executor ex, Timer& t, Handler h, ServerLimits l)
    : executor(ex),
      timer(t),
      handler(std::move(h)),
      limits(l),
      tasks(ex),
      deadlines(std::make_shared<Deadlines>(ex, t, kDeadlineGranularity)) {}

Async<ServerCore::HandlerEnd> ServerCore::finish(Async<void> handling, std::string_view method,
                                                 std::string_view path) {
  try {
    co_await std::move(handling);
    co_return HandlerEnd::kReturned;
  } catch (const boost::system::system_error& error) {
    if (error.code() == asio::error::operation_aborted) co_return HandlerEnd::kCancelled;
    log::error("a request handler threw",
               {{"method", method}, {"path", path}, {"error", error.what()}});
  } catch (const std::exception& error) {
    log::error("a request handler threw",
               {{"method", method}, {"path", path}, {"error", error.what()}});
  }
  co_return HandlerEnd::kThrew;
}

Registration::Registration(ServerCore& core, ServerConnection& connection)
    : core_(core), place_(core.connections.insert(core.connections.end(), &connection)) {}

Registration::~Registration() {
  core_.connections.erase(place_);
}

Response plain_answer(int status, std::string_view text) {
  return Response{
      status, {{"content-type", "text/plain; charset=utf-8"}}, {share(std::string(text) + "\n")}};
}

std::unique_ptr<Server> Server::make(Executor executor, Timer& timer, Handler handler,
                                     ServerOptions options) {
  return std::make_unique<ServerImpl>(std::move(executor), timer, std::move(handler),
                                      std::move(options));
}

}  // namespace atl::net
