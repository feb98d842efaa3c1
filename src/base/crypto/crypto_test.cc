#include <gtest/gtest.h>

#include <sstream>

#include "base/core/rng.h"
#include "base/crypto/base64.h"
#include "base/crypto/digest.h"
#include "base/crypto/key.h"
#include "base/crypto/secret.h"
#include "base/crypto/token.h"

namespace atl::crypto {
namespace {

TEST(Digest, KnownAnswers) {
  EXPECT_EQ(sha256_hex("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(sha256_hex(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  // RFC 4231, case 2.
  EXPECT_EQ(hex(view(hmac_sha256("Jefe", "what do ya want for nothing?"))),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
}

TEST(Digest, HasherGivesTheSameInPiecesAndStartsAgain) {
  Hasher hasher;
  hasher.update("a");
  hasher.update("bc");
  EXPECT_EQ(hasher.finish_hex(), sha256_hex("abc"));
  EXPECT_EQ(hasher.finish_hex(), sha256_hex(""));
  Hasher wide(Hasher::Algorithm::kSha512);
  wide.update("abc");
  EXPECT_EQ(wide.finish_hex().substr(0, 16), "ddaf35a193617aba");
}

TEST(Base64, RoundTripsEveryLength) {
  std::string bytes;
  for (int i = 0; i < 70; ++i) {
    EXPECT_EQ(base64_decode(base64(bytes)), bytes);
    EXPECT_EQ(base64url_decode(base64url(bytes)), bytes);
    bytes += static_cast<char>(i * 37);
  }
}

TEST(Base64, RefusesWhatIsNotTheOneTextOfItsBytes) {
  struct Case {
    const char* why;
    const char* text;
  };
  const Case cases[] = {
      {"no padding", "Zg"},
      {"too much padding", "Zg==="},
      {"padding in the middle", "Z=g="},
      {"white space", "Zm9v\nZm9v"},
      {"URL alphabet", "_-8="},
      {"one character", "Z"},
      {"only padding", "===="},
      {"not ASCII", "Zm\xc3\xb6="},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.why);
    EXPECT_FALSE(base64_decode(c.text).has_value());
  }
  EXPECT_FALSE(base64url_decode("Zh").has_value()) << "bits left over";
  EXPECT_FALSE(base64url_decode("Zg==").has_value()) << "the URL form has no padding";
  EXPECT_FALSE(base64url_decode("+/8").has_value()) << "standard alphabet";
  EXPECT_EQ(base64_decode(""), "");
}

TEST(Secret, PrintsStarsAndComparesBytes) {
  const Secret secret("hunter2");
  std::ostringstream out;
  out << secret;
  EXPECT_EQ(out.str(), "***");
  EXPECT_TRUE(secret == Secret("hunter2"));
  EXPECT_FALSE(secret == Secret("hunter3"));
  EXPECT_FALSE(secret == Secret("hunter"));
}

TEST(Secret, MovingLeavesNothingBehind) {
  Secret from("hunter2");
  const Secret to = std::move(from);
  EXPECT_TRUE(from.empty());  // NOLINT(bugprone-use-after-move): this is what is tested
  EXPECT_EQ(to.reveal(), "hunter2");
}

TEST(Token, HasTheLengthOfItsBytes) {
  SeededRng rng(1);
  const Secret one = random_token(rng);
  EXPECT_EQ(one.size(), 43U);
  EXPECT_FALSE(one == random_token(rng));
}

TEST(Key, SignsAndVerifiesThroughPemAndJwk) {
  const PrivateKey key = PrivateKey::generate();
  const std::string signature = key.sign("message");
  EXPECT_EQ(signature.size(), 64U);
  const auto again = PrivateKey::from_pem(key.pem());
  ASSERT_TRUE(again.has_value());
  EXPECT_EQ(again->public_key().id(), key.public_key().id());
  const auto from_pem = PublicKey::from_pem(key.public_key().pem());
  const auto from_jwk = PublicKey::from_jwk(key.public_key().jwk());
  ASSERT_TRUE(from_pem.has_value());
  ASSERT_TRUE(from_jwk.has_value());
  for (const PublicKey* reader : {&*from_pem, &*from_jwk, &again->public_key()}) {
    EXPECT_TRUE(reader->verify("message", signature));
    EXPECT_FALSE(reader->verify("other", signature));
    EXPECT_FALSE(reader->verify("message", signature.substr(1)));
    EXPECT_FALSE(reader->verify("message", ""));
    EXPECT_EQ(reader->id(), key.public_key().id());
  }
  EXPECT_FALSE(PrivateKey::generate().public_key().verify("message", signature));
}

TEST(Key, RefusesWhatIsNoKey) {
  EXPECT_EQ(PublicKey::from_pem("").error().code(), Code::kInvalid);
  EXPECT_EQ(
      PrivateKey::from_pem(Secret("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"))
          .error()
          .code(),
      Code::kInvalid);
  const json::Value off_curve = json::Object{{"kty", "EC"},
                                             {"crv", "P-256"},
                                             {"x", base64url(std::string(32, '\1'))},
                                             {"y", base64url(std::string(32, '\1'))}};
  EXPECT_FALSE(PublicKey::from_jwk(off_curve).has_value());
  EXPECT_FALSE(PublicKey::from_jwk(json::Object{{"kty", "oct"}, {"k", "AAAA"}}).has_value())
      << "a shared secret";
  EXPECT_FALSE(
      PublicKey::from_jwk(json::Object{{"kty", "RSA"}, {"n", "AQAB"}, {"e", "AQAB"}}).has_value())
      << "24 bits";
}

}  // namespace
}  // namespace atl::crypto
