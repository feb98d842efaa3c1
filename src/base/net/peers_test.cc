#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "base/net/test_peers.h"

namespace atl::net {

TestCertificates::TestCertificates(std::string_view name) {
  authority = *crypto::CertificateAuthority::create(name, 24h, clock, rng);
}

TlsIdentity TestCertificates::server_identity(bool ask_for_client_certificates) const {
  auto issued = *authority->issue_server(
      {.common_name = "server", .dns_names = {"localhost"}, .ip_addresses = {"127.0.0.1"}});
  return {.certificate_chain = issued.certificate_pem,
          .private_key = issued.key_pem.reveal(),
          .client_ca = ask_for_client_certificates ? authority->certificate_pem() : ""};
}

Endpoint TestCertificates::endpoint(uint16_t port) const {
  return {.host = "127.0.0.1", .port = port, .tls = true, .ca = authority->certificate_pem()};
}

Endpoint TestCertificates::endpoint_as(uint16_t port, const std::string& user,
                                       std::vector<std::string> groups) const {
  const auto issued =
      *authority->issue_client({.common_name = user, .organizations = std::move(groups)});
  Endpoint out = endpoint(port);
  out.certificate_chain = issued.certificate_pem;
  out.private_key = issued.key_pem.reveal();
  return out;
}

NetTest::~NetTest() {
  // Cancelled coroutines still have a step to take.
  loop_.restart();
  loop_.poll();
}

void NetTest::go(std::function<Task<>()> body) {
  const auto result = run(loop_, [&]() -> Task<> {
    auto done = co_await body();
    for (const auto& server : servers_) co_await server->stop(1s);
    co_return done;
  });
  EXPECT_TRUE(result) << result.error().message();
}

Server& NetTest::serve(Handler handler, ServerOptions options) {
  servers_.push_back(
      Server::make(loop_.get_executor(), *timer_, std::move(handler), std::move(options)));
  return *servers_.back();
}

uint16_t NetTest::serve_paths(ServerOptions options) {
  Server& server =
      serve([this](Request request,
                   Responder& responder) { return test_handler(std::move(request), responder); },
            std::move(options));
  return *server.listen_tcp("127.0.0.1", 0);
}

std::unique_ptr<HttpClient> NetTest::client(Endpoint endpoint) {
  return HttpClient::make(loop_.get_executor(), *timer_, std::move(endpoint));
}

namespace {

Task<> stream_lines(Responder& responder, size_t count, size_t* streamed) {
  CO_TRY(auto out, co_await responder.stream(200, {{"content-type", "text/plain"}}));
  for (size_t i = 0; i < count; ++i) {
    const std::vector<SharedBytes> pieces{share("line "), share(""),
                                          share(std::to_string(i) + "\n")};
    CO_TRY_OK(co_await out->write_all(pieces));
    for (const SharedBytes& piece : pieces) *streamed += piece->size();
  }
  co_return co_await out->finish({{"x-lines", std::to_string(count)}});
}

Task<> stream_megabytes(Responder& responder, size_t count, size_t* streamed) {
  const auto piece = share(std::string(64 * 1024, 'm'));
  CO_TRY(auto out, co_await responder.stream(200, {}));
  for (size_t i = 0; i < count * 16; ++i) {
    CO_TRY_OK(co_await out->write(piece));
    *streamed += piece->size();
  }
  co_return co_await out->finish();
}

Task<> watch(Responder& responder, Timer* timer) {
  CO_TRY(auto out, co_await responder.stream(200, {}));
  CO_TRY_OK(co_await out->write(share("first\n")));
  co_await timer->sleep_for(1h);
  co_return co_await out->finish();
}

Task<> echo(Request request, Responder& responder) {
  auto body = co_await request.body->read_all(64 << 20);
  if (!body) co_return co_await responder.send({400, {}, {share(body.error().message())}});
  co_return co_await responder.send(
      {200, {{"x-method", request.method}}, {share(*std::move(body))}});
}

std::string peer_text(const Peer& peer) {
  std::string text = peer.tls ? "tls" : "clear";
  if (peer.uid) text += " uid=" + std::to_string(*peer.uid) + " pid=" + std::to_string(*peer.pid);
  if (peer.certificate) {
    text += " cn=" + peer.certificate->common_name;
    for (const auto& group : peer.certificate->organizations) text += " o=" + group;
  }
  return text;
}

Task<> echo_upgraded(Responder& responder) {
  CO_TRY(auto stream, co_await responder.upgrade({{"upgrade", "echo"}}));
  std::string buffer(1024, 0);
  while (true) {
    CO_TRY(const size_t count, co_await stream->read_some(buffer));
    if (count == 0) co_return Unit{};
    CO_TRY_OK(co_await stream->write(std::string_view(buffer).substr(0, count)));
  }
}

}  // namespace

Async<void> NetTest::test_handler(Request request, Responder& responder) {
  ++started_;
  // Counts the end however it comes: a cancelled handler leaves by an exception.
  const std::shared_ptr<void> leave(nullptr, [this](void*) { ++ended_; });
  const std::string path = request.path;
  const auto query = Query::parse(request.query);
  const size_t count = std::strtoul(std::string(query ? query->get("n") : "").c_str(), nullptr, 10);
  Result<> result = Unit{};
  if (path == "/hello") {
    result = co_await responder.send(
        {200, {{"content-type", "text/plain"}}, {share("hel"), share("lo")}});
  } else if (path == "/echo") {
    result = co_await echo(std::move(request), responder);
  } else if (path == "/peer") {
    result = co_await responder.send({200, {}, {share(peer_text(request.peer))}});
  } else if (path == "/lines") {
    result = co_await stream_lines(responder, count, &streamed_bytes_);
  } else if (path == "/megabytes") {
    result = co_await stream_megabytes(responder, count, &streamed_bytes_);
  } else if (path == "/watch") {
    result = co_await watch(responder, timer_);
  } else if (path == "/never") {
    co_await timer_->sleep_for(1h);
  } else if (path == "/empty") {
    result = co_await responder.send({204, {}, {}});
  } else if (path == "/throw") {
    throw std::runtime_error("a fault");
  } else if (path == "/bad-header") {
    result = co_await responder.send({200, {{"x", "a\r\nb: c"}}, {}});
  } else if (path == "/half") {
    const auto stream = co_await responder.stream(200, {});
    result = co_await (*stream)->write(share("half"));
  } else if (path == "/ignore-body") {
    result = co_await responder.send({200, {}, {share("ignored")}});
  } else if (path == "/upgrade") {
    result = co_await echo_upgraded(responder);
  } else if (path != "/silent") {
    result = co_await responder.send({404, {}, {share("no such path")}});
  }
}

Async<bool> NetTest::eventually(std::function<bool()> condition) {
  const MonoTime end = system_timer_.monotonic() + 10s;
  while (!condition()) {
    if (system_timer_.monotonic() > end) co_return false;
    co_await system_timer_.sleep_for(1ms);
  }
  co_return true;
}

Task<std::string> read_to_end(ByteStream& stream) {
  std::string all;
  std::string buffer(4096, 0);
  while (true) {
    CO_TRY(const size_t count, co_await stream.read_some(buffer));
    if (count == 0) co_return all;
    all.append(buffer, 0, count);
  }
}

Task<std::string> talk(Timer& timer, Endpoint endpoint, std::string bytes) {
  CO_TRY(const auto stream, co_await connect(timer, std::move(endpoint), 10s));
  CO_TRY_OK(co_await stream->write(bytes));
  co_return co_await read_to_end(*stream);
}

Task<std::string> fetch(HttpClient& client, ClientRequest request) {
  CO_TRY(const auto response, co_await client.send(std::move(request), 10s));
  CO_TRY(const std::string body, co_await response.body->read_all(64 << 20));
  co_return std::to_string(response.status) + " " + body;
}

}  // namespace atl::net
