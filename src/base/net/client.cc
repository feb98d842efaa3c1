#include "base/net/client.h"

#include <list>
#include <optional>
#include <vector>

#include "base/net/dial_impl.h"
#include "base/net/http1_client_impl.h"
#include "base/net/http2_client_impl.h"

namespace atl::net {
namespace {

constexpr Duration kIdleMax = std::chrono::seconds(90);
constexpr size_t kIdleConnectionsMax = 32;
constexpr Duration kDeadlineGranularity = std::chrono::milliseconds(10);

// The connections to one endpoint: over HTTP/1.1 one for each running request, over HTTP/2 as few
// as the server's limit of streams allows. Shared by the client and by the bodies of running
// answers, which give their connection back when they were read to the end.
class Pool : public std::enable_shared_from_this<Pool> {
 public:
  Pool(Executor executor, Timer& timer, Endpoint endpoint)
      : executor_(std::move(executor)),
        timer_(timer),
        endpoint_(std::move(endpoint)),
        deadlines_(std::make_shared<Deadlines>(executor_, timer, kDeadlineGranularity)),
        idle_sweep_(*deadlines_, [this] { drop_old(); }) {
    if (endpoint_.tls) tls_ = TlsContext::for_client(endpoint_);
  }

  Task<ClientResponse> send(ClientRequest request, Duration deadline);
  Task<Upgraded> upgrade(ClientRequest request, Duration deadline);
  void close() {
    closed_ = true;
    idle_.clear();
    for (const auto& session : sessions_) session->drain();
    sessions_.clear();
  }

 private:
  struct Idle {
    std::shared_ptr<Http1Client> connection;
    MonoTime since;
  };

  // What a request goes out on: one of the two.
  struct Lease {
    std::shared_ptr<Http2Client> session;
    std::shared_ptr<Http1Client> connection;
  };
  struct Sent {
    Result<ClientResponse> response;
    bool untouched = false;
  };
  enum class Reuse : uint8_t { kAllowed, kNo };

  Task<Lease> acquire(MonoTime deadline, Reuse reuse);
  Task<Lease> open(MonoTime deadline);
  Task<Dialed> dial_for(std::vector<std::string> protocols, MonoTime deadline);
  Async<Sent> send_once(ClientRequest request, MonoTime deadline, Reuse reuse);
  std::shared_ptr<Http2Client> take_session();
  std::shared_ptr<Http1Client> take_idle();
  void give_back(std::shared_ptr<Http1Client> connection);
  void drop_old();
  Error late() const {
    return Error(Code::kTimeout, host_field(endpoint_) + ": no answer in time");
  }

  const Executor executor_;
  Timer& timer_;
  const Endpoint endpoint_;
  Result<std::shared_ptr<TlsContext>> tls_ = std::shared_ptr<TlsContext>();
  std::shared_ptr<Deadlines> deadlines_;
  std::list<Idle> idle_;  // the longest unused first
  std::vector<std::shared_ptr<Http2Client>> sessions_;
  // Whether the server speaks HTTP/2 is known only after a first connection: until then, and
  // whenever all sessions are full, one request opens a connection and the others wait for what
  // comes of it.
  bool opening_ = false;
  Event opened_;
  std::optional<Error> open_failure_;
  bool http1_only_ = false;
  Deadlines::Entry idle_sweep_;
  bool closed_ = false;
};

Task<Dialed> Pool::dial_for(std::vector<std::string> protocols, MonoTime deadline) {
  if (!tls_) co_return tls_.error();
  co_return co_await dial(deadlines_, timer_,
                          DialOptions{endpoint_, *tls_, std::move(protocols), deadline});
}

Task<Pool::Lease> Pool::open(MonoTime deadline) {
  CO_TRY(auto dialed, co_await dial_for({"h2", "http/1.1"}, deadline));
  if (closed_) co_return Error(Code::kCancelled, "the client was closed");
  http1_only_ = dialed.protocol != "h2";
  if (http1_only_)
    co_return Lease{nullptr, std::make_shared<Http1Client>(std::move(dialed.transport))};
  const auto session = Http2Client::start(executor_, std::move(dialed.transport), deadlines_);
  sessions_.push_back(session);
  co_return Lease{session, nullptr};
}

Task<Pool::Lease> Pool::acquire(MonoTime deadline, Reuse reuse) {
  while (true) {
    if (auto session = take_session()) co_return Lease{std::move(session), nullptr};
    if (reuse == Reuse::kAllowed) {
      if (auto connection = take_idle()) co_return Lease{nullptr, std::move(connection)};
    }
    if (!endpoint_.tls || http1_only_) co_return co_await open(deadline);
    if (!opening_) break;
    const Duration left = deadline - timer_.monotonic();
    if (left <= Duration(0)) co_return late();
    open_failure_.reset();
    const bool over = co_await opened_.wait_for(timer_, left);
    // The opener's own deadline, or its cancellation, says nothing about ours.
    if (over && open_failure_ && open_failure_->code() != Code::kTimeout) co_return *open_failure_;
  }
  opening_ = true;
  const std::shared_ptr<void> end(nullptr, [this](void*) {
    opening_ = false;
    opened_.notify();
  });
  auto lease = co_await open(deadline);
  if (!lease) open_failure_ = lease.error();
  co_return lease;
}

std::shared_ptr<Http2Client> Pool::take_session() {
  std::erase_if(sessions_, [](const auto& session) { return session->over(); });
  for (const auto& session : sessions_) {
    if (session->has_room()) return session;
  }
  return nullptr;
}

std::shared_ptr<Http1Client> Pool::take_idle() {
  while (!idle_.empty()) {
    auto connection = std::move(idle_.back().connection);
    idle_.pop_back();
    if (connection->usable()) return connection;
  }
  return nullptr;
}

void Pool::give_back(std::shared_ptr<Http1Client> connection) {
  if (closed_) return;
  idle_.push_back({std::move(connection), timer_.monotonic()});
  if (idle_.size() > kIdleConnectionsMax) idle_.pop_front();
  idle_sweep_.set(idle_.front().since + kIdleMax);
}

void Pool::drop_old() {
  const MonoTime now = timer_.monotonic();
  while (!idle_.empty() && idle_.front().since + kIdleMax <= now) idle_.pop_front();
  if (!idle_.empty()) idle_sweep_.set(idle_.front().since + kIdleMax);
}

Async<Pool::Sent> Pool::send_once(ClientRequest request, MonoTime deadline, Reuse reuse) {
  const auto lease = co_await acquire(deadline, reuse);
  if (!lease) co_return Sent{lease.error(), false};
  if (lease->session) {
    auto sent =
        co_await lease->session->send(std::move(request), host_field(endpoint_), "https", deadline);
    co_return Sent{std::move(sent.response), sent.untouched};
  }
  const auto connection = lease->connection;
  Deadlines::Entry timeout(*deadlines_, [&] { connection->fail(late()); });
  timeout.set(deadline);
  auto released = [pool = weak_from_this(), held = std::weak_ptr(connection)] {
    const auto self = pool.lock();
    auto back = held.lock();
    if (self && back) self->give_back(std::move(back));
  };
  auto sent =
      co_await connection->send(std::move(request), host_field(endpoint_), std::move(released));
  co_return Sent{std::move(sent.response), sent.untouched};
}

Task<ClientResponse> Pool::send(ClientRequest request, Duration deadline) {
  CO_TRY_OK(check_request(request));
  const auto self = shared_from_this();
  const MonoTime at = deadlines_->now() + deadline;
  auto first = co_await send_once(request, at, Reuse::kAllowed);
  if (first.response || !first.untouched) co_return std::move(first.response);
  auto second = co_await send_once(std::move(request), at, Reuse::kNo);
  co_return std::move(second.response);
}

Task<Upgraded> Pool::upgrade(ClientRequest request, Duration deadline) {
  CO_TRY_OK(check_request(request));
  const auto self = shared_from_this();
  const MonoTime at = deadlines_->now() + deadline;
  CO_TRY(auto dialed, co_await dial_for({"http/1.1"}, at));
  const auto connection = std::make_shared<Http1Client>(std::move(dialed.transport));
  Deadlines::Entry timeout(*deadlines_, [&] { connection->fail(late()); });
  timeout.set(at);
  co_return co_await connection->upgrade(std::move(request), host_field(endpoint_));
}

class PooledClient final : public HttpClient {
 public:
  PooledClient(Executor executor, Timer& timer, Endpoint endpoint)
      : pool_(std::make_shared<Pool>(std::move(executor), timer, std::move(endpoint))) {}
  ~PooledClient() override { pool_->close(); }

  Task<ClientResponse> send(ClientRequest request, Duration deadline) override {
    return pool_->send(std::move(request), deadline);
  }
  Task<Upgraded> upgrade(ClientRequest request, Duration deadline) override {
    return pool_->upgrade(std::move(request), deadline);
  }

 private:
  const std::shared_ptr<Pool> pool_;
};

}  // namespace

std::unique_ptr<HttpClient> HttpClient::make(Executor executor, Timer& timer, Endpoint endpoint) {
  return std::make_unique<PooledClient>(std::move(executor), timer, std::move(endpoint));
}

}  // namespace atl::net
