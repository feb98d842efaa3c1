#include "base/crypto/key.h"

#include <openssl/core_names.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include "base/core/check.h"
#include "base/crypto/base64.h"
#include "base/crypto/digest.h"
#include "base/crypto/openssl_impl.h"

namespace atl::crypto {
namespace {

constexpr size_t kCoordinateBytes = 32;
constexpr int kMinRsaBits = 2048;
constexpr int kMaxRsaBits = 8192;  // a larger one only costs the verifier time

std::string big_number(const EVP_PKEY* key, const char* parameter, size_t width) {
  BIGNUM* raw = nullptr;
  CHECK(EVP_PKEY_get_bn_param(key, parameter, &raw) == 1);
  const BnPtr number(raw);
  const size_t size = std::max(width, static_cast<size_t>(BN_num_bytes(number.get())));
  std::string out(size, '\0');
  CHECK(BN_bn2binpad(number.get(), reinterpret_cast<uint8_t*>(out.data()),
                     static_cast<int>(size)) >= 0);
  return out;
}

Result<KeyType> type_of(const EVP_PKEY* key) {
  if (EVP_PKEY_get_base_id(key) == EVP_PKEY_RSA) {
    const int bits = EVP_PKEY_get_bits(key);
    if (bits < kMinRsaBits || bits > kMaxRsaBits) {
      return Error(Code::kInvalid, "RSA keys must have 2048 to 8192 bits");
    }
    return KeyType::kRsa;
  }
  char group[64] = {};
  size_t size = 0;
  if (EVP_PKEY_get_base_id(key) == EVP_PKEY_EC &&
      EVP_PKEY_get_group_name(key, group, sizeof group, &size) == 1 &&
      std::string_view(group, size) == SN_X9_62_prime256v1) {
    return KeyType::kP256;
  }
  return openssl_error(Code::kInvalid, "only P-256 and RSA keys are supported");
}

// JWS carries r and s as fixed-width numbers, OpenSSL as DER.
std::string der_to_raw(std::string_view der) {
  const auto* at = reinterpret_cast<const uint8_t*>(der.data());
  const EcSignaturePtr signature(d2i_ECDSA_SIG(nullptr, &at, static_cast<long>(der.size())));
  CHECK(signature != nullptr);
  std::string raw(2 * kCoordinateBytes, '\0');
  auto* out = reinterpret_cast<uint8_t*>(raw.data());
  CHECK(BN_bn2binpad(ECDSA_SIG_get0_r(signature.get()), out, kCoordinateBytes) > 0);
  CHECK(BN_bn2binpad(ECDSA_SIG_get0_s(signature.get()), out + kCoordinateBytes, kCoordinateBytes) >
        0);
  return raw;
}

std::optional<std::string> raw_to_der(std::string_view raw) {
  if (raw.size() != 2 * kCoordinateBytes) return std::nullopt;
  const auto* bytes = reinterpret_cast<const uint8_t*>(raw.data());
  const EcSignaturePtr signature(ECDSA_SIG_new());
  BIGNUM* r = BN_bin2bn(bytes, kCoordinateBytes, nullptr);
  BIGNUM* s = BN_bin2bn(bytes + kCoordinateBytes, kCoordinateBytes, nullptr);
  CHECK(signature != nullptr && r != nullptr && s != nullptr);
  CHECK(ECDSA_SIG_set0(signature.get(), r, s) == 1);
  uint8_t* der = nullptr;
  const int size = i2d_ECDSA_SIG(signature.get(), &der);
  if (size <= 0) return std::nullopt;
  std::string out(reinterpret_cast<char*>(der), static_cast<size_t>(size));
  OPENSSL_free(der);
  return out;
}

Result<KeyPtr> from_params(const char* type, OSSL_PARAM_BLD* builder) {
  const ParamsPtr params(OSSL_PARAM_BLD_to_param(builder));
  const KeyContextPtr context(EVP_PKEY_CTX_new_from_name(nullptr, type, nullptr));
  EVP_PKEY* key = nullptr;
  if (!params || !context || EVP_PKEY_fromdata_init(context.get()) != 1 ||
      EVP_PKEY_fromdata(context.get(), &key, EVP_PKEY_PUBLIC_KEY, params.get()) != 1) {
    return openssl_error(Code::kInvalid, "the key's numbers are not valid");
  }
  return KeyPtr(key);
}

Result<KeyPtr> ec_from_jwk(const json::Value& jwk) {
  const auto x = base64url_decode(json::string_at(jwk, {"x"}));
  const auto y = base64url_decode(json::string_at(jwk, {"y"}));
  if (json::string_at(jwk, {"crv"}) != "P-256" || !x || !y || x->size() != kCoordinateBytes ||
      y->size() != kCoordinateBytes) {
    return Error(Code::kInvalid, "an EC key needs crv P-256 and x, y of 32 bytes");
  }
  const std::string point = '\4' + *x + *y;
  const ParamBuilderPtr builder(OSSL_PARAM_BLD_new());
  OSSL_PARAM_BLD_push_utf8_string(builder.get(), OSSL_PKEY_PARAM_GROUP_NAME, SN_X9_62_prime256v1,
                                  0);
  OSSL_PARAM_BLD_push_octet_string(builder.get(), OSSL_PKEY_PARAM_PUB_KEY, point.data(),
                                   point.size());
  return from_params("EC", builder.get());
}

Result<KeyPtr> rsa_from_jwk(const json::Value& jwk) {
  const auto n = base64url_decode(json::string_at(jwk, {"n"}));
  const auto e = base64url_decode(json::string_at(jwk, {"e"}));
  if (!n || !e || n->size() > kMaxRsaBits / 8 || e->empty() || e->size() > 4) {
    return Error(Code::kInvalid, "an RSA key needs n of at most 8192 bits and e of at most 32");
  }
  const BnPtr modulus(
      BN_bin2bn(reinterpret_cast<const uint8_t*>(n->data()), static_cast<int>(n->size()), nullptr));
  const BnPtr exponent(
      BN_bin2bn(reinterpret_cast<const uint8_t*>(e->data()), static_cast<int>(e->size()), nullptr));
  const ParamBuilderPtr builder(OSSL_PARAM_BLD_new());
  OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_N, modulus.get());
  OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_E, exponent.get());
  return from_params("RSA", builder.get());
}

// A PEM key with a password must fail at once, never ask on a terminal.
int no_password(char*, int, int, void*) {
  return -1;
}

}  // namespace

Result<PublicKey> PublicKey::wrap(std::shared_ptr<const Impl> impl) {
  PublicKey out;
  TRY(out.type_, type_of(impl->key.get()));
  uint8_t* der = nullptr;
  const int size = i2d_PUBKEY(impl->key.get(), &der);
  if (size <= 0) return openssl_error(Code::kInvalid, "the public key cannot be encoded");
  out.id_ = base64url(view(sha256({reinterpret_cast<char*>(der), static_cast<size_t>(size)})));
  OPENSSL_free(der);
  out.impl_ = std::move(impl);
  return out;
}

Result<PublicKey> PublicKey::from_pem(std::string_view pem) {
  const BioPtr bio = memory_bio(pem);
  KeyPtr key(PEM_read_bio_PUBKEY(bio.get(), nullptr, no_password, nullptr));
  if (!key) return openssl_error(Code::kInvalid, "not a public key in PEM");
  return wrap(std::make_shared<const Impl>(std::move(key)));
}

Result<PublicKey> PublicKey::from_jwk(const json::Value& jwk) {
  const std::string_view type = json::string_at(jwk, {"kty"});
  if (type == "EC") {
    TRY(KeyPtr key, ec_from_jwk(jwk));
    return wrap(std::make_shared<const Impl>(std::move(key)));
  }
  if (type == "RSA") {
    TRY(KeyPtr key, rsa_from_jwk(jwk));
    return wrap(std::make_shared<const Impl>(std::move(key)));
  }
  return Error(Code::kInvalid, "kty must be EC or RSA");
}

std::string PublicKey::pem() const {
  const BioPtr bio(BIO_new(BIO_s_mem()));
  CHECK(PEM_write_bio_PUBKEY(bio.get(), impl_->key.get()) == 1);
  return bio_text(bio.get());
}

json::Value PublicKey::jwk() const {
  json::Object out{{"use", "sig"}, {"kid", id_}};
  const EVP_PKEY* key = impl_->key.get();
  if (type_ == KeyType::kP256) {
    out["kty"] = "EC";
    out["alg"] = "ES256";
    out["crv"] = "P-256";
    out["x"] = base64url(big_number(key, OSSL_PKEY_PARAM_EC_PUB_X, kCoordinateBytes));
    out["y"] = base64url(big_number(key, OSSL_PKEY_PARAM_EC_PUB_Y, kCoordinateBytes));
  } else {
    out["kty"] = "RSA";
    out["alg"] = "RS256";
    out["n"] = base64url(big_number(key, OSSL_PKEY_PARAM_RSA_N, 0));
    out["e"] = base64url(big_number(key, OSSL_PKEY_PARAM_RSA_E, 0));
  }
  return out;
}

bool PublicKey::verify(std::string_view message, std::string_view signature) const {
  std::string der;
  if (type_ == KeyType::kP256) {
    const auto converted = raw_to_der(signature);
    if (!converted) return false;
    der = *converted;
    signature = der;
  }
  const DigestContextPtr context(EVP_MD_CTX_new());
  const bool good =
      EVP_DigestVerifyInit(context.get(), nullptr, EVP_sha256(), nullptr, impl_->key.get()) == 1 &&
      EVP_DigestVerify(context.get(), reinterpret_cast<const uint8_t*>(signature.data()),
                       signature.size(), reinterpret_cast<const uint8_t*>(message.data()),
                       message.size()) == 1;
  ERR_clear_error();
  return good;
}

PrivateKey PrivateKey::generate() {
  KeyPtr key(EVP_EC_gen(SN_X9_62_prime256v1));
  CHECK(key != nullptr);
  auto wrapped = PublicKey::wrap(std::make_shared<const PublicKey::Impl>(std::move(key)));
  CHECK(wrapped.has_value());
  return PrivateKey(*std::move(wrapped));
}

Result<PrivateKey> PrivateKey::from_pem(const Secret& pem) {
  const BioPtr bio = memory_bio(pem.reveal());
  KeyPtr key(PEM_read_bio_PrivateKey(bio.get(), nullptr, no_password, nullptr));
  if (!key) return openssl_error(Code::kInvalid, "not a private key in PEM without a password");
  TRY(PublicKey wrapped, PublicKey::wrap(std::make_shared<const PublicKey::Impl>(std::move(key))));
  return PrivateKey(std::move(wrapped));
}

Secret PrivateKey::pem() const {
  const BioPtr bio(BIO_new(BIO_s_secmem()));
  CHECK(PEM_write_bio_PKCS8PrivateKey(bio.get(), impl().key.get(), nullptr, nullptr, 0, nullptr,
                                      nullptr) == 1);
  return Secret(bio_text(bio.get()));
}

std::string PrivateKey::sign(std::string_view message) const {
  const DigestContextPtr context(EVP_MD_CTX_new());
  const auto* bytes = reinterpret_cast<const uint8_t*>(message.data());
  size_t size = 0;
  CHECK(EVP_DigestSignInit(context.get(), nullptr, EVP_sha256(), nullptr, impl().key.get()) == 1);
  CHECK(EVP_DigestSign(context.get(), nullptr, &size, bytes, message.size()) == 1);
  std::string out(size, '\0');
  CHECK(EVP_DigestSign(context.get(), reinterpret_cast<uint8_t*>(out.data()), &size, bytes,
                       message.size()) == 1);
  out.resize(size);
  return public_key_.type() == KeyType::kP256 ? der_to_raw(out) : out;
}

}  // namespace atl::crypto
