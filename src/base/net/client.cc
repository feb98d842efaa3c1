#include "base/net/client.h"

#include <list>

#include "base/net/dial_impl.h"
#include "base/net/http1_client_impl.h"

namespace atl::net {
namespace {

constexpr Duration kIdleMax = std::chrono::seconds(90);
constexpr size_t kIdleConnectionsMax = 32;
constexpr Duration kDeadlineGranularity = std::chrono::milliseconds(10);

// The connections to one endpoint. Shared by the client and by the bodies of running answers, which
// give their connection back when they were read to the end.
class Pool : public std::enable_shared_from_this<Pool> {
 public:
  Pool(Executor executor, Timer& timer, Endpoint endpoint)
      : timer_(timer),
        endpoint_(std::move(endpoint)),
        deadlines_(std::make_shared<Deadlines>(std::move(executor), timer, kDeadlineGranularity)),
        idle_sweep_(*deadlines_, [this] { drop_old(); }) {
    if (endpoint_.tls) tls_ = TlsContext::for_client(endpoint_);
  }

  Task<ClientResponse> send(ClientRequest request, Duration deadline);
  Task<Upgraded> upgrade(ClientRequest request, Duration deadline);
  void close() {
    closed_ = true;
    idle_.clear();
  }

 private:
  struct Idle {
    std::shared_ptr<Http1Client> connection;
    MonoTime since;
  };

  Task<Dialed> dial_for(std::vector<std::string> protocols, MonoTime deadline);
  std::shared_ptr<Http1Client> take_idle();
  void give_back(std::shared_ptr<Http1Client> connection);
  void drop_old();
  Async<Http1Client::Sent> send_once(ClientRequest request, MonoTime deadline, bool fresh);
  Error late() const {
    return Error(Code::kTimeout, host_field(endpoint_) + ": no answer in time");
  }

  Timer& timer_;
  const Endpoint endpoint_;
  Result<std::shared_ptr<TlsContext>> tls_ = std::shared_ptr<TlsContext>();
  std::shared_ptr<Deadlines> deadlines_;
  std::list<Idle> idle_;  // the longest unused first
  Deadlines::Entry idle_sweep_;
  bool closed_ = false;
};

Task<Dialed> Pool::dial_for(std::vector<std::string> protocols, MonoTime deadline) {
  if (!tls_) co_return tls_.error();
  co_return co_await dial(deadlines_, timer_,
                          DialOptions{endpoint_, *tls_, std::move(protocols), deadline});
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

Async<Http1Client::Sent> Pool::send_once(ClientRequest request, MonoTime deadline, bool fresh) {
  std::shared_ptr<Http1Client> connection = fresh ? nullptr : take_idle();
  if (connection == nullptr) {
    auto dialed = co_await dial_for({"http/1.1"}, deadline);
    if (!dialed) co_return Http1Client::Sent{std::move(dialed).error(), false};
    connection = std::make_shared<Http1Client>(std::move(dialed->transport));
  }
  Deadlines::Entry timeout(*deadlines_, [&] { connection->fail(late()); });
  timeout.set(deadline);
  co_return co_await connection->send(std::move(request), host_field(endpoint_),
                                      [pool = weak_from_this(), held = std::weak_ptr(connection)] {
                                        const auto self = pool.lock();
                                        auto back = held.lock();
                                        if (self && back) self->give_back(std::move(back));
                                      });
}

Task<ClientResponse> Pool::send(ClientRequest request, Duration deadline) {
  CO_TRY_OK(check_request(request));
  const auto self = shared_from_this();
  const MonoTime at = deadlines_->now() + deadline;
  auto first = co_await send_once(request, at, /*fresh=*/false);
  if (first.response || !first.untouched) co_return std::move(first.response);
  auto second = co_await send_once(std::move(request), at, /*fresh=*/true);
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
