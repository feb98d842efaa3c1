#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/core/result.h"
#include "base/crypto/secret.h"
#include "base/text/json.h"

// Key pairs for certificates and tokens: P-256 is what we make; RSA of 2048 to 8192 bits is
// accepted as a public key (tokens of other issuers). Immutable; free to share between threads.
namespace atl::crypto {

enum class KeyType : uint8_t { kP256, kRsa };

class PublicKey {
 public:
  // kInvalid: not PEM, not a supported type or size.
  static Result<PublicKey> from_pem(std::string_view pem);
  // A member of a JWK set: kty EC (crv P-256) or RSA.
  static Result<PublicKey> from_jwk(const json::Value& jwk);

  KeyType type() const { return type_; }
  // base64url(SHA-256 of the DER): the `kid` of tokens.
  const std::string& id() const { return id_; }
  std::string pem() const;
  // RFC 7517 with use "sig", alg and kid.
  json::Value jwk() const;
  // ES256 (r and s, 32 bytes each) or RS256 over `message`, by the key's type.
  bool verify(std::string_view message, std::string_view signature) const;

  struct Impl;  // shared: an immutable snapshot of the key

 private:
  friend class PrivateKey;
  static Result<PublicKey> wrap(std::shared_ptr<const Impl> impl);
  PublicKey() = default;
  std::shared_ptr<const Impl> impl_;
  KeyType type_ = KeyType::kP256;
  std::string id_;
};

class PrivateKey {
 public:
  // A fresh P-256 key from the library's own generator: never from a Rng, which a test may seed.
  static PrivateKey generate();
  // PKCS#8 or SEC 1 PEM without a password. kInvalid otherwise; the message shows nothing of it.
  static Result<PrivateKey> from_pem(const Secret& pem);

  Secret pem() const;  // PKCS#8
  const PublicKey& public_key() const { return public_key_; }
  // ES256 or RS256 by the key's type, raw as JWS wants it.
  std::string sign(std::string_view message) const;

  // For x509.cc only.
  const PublicKey::Impl& impl() const { return *public_key_.impl_; }

 private:
  explicit PrivateKey(PublicKey key) : public_key_(std::move(key)) {}
  PublicKey public_key_;  // its Impl holds the private part too
};

}  // namespace atl::crypto
