#include "base/net/test_peers.h"

namespace atl::net {
namespace {

class Tls : public NetTest {
 protected:
  // The error's text, or the answer.
  Async<std::string> ask(Endpoint endpoint) {
    const auto peer = client(std::move(endpoint));
    const auto text = co_await fetch(*peer, {.target = "/peer"});
    co_return text ? *text : text.error().message();
  }
};

TEST_F(Tls, ClientCertificatesAreOptionalAndVerified) {
  const uint16_t port =
      serve_paths({.tls = certificates_.server_identity(/*ask_for_client_certificates=*/true)});
  const TestCertificates strangers("strangers");
  Endpoint stranger = strangers.endpoint_as(port, "mallory", {"system:masters"});
  stranger.ca = certificates_.authority->certificate_pem();
  go([&]() -> Task<> {
    const std::string anonymous = co_await ask(certificates_.endpoint(port));
    EXPECT_EQ(anonymous, "200 tls");
    const std::string known =
        co_await ask(certificates_.endpoint_as(port, "alice", {"dev", "ops"}));
    EXPECT_EQ(known, "200 tls cn=alice o=dev o=ops");
    const std::string refused = co_await ask(stranger);
    EXPECT_NE(refused.find("alert"), std::string::npos) << refused;
    co_return Unit{};
  });
}

TEST_F(Tls, ServersAreVerified) {
  const uint16_t port = serve_paths({.tls = certificates_.server_identity()});
  const TestCertificates strangers("strangers");
  Endpoint by_name = certificates_.endpoint(port);
  by_name.server_name = "localhost";
  Endpoint wrong_name = certificates_.endpoint(port);
  wrong_name.server_name = "example.com";
  Endpoint wrong_address = certificates_.endpoint(port);
  wrong_address.server_name = "127.0.0.2";
  Endpoint careless = strangers.endpoint(port);
  careless.insecure_skip_verify = true;
  Endpoint system = certificates_.endpoint(port);
  system.ca.clear();
  struct Case {
    const char* name;
    Endpoint endpoint;
    const char* want;
  };
  const Case cases[] = {
      {"by address", certificates_.endpoint(port), "200 tls"},
      {"by name", by_name, "200 tls"},
      {"another name", wrong_name, "not trusted: hostname mismatch"},
      {"another address", wrong_address, "not trusted: IP address mismatch"},
      {"another authority", strangers.endpoint(port), "not trusted: "},
      {"the system's authorities", system, "not trusted: "},
      {"no verification", careless, "200 tls"},
  };
  go([&]() -> Task<> {
    for (const Case& c : cases) {
      const std::string text = co_await ask(c.endpoint);
      EXPECT_NE(text.find(c.want), std::string::npos) << c.name << ": " << text;
    }
    co_return Unit{};
  });
}

TEST_F(Tls, IdentitiesAreReplacedForNewConnections) {
  const uint16_t port = serve_paths({.tls = certificates_.server_identity()});
  const TestCertificates next("next authority");
  go([&]() -> Task<> {
    const auto old = client(certificates_.endpoint(port));
    CO_TRY(const std::string before, co_await fetch(*old, {.target = "/hello"}));
    EXPECT_EQ(before, "200 hello");
    CO_TRY_OK(servers_.front()->set_tls(next.server_identity()));
    CO_TRY(const std::string still, co_await fetch(*old, {.target = "/hello"}));
    EXPECT_EQ(still, "200 hello");
    const std::string fresh = co_await ask(next.endpoint(port));
    EXPECT_EQ(fresh, "200 tls");
    const std::string outdated = co_await ask(certificates_.endpoint(port));
    EXPECT_NE(outdated.find("not trusted"), std::string::npos) << outdated;
    co_return Unit{};
  });
}

TEST_F(Tls, BadIdentitiesAreNamed) {
  const TlsIdentity good = certificates_.server_identity();
  const TlsIdentity other = certificates_.server_identity();
  struct Case {
    TlsIdentity identity;
    const char* begins;
  };
  const Case cases[] = {
      {{"", good.private_key, ""}, "certificate chain: "},
      {{"nonsense", good.private_key, ""}, "certificate chain: "},
      {{good.certificate_chain, "", ""}, "private key: "},
      {{good.certificate_chain, other.private_key, ""}, "private key: "},
      {{good.certificate_chain, good.private_key, "nonsense"}, "client CA: "},
  };
  for (const Case& c : cases) {
    Server& server =
        serve([this](Request r, Responder& a) { return test_handler(std::move(r), a); },
              {.tls = c.identity});
    const auto port = server.listen_tcp("127.0.0.1", 0);
    ASSERT_FALSE(port);
    EXPECT_EQ(port.error().code(), Code::kInvalid);
    EXPECT_TRUE(port.error().message().starts_with(c.begins)) << port.error().message();
  }
  Endpoint endpoint = certificates_.endpoint(1);
  endpoint.ca = "nonsense";
  go([&]() -> Task<> {
    const std::string text = co_await ask(endpoint);
    EXPECT_TRUE(text.starts_with("CA: ")) << text;
    co_return Unit{};
  });
}

TEST_F(Tls, Http1OverTlsByRawConnection) {
  const uint16_t port = serve_paths({.tls = certificates_.server_identity()});
  go([&]() -> Task<> {
    const std::string body(200'000, 'b');
    CO_TRY(const std::string answer, co_await talk(*timer_, certificates_.endpoint(port),
                                                   "POST /echo HTTP/1.1\r\nhost: x\r\nconnection: "
                                                   "close\r\ncontent-length: 200000\r\n\r\n" +
                                                       body));
    EXPECT_TRUE(answer.starts_with("HTTP/1.1 200 OK\r\n"));
    EXPECT_TRUE(answer.ends_with("\r\n\r\n" + body));
    // In clear on a TLS port: no HTTP answer, the connection ends.
    const auto clear = co_await talk(*timer_, plain(port), "GET / HTTP/1.1\r\nhost: x\r\n\r\n");
    EXPECT_TRUE(!clear || clear->find("HTTP") == std::string::npos);
    co_return Unit{};
  });
}

}  // namespace
}  // namespace atl::net
