#include "base/crypto/jwt.h"

#include <gtest/gtest.h>

#include <functional>

#include "base/crypto/base64.h"
#include "base/crypto/digest.h"

namespace atl::crypto {
namespace {

const WallTime kNow{std::chrono::seconds(1'800'000'000)};
constexpr int64_t kNowSeconds = 1'800'000'000;

class Jwt : public testing::Test {
 protected:
  JwtRules rules() const { return {.issuer = "https://atoll", .audiences = {"api"}, .now = kNow}; }
  json::Object claims() const {
    return {{"iss", "https://atoll"}, {"aud", json::Array{"api"}}, {"sub", "someone"},
            {"iat", kNowSeconds},     {"nbf", kNowSeconds},        {"exp", kNowSeconds + 600}};
  }
  // A token with any header, signed over exactly that.
  std::string token(const json::Value& header, const json::Value& body) const {
    const std::string part =
        base64url(json::serialize(header)) + "." + base64url(json::serialize(body));
    return part + "." + base64url(key_.sign(part));
  }
  json::Object header() const {
    return {{"alg", "ES256"}, {"kid", key_.public_key().id()}, {"typ", "JWT"}};
  }

  PrivateKey key_ = PrivateKey::generate();
  JwkSet keys_{{PrivateKey::generate().public_key(), key_.public_key()}};
};

TEST_F(Jwt, GoodTokenGivesItsClaims) {
  const auto verified = keys_.verify(sign_jwt(key_, claims()), rules());
  ASSERT_TRUE(verified.has_value()) << verified.error().message();
  EXPECT_EQ(json::string_at(*verified, {"sub"}), "someone");
}

TEST_F(Jwt, HandMadeHeaderIsGoodToo) {
  EXPECT_TRUE(keys_.verify(token(header(), claims()), rules()).has_value());
}

TEST_F(Jwt, BadHeaders) {
  struct Case {
    const char* why;
    std::function<void(json::Object&)> change;
    const char* message;
  };
  const Case cases[] = {
      {"no signature wanted", [](auto& h) { h["alg"] = "none"; }, "alg"},
      {"capital None", [](auto& h) { h["alg"] = "None"; }, "alg"},
      {"a shared secret over the public key", [](auto& h) { h["alg"] = "HS256"; }, "alg"},
      {"the other family", [](auto& h) { h["alg"] = "RS256"; }, "alg"},
      {"alg is no text", [](auto& h) { h["alg"] = 256; }, "alg"},
      {"alg missing", [](auto& h) { h.erase("alg"); }, "alg"},
      {"kid is a path", [](auto& h) { h["kid"] = "../../dev/null"; }, "kid"},
      {"kid is empty", [](auto& h) { h["kid"] = ""; }, "kid"},
      {"kid missing", [](auto& h) { h.erase("kid"); }, "kid"},
      {"brings its own key", [](auto& h) { h["jwk"] = PrivateKey::generate().public_key().jwk(); },
       "jwk"},
      {"points to a key", [](auto& h) { h["jku"] = "https://evil/keys"; }, "jku"},
      {"brings a chain", [](auto& h) { h["x5c"] = json::Array{"MIIB"}; }, "x5c"},
      {"critical extension", [](auto& h) { h["crit"] = json::Array{"exp"}; }, "crit"},
      {"another type", [](auto& h) { h["typ"] = "JWE"; }, "typ"},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.why);
    json::Object changed = header();
    c.change(changed);
    const auto verified = keys_.verify(token(changed, claims()), rules());
    ASSERT_FALSE(verified.has_value());
    EXPECT_EQ(verified.error().code(), Code::kUnauthorized);
    EXPECT_NE(verified.error().message().find(c.message), std::string::npos)
        << verified.error().message();
  }
}

TEST_F(Jwt, BadClaims) {
  struct Case {
    const char* why;
    std::function<void(json::Object&)> change;
    const char* message;
  };
  const Case cases[] = {
      {"expired to the second", [](auto& c) { c["exp"] = kNowSeconds; }, "expired"},
      {"exp missing", [](auto& c) { c.erase("exp"); }, "exp"},
      {"exp is a text", [](auto& c) { c["exp"] = "9999999999"; }, "exp"},
      {"exp in other digits", [](auto& c) { c["exp"] = "٩٩٩٩٩٩٩٩٩٩"; }, "exp"},
      {"exp beyond all calendars", [](auto& c) { c["exp"] = 1e300; }, "exp"},
      {"exp negative", [](auto& c) { c["exp"] = -1; }, "exp"},
      {"nbf in the future", [](auto& c) { c["nbf"] = kNowSeconds + 1; }, "not valid yet"},
      {"nbf is null", [](auto& c) { c["nbf"] = nullptr; }, "nbf"},
      {"iat in the future", [](auto& c) { c["iat"] = kNowSeconds + 60; }, "not valid yet"},
      {"another issuer", [](auto& c) { c["iss"] = "https://evil"; }, "issuer"},
      {"issuer is a list", [](auto& c) { c["iss"] = json::Array{"https://atoll"}; }, "issuer"},
      {"no audience", [](auto& c) { c.erase("aud"); }, "audience"},
      {"another audience", [](auto& c) { c["aud"] = "vault"; }, "audience"},
      {"a list without ours", [](auto& c) { c["aud"] = json::Array{"vault", 1, nullptr}; },
       "audience"},
      {"a prefix of ours", [](auto& c) { c["aud"] = "ap"; }, "audience"},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.why);
    json::Object changed = claims();
    c.change(changed);
    const auto verified = keys_.verify(sign_jwt(key_, changed), rules());
    ASSERT_FALSE(verified.has_value());
    EXPECT_NE(verified.error().message().find(c.message), std::string::npos)
        << verified.error().message();
  }
}

TEST_F(Jwt, AudienceMayBeOneTextOrOneOfAList) {
  for (const json::Value& audience :
       {json::Value("api"), json::Value(json::Array{"vault", "api"})}) {
    json::Object changed = claims();
    changed["aud"] = audience;
    EXPECT_TRUE(keys_.verify(sign_jwt(key_, changed), rules()).has_value());
  }
}

TEST_F(Jwt, BadTexts) {
  const std::string good = sign_jwt(key_, claims());
  const size_t second = good.rfind('.');
  std::string flipped = good;
  flipped[second + 5] = flipped[second + 5] == 'A' ? 'B' : 'A';
  const std::string hmac_part = good.substr(0, second);
  const std::string cases[] = {
      "",
      ".",
      "..",
      "a.b.c",
      good + ".x",
      good + "=",
      " " + good,
      good.substr(0, second),
      good.substr(0, second + 1),
      flipped,
      hmac_part + "." + base64url(view(hmac_sha256(key_.public_key().pem(), hmac_part))),
      std::string(1 << 20, 'a'),
      std::string(kMaxJwtBytes, '.'),
      base64url("[]") + "." + base64url("{}") + ".AAAA",
      base64url(R"({"alg":"ES256","alg":"none"})") + "." + base64url("{}") + ".AAAA",
      base64url(std::string(200, '[')) + "." + base64url("{}") + ".AAAA",
  };
  for (const std::string& text : cases) {
    SCOPED_TRACE(text.substr(0, 60));
    const auto verified = keys_.verify(text, rules());
    ASSERT_FALSE(verified.has_value());
    EXPECT_EQ(verified.error().code(), Code::kUnauthorized);
  }
}

// The wall removed: the same token passes where the key is known, so the refusals above are the
// keys' work.
TEST_F(Jwt, AnotherIssuersKeyIsNotOurs) {
  const PrivateKey stranger = PrivateKey::generate();
  const std::string text = sign_jwt(stranger, claims());
  EXPECT_FALSE(keys_.verify(text, rules()).has_value());
  EXPECT_TRUE(JwkSet({stranger.public_key()}).verify(text, rules()).has_value());
}

TEST_F(Jwt, KeySetRoundTripsAndSkipsForeignMembers) {
  json::Value document = keys_.document();
  document.as_object()["keys"].as_array().push_back(json::Object{{"kty", "oct"}, {"k", "AAAA"}});
  const auto read = JwkSet::parse(json::serialize(document));
  ASSERT_TRUE(read.has_value());
  EXPECT_TRUE(json::equal(read->document(), keys_.document()));
  EXPECT_TRUE(read->verify(sign_jwt(key_, claims()), rules()).has_value());
  EXPECT_FALSE(JwkSet::parse("{}").has_value());
}

TEST_F(Jwt, KnownSignaturesSkipNothingElse) {
  SignatureCache cache;
  const std::string text = sign_jwt(key_, claims());
  EXPECT_TRUE(keys_.verify(text, rules(), &cache).has_value());
  EXPECT_TRUE(cache.knows(sha256(text)));
  EXPECT_TRUE(keys_.verify(text, rules(), &cache).has_value());
  JwtRules later = rules();
  later.now += std::chrono::hours(1);
  EXPECT_FALSE(keys_.verify(text, later, &cache).has_value()) << "it expires all the same";
  const std::string forged = sign_jwt(PrivateKey::generate(), claims());
  EXPECT_FALSE(keys_.verify(forged, rules(), &cache).has_value());
  EXPECT_FALSE(cache.knows(sha256(forged)));
}

TEST(SignatureCacheTest, ForgetsTheOldest) {
  SignatureCache cache;
  for (size_t i = 0; i <= SignatureCache::kTokens; ++i) cache.remember(sha256(std::to_string(i)));
  EXPECT_FALSE(cache.knows(sha256("0")));
  EXPECT_TRUE(cache.knows(sha256("1")));
}

// RFC 7515, appendix A.2: an RSA signature made elsewhere.
TEST(JwtRsa, VerifiesTheExampleOfTheStandard) {
  const auto key = PublicKey::from_jwk(
      json::Object{{"kty", "RSA"},
                   {"n",
                    "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-"
                    "4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCg"
                    "NMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-"
                    "bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xs"
                    "mtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_"
                    "h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ"},
                   {"e", "AQAB"}});
  ASSERT_TRUE(key.has_value()) << key.error().message();
  const auto signature = base64url_decode(
      "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_"
      "O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZc"
      "AcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_"
      "eSN9383LcOLn6_dO--xi12jzDwusC-eOkH"
      "WEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_"
      "IoypGlUPQGe77Rw");
  ASSERT_TRUE(signature.has_value());
  const std::string signed_part =
      "eyJhbGciOiJSUzI1NiJ9."
      "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVl"
      "fQ";
  EXPECT_TRUE(key->verify(signed_part, *signature));
  EXPECT_FALSE(key->verify(signed_part + "x", *signature));
}

}  // namespace
}  // namespace atl::crypto
