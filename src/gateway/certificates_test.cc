#include "base/crypto/base64.h"
#include "gateway/gateway_fixture.h"

namespace atl::gateway {
namespace {

// The certificate that the gateway shows for a host.
class CertificateTest : public GatewayTest {
 protected:
  void put_secret(const std::string& name, const std::string& common_name) {
    const auto issued = crypto::self_signed(
        {.common_name = common_name, .dns_names = {"a.localhost"}}, timer_, rng_);
    ASSERT_TRUE(issued);
    put_secret_bytes(name, issued->certificate_pem, issued->key_pem.reveal());
    authority_ = issued->certificate_pem;
  }
  void put_secret_bytes(const std::string& name, const std::string& crt, const std::string& key) {
    ASSERT_TRUE(client_.put(
        kSecrets,
        *json::parse(fmt::format(
            R"({{"apiVersion":"v1","kind":"Secret","type":"kubernetes.io/tls","metadata":{{"namespace":"default",
        "name":"{}"}},"data":{{"tls.crt":"{}","tls.key":"{}"}}}})",
            name, crypto::base64(crt), crypto::base64(key)))));
  }
  // True when the host shows the newest certificate that put_secret() made.
  Async<bool> shown(std::string host) {
    net::Endpoint endpoint{
        .host = "127.0.0.1", .port = kHttps, .tls = true, .ca = authority_, .server_name = host};
    const auto client = net::HttpClient::make(loop_.get_executor(), timer_, endpoint);
    net::ClientRequest request{.target = "/", .headers = {{"host", host}}};
    const auto response = co_await client->send(std::move(request), 10s);
    co_return response.has_value();
  }
  std::string authority_;
};

TEST_F(CertificateTest, SecretsComeChangeAndGoWithoutARestart) {
  app("web", "127.0.1.1", 80);
  put_service("web", "127.0.1.1", 80);
  const std::string tls = R"(,"tls":[{"secretName":"cert","hosts":["a.localhost"]}])";
  put_ingress("a", "a.localhost", {{"Prefix", "/", "web"}}, tls);
  until_answers("a.localhost", "/", 200);
  put_secret("cert", "first");
  eventually("the certificate is not shown", [&] { return shown("a.localhost"); });
  put_secret("cert", "second");
  eventually("the new certificate is not shown", [&] { return shown("a.localhost"); });
  const auto mismatch = crypto::self_signed({.common_name = "other"}, timer_, rng_);
  const auto good = client_.peek(kSecrets, {"default", "cert"})->parse();
  put_secret_bytes("cert", mismatch->certificate_pem,
                   *crypto::base64_decode(json::string_at(good, {"data", "tls.key"})));
  eventually("there is no event", [&]() -> Async<bool> {
    for (const api::ObjectPtr& event : client_.peek_all(kEvents)) {
      if (event->text().find("CertificateRefused") != std::string::npos) co_return true;
    }
    co_return false;
  });
  bool still = false;
  go([&]() -> Task<> {
    still = co_await shown("a.localhost");
    co_return Unit{};
  });
  EXPECT_TRUE(still) << "a bad certificate does not replace a good one";
  haproxy_.end(SIGKILL);
  start_haproxy();
  eventually("after a restart it is not shown", [&] { return shown("a.localhost"); });
  put_ingress("a", "a.localhost", {{"Prefix", "/", "web"}});
  eventually("it is still shown", [&]() -> Async<bool> {
    const bool there = co_await shown("a.localhost");
    co_return !there;
  });
  eventually("its file is still there", [&]() -> Async<bool> {
    co_return std::filesystem::is_empty(options_.certificate_folder());
  });
  for (const auto& file : std::filesystem::directory_iterator(folder_)) {
    const bool key = file.path().filename() == "default.pem";
    if (key) EXPECT_EQ(file.status().permissions(), std::filesystem::perms(0600)) << file.path();
  }
}

TEST_F(CertificateTest, TheDefaultCertificateIsRenewedWithoutARestart) {
  app("web", "127.0.1.1", 80);
  put_service("web", "127.0.1.1", 80);
  put_ingress("a", "a.localhost", {{"Prefix", "/", "web"}});
  until_answers("a.localhost", "/", 200);
  const auto next =
      crypto::self_signed({.common_name = "localhost", .dns_names = {"a.localhost"}}, timer_, rng_);
  ASSERT_TRUE(next);
  authority_ = next->certificate_pem;
  gateway_->renew_default_certificate(next->certificate_pem + next->key_pem.reveal());
  put_ingress("b", "b.localhost", {{"Prefix", "/", "web"}});  // any change is a reason to look
  eventually("the renewed certificate is not shown", [&] { return shown("a.localhost"); });
  haproxy_.end(SIGKILL);
  start_haproxy();
  eventually("after a restart it is not shown", [&] { return shown("a.localhost"); });
}

}  // namespace
}  // namespace atl::gateway
