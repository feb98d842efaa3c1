#include <gtest/gtest.h>

#include "base/crypto/base64.h"
#include "kernel/apiserver/auth/anonymous.h"
#include "kernel/apiserver/auth/bearer.h"
#include "kernel/apiserver/auth/client_certificate.h"
#include "kernel/apiserver/auth/fake_reader.h"
#include "kernel/apiserver/auth/impersonation.h"
#include "kernel/apiserver/auth/service_account_tokens.h"
#include "kernel/apiserver/auth/testing.h"

namespace atl::apiserver {
namespace {

constexpr const char* kIssuer = "https://kubernetes.default.svc.cluster.local";

json::Value object(std::string kind, std::string ns, std::string name, std::string uid) {
  json::Object metadata{{"name", name}, {"uid", uid}};
  if (!ns.empty()) metadata["namespace"] = ns;
  return json::Object{{"apiVersion", "v1"}, {"kind", kind}, {"metadata", metadata}};
}

class Authentication : public testing::Test {
 protected:
  void SetUp() override {
    reader_.put("", "serviceaccounts", object("ServiceAccount", "n1", "bot", "sa-uid"));
    reader_.put("", "pods", object("Pod", "n1", "p", "pod-uid"));
  }
  TokenOrder order() const { return {.account = {"n1", "bot"}, .account_uid = "sa-uid"}; }
  std::string token() const { return tokens_.issue(order()).token.reveal(); }
  std::string pod_token() const {
    TokenOrder bound = order();
    bound.bound = {"Pod", "p", "pod-uid"};
    bound.node = {"Node", "n", "node-uid"};
    return tokens_.issue(bound).token.reveal();
  }
  // The chain as the server builds it.
  Result<std::optional<UserInfo>> ask(net::Headers headers,
                                      std::optional<net::PeerCertificate> certificate = {}) const {
    auto chain = std::make_unique<AuthenticatorChain>();
    chain->add(std::make_unique<ClientCertificateAuthenticator>());
    chain->add(std::make_unique<BearerAuthenticator>(tokens_));
    AnonymousAuthenticator all(std::move(chain));
    const net::Request request{.headers = std::move(headers),
                               .peer = {.tls = true, .certificate = std::move(certificate)}};
    return await(all.authenticate(request));
  }

  FakeReader reader_;
  FakeClock clock_;
  SeededRng rng_{3};
  ServiceAccountTokens tokens_{
      reader_, clock_, rng_, crypto::PrivateKey::generate(), {.issuer = kIssuer}};
};

TEST_F(Authentication, NoCredentialIsAnonymous) {
  const auto user = ask({});
  ASSERT_TRUE(user.has_value());
  EXPECT_EQ((*user)->name, "system:anonymous");
  EXPECT_EQ((*user)->groups, std::vector<std::string>{"system:unauthenticated"});
}

TEST_F(Authentication, CertificateGivesUserAndGroups) {
  const auto user = ask({}, net::PeerCertificate{"jane", {"dev", "ops"}, "abcd"});
  ASSERT_TRUE(user.has_value());
  EXPECT_EQ((*user)->name, "jane");
  EXPECT_EQ((*user)->groups, (std::vector<std::string>{"dev", "ops", "system:authenticated"}));
  EXPECT_EQ((*user)->extra.at("authentication.kubernetes.io/credential-id").front(),
            "X509SHA256=abcd");
  EXPECT_EQ(ask({}, net::PeerCertificate{"", {"system:masters"}, "abcd"}).error().code(),
            Code::kUnauthorized);
}

TEST_F(Authentication, TokenGivesTheServiceAccount) {
  const auto user = ask({{"authorization", "Bearer " + pod_token()}});
  ASSERT_TRUE(user.has_value()) << user.error().message();
  EXPECT_EQ((*user)->name, "system:serviceaccount:n1:bot");
  EXPECT_EQ((*user)->uid, "sa-uid");
  EXPECT_EQ((*user)->groups,
            (std::vector<std::string>{"system:serviceaccounts", "system:serviceaccounts:n1",
                                      "system:authenticated"}));
  EXPECT_EQ((*user)->extra.at("authentication.kubernetes.io/pod-name").front(), "p");
  EXPECT_EQ((*user)->extra.at("authentication.kubernetes.io/node-uid").front(), "node-uid");
  EXPECT_TRUE(
      (*user)->extra.at("authentication.kubernetes.io/credential-id").front().starts_with("JTI="));
}

TEST_F(Authentication, SchemeIgnoresCaseAndSubprotocolWorks) {
  EXPECT_EQ((*ask({{"authorization", "bearer " + token()}}))->name, "system:serviceaccount:n1:bot");
  const std::string protocols =
      "v5.channel.k8s.io, base64url.bearer.authorization.k8s.io." + crypto::base64url(token());
  EXPECT_EQ((*ask({{"upgrade", "websocket"}, {"sec-websocket-protocol", protocols}}))->name,
            "system:serviceaccount:n1:bot");
  EXPECT_EQ((*ask({{"sec-websocket-protocol", protocols}}))->name, "system:anonymous")
      << "not a WebSocket handshake";
}

// Rows B86 and B88: whatever is wrong, the answer is 401 and never another user.
TEST_F(Authentication, BadCredentialsAreRefused) {
  const std::string good = token();
  const std::string protocol = "base64url.bearer.authorization.k8s.io.";
  struct Case {
    const char* why;
    net::Headers headers;
  };
  const Case cases[] = {
      {"empty bearer", {{"authorization", "Bearer"}}},
      {"empty bearer with a space", {{"authorization", "Bearer "}}},
      {"two spaces", {{"authorization", "Bearer  " + good}}},
      {"trailing word", {{"authorization", "Bearer " + good + " x"}}},
      {"a comma joins two headers", {{"authorization", "Bearer " + good + ",Bearer " + good}}},
      {"two headers", {{"authorization", "Bearer " + good}, {"authorization", "Bearer " + good}}},
      {"an empty header", {{"authorization", ""}}},
      {"basic", {{"authorization", "Basic " + crypto::base64("admin:admin")}}},
      {"basic without a colon", {{"authorization", "Basic " + crypto::base64("admin")}}},
      {"another scheme", {{"authorization", "Negotiate abc"}}},
      {"no token at all", {{"authorization", "Bearer x"}}},
      {"one megabyte", {{"authorization", "Bearer " + std::string(1 << 20, 'a')}}},
      {"unicode", {{"authorization", "Bearer " + good + "\xc3\xa9"}}},
      {"a NUL", {{"authorization", "Bearer " + good + std::string(1, '\0')}}},
      {"a tab instead of a space", {{"authorization", "Bearer\t" + good}}},
      {"bad base64 in the subprotocol",
       {{"upgrade", "websocket"}, {"sec-websocket-protocol", protocol + "=="}}},
      {"empty subprotocol", {{"upgrade", "websocket"}, {"sec-websocket-protocol", protocol}}},
      {"two subprotocols",
       {{"upgrade", "websocket"},
        {"sec-websocket-protocol",
         protocol + crypto::base64url(good) + "," + protocol + crypto::base64url(good)}}},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.why);
    const auto user = ask(c.headers);
    ASSERT_FALSE(user.has_value());
    EXPECT_EQ(user.error().code(), Code::kUnauthorized);
  }
}

// Row B87: headers of proxies are nobody's credential here.
TEST_F(Authentication, ProxyHeadersMeanNothing) {
  for (const char* name : {"x-remote-user", "x-remote-group", "x-forwarded-user", "x-forwarded-for",
                           "impersonate_user", "x_remote_user"}) {
    SCOPED_TRACE(name);
    EXPECT_EQ((*ask({{name, "system:masters"}, {"connection", name}}))->name, "system:anonymous");
  }
}

TEST_F(Authentication, TokensEndWithWhatTheyBelongTo) {
  const std::string account_token = token();
  const std::string bound = pod_token();
  EXPECT_TRUE(tokens_.verify(bound, {}).has_value());

  reader_.put("", "pods", object("Pod", "n1", "p", "another-uid"));
  EXPECT_FALSE(tokens_.verify(bound, {}).has_value()) << "the name was used again";
  EXPECT_TRUE(tokens_.verify(account_token, {}).has_value()) << "tokens of the account alone go on";
  reader_.remove("", "pods", {"n1", "p"});
  EXPECT_FALSE(tokens_.verify(bound, {}).has_value());

  reader_.put("", "serviceaccounts", object("ServiceAccount", "n1", "bot", "new-uid"));
  EXPECT_FALSE(tokens_.verify(account_token, {}).has_value()) << "deleted and created again";
  reader_.remove("", "serviceaccounts", {"n1", "bot"});
  EXPECT_FALSE(tokens_.verify(account_token, {}).has_value());
}

TEST_F(Authentication, DeletionLeavesSixtySeconds) {
  json::Value pod = object("Pod", "n1", "p", "pod-uid");
  json::set(pod, {"metadata", "deletionTimestamp"}, json::Value(rfc3339(clock_.now())));
  const std::string bound = pod_token();
  reader_.put("", "pods", pod);
  EXPECT_TRUE(tokens_.verify(bound, {}).has_value());
  clock_.advance(std::chrono::seconds(61));
  EXPECT_FALSE(tokens_.verify(bound, {}).has_value());
}

TEST_F(Authentication, TokensExpireAndKnowTheirAudience) {
  TokenOrder elsewhere = order();
  elsewhere.audiences = {"vault"};
  const std::string vault = tokens_.issue(elsewhere).token.reveal();
  EXPECT_FALSE(tokens_.verify(vault, {}).has_value()) << "not for the API";
  const auto verified = tokens_.verify(vault, {"other", "vault"});
  ASSERT_TRUE(verified.has_value());
  EXPECT_EQ(verified->audiences, std::vector<std::string>{"vault"});
  const std::string own = token();
  clock_.advance(std::chrono::seconds(3599));
  EXPECT_TRUE(tokens_.verify(own, {}).has_value());
  clock_.advance(std::chrono::seconds(1));
  EXPECT_FALSE(tokens_.verify(own, {}).has_value());
}

TEST_F(Authentication, OtherKeysAndForgedSubjectsAreRefused) {
  const ServiceAccountTokens stranger(reader_, clock_, rng_, crypto::PrivateKey::generate(),
                                      {.issuer = kIssuer});
  EXPECT_FALSE(tokens_.verify(stranger.issue(order()).token.reveal(), {}).has_value());
  TokenOrder odd = order();
  odd.account = {"", "bot"};
  EXPECT_FALSE(tokens_.verify(tokens_.issue(odd).token.reveal(), {}).has_value());
}

TEST_F(Authentication, KeysArePublished) {
  const auto keys = crypto::JwkSet::parse(json::serialize(tokens_.key_set()));
  ASSERT_TRUE(keys.has_value());
  EXPECT_TRUE(keys->verify(token(), {.issuer = kIssuer, .now = clock_.now()}).has_value());
  EXPECT_EQ(json::string_at(tokens_.openid_configuration(), {"issuer"}), kIssuer);
}

// Answers from a list of "verb resource/sub ns/name" and remembers nothing.
class ListedAuthorizer final : public Authorizer {
 public:
  explicit ListedAuthorizer(std::vector<std::string> allowed) : allowed_(std::move(allowed)) {}
  Task<Decision> authorize(Attributes a) override {
    const std::string resource =
        a.subresource.empty() ? a.resource : a.resource + "/" + a.subresource;
    const std::string asked =
        a.verb + " " + resource + " " + (a.ns.empty() ? a.name : a.ns + "/" + a.name);
    co_return Decision{.allowed = std::ranges::find(allowed_, asked) != allowed_.end()};
  }

 private:
  std::vector<std::string> allowed_;
};

UserPtr caller() {
  return std::make_shared<const UserInfo>(UserInfo{.name = "door"});
}

TEST(ImpersonationTest, EveryPartIsAsked) {
  const Impersonation wanted{
      .user = "jane", .uid = "7", .groups = {"dev"}, .extra = {{"team", {"red"}}}};
  const std::vector<std::string> all{"impersonate users jane", "impersonate groups dev",
                                     "impersonate userextras/team red", "impersonate uids 7"};
  ListedAuthorizer enough(all);
  const auto user = await(impersonate(enough, caller(), wanted));
  ASSERT_TRUE(user.has_value()) << user.error().message();
  EXPECT_EQ(user->name, "jane");
  EXPECT_EQ(user->groups, (std::vector<std::string>{"dev", "system:authenticated"}));
  for (size_t left_out = 0; left_out < all.size(); ++left_out) {
    SCOPED_TRACE(all[left_out]);
    std::vector<std::string> fewer = all;
    fewer.erase(fewer.begin() + static_cast<ptrdiff_t>(left_out));
    ListedAuthorizer less(fewer);
    EXPECT_EQ(await(impersonate(less, caller(), wanted)).error().code(), Code::kForbidden);
  }
}

TEST(ImpersonationTest, ServiceAccountsBringTheirGroups) {
  ListedAuthorizer authorizer({"impersonate serviceaccounts n1/bot"});
  const auto user =
      await(impersonate(authorizer, caller(), {.user = "system:serviceaccount:n1:bot"}));
  ASSERT_TRUE(user.has_value());
  EXPECT_TRUE(user->in_group("system:serviceaccounts:n1"));
  EXPECT_TRUE(user->in_group("system:authenticated"));
}

TEST(ImpersonationTest, Headers) {
  EXPECT_FALSE(read_impersonation({{"accept", "x"}})->has_value());
  const auto read = read_impersonation({{"impersonate-user", "jane"},
                                        {"impersonate-group", "a"},
                                        {"impersonate-group", "b"},
                                        {"impersonate-extra-acme.com%2fteam", "red"}});
  ASSERT_TRUE(read.has_value());
  EXPECT_EQ((*read)->groups, (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ((*read)->extra.at("acme.com/team"), std::vector<std::string>{"red"});
  const net::Headers bad[] = {{{"impersonate-group", "system:masters"}},
                              {{"impersonate-uid", "1"}},
                              {{"impersonate-user", ""}},
                              {{"impersonate-user", "a"}, {"impersonate-user", "b"}},
                              {{"impersonate-user", "a"}, {"impersonate-extra-%zz", "b"}},
                              {{"impersonate-user", "a"}, {"impersonate-extra-", "b"}}};
  for (const net::Headers& headers : bad)
    EXPECT_EQ(read_impersonation(headers).error().code(), Code::kBadRequest);
}

}  // namespace
}  // namespace atl::apiserver
