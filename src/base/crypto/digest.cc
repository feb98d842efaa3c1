#include "base/crypto/digest.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "base/core/check.h"

namespace atl::crypto {

struct Hasher::State {
  EVP_MD_CTX* context = EVP_MD_CTX_new();
  const EVP_MD* algorithm;
  explicit State(const EVP_MD* md) : algorithm(md) { CHECK(context != nullptr); }
  ~State() { EVP_MD_CTX_free(context); }
  void start() { CHECK(EVP_DigestInit_ex(context, algorithm, nullptr) == 1); }
};

Hasher::Hasher(Algorithm algorithm)
    : state_(
          std::make_unique<State>(algorithm == Algorithm::kSha256 ? EVP_sha256() : EVP_sha512())) {
  state_->start();
}

Hasher::~Hasher() = default;

void Hasher::update(std::string_view bytes) {
  CHECK(EVP_DigestUpdate(state_->context, bytes.data(), bytes.size()) == 1);
}

std::string Hasher::finish() {
  std::string out(EVP_MAX_MD_SIZE, '\0');
  unsigned int size = 0;
  CHECK(EVP_DigestFinal_ex(state_->context, reinterpret_cast<uint8_t*>(out.data()), &size) == 1);
  out.resize(size);
  state_->start();
  return out;
}

Digest256 sha256(std::string_view bytes) {
  Digest256 out;
  unsigned int size = out.size();
  CHECK(EVP_Digest(bytes.data(), bytes.size(), out.data(), &size, EVP_sha256(), nullptr) == 1);
  return out;
}

std::string sha256_hex(std::string_view bytes) {
  return hex(view(sha256(bytes)));
}

Digest256 hmac_sha256(std::string_view key, std::string_view bytes) {
  Digest256 out;
  unsigned int size = out.size();
  CHECK(HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()),
             reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size(), out.data(),
             &size) != nullptr);
  return out;
}

std::string hex(std::string_view bytes) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string out;
  out.reserve(bytes.size() * 2);
  for (const char c : bytes) {
    const auto byte = static_cast<uint8_t>(c);
    out += kDigits[byte >> 4];
    out += kDigits[byte & 15];
  }
  return out;
}

bool constant_time_equal(std::string_view a, std::string_view b) {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

}  // namespace atl::crypto
