#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/core/clock.h"
#include "base/core/result.h"
#include "base/core/rng.h"
#include "base/crypto/key.h"

// X.509 certificates as PEM. P-256 with SHA-256 everywhere.
namespace atl::crypto {

// What a certificate says. Value type.
struct CertificateInfo {
  std::string common_name;
  std::vector<std::string> organizations;  // in the order of the subject
  std::vector<std::string> dns_names;
  std::vector<std::string> ip_addresses;  // "127.0.0.1", "::1"
  std::string issuer_common_name;
  std::string serial;              // lower-case hex
  std::string fingerprint_sha256;  // lower-case hex of the DER
  std::string public_key_id;       // PublicKey::id() of its key, empty for unsupported keys
  WallTime not_before;
  WallTime not_after;
  bool authority = false;
};

// The first certificate of a PEM text. kInvalid where there is none.
Result<CertificateInfo> parse_certificate(std::string_view pem);
// True once less than a third of its life is left.
bool needs_renewal(const CertificateInfo& certificate, WallTime now);

struct Issued {
  std::string certificate_pem;
  Secret key_pem;
};

struct ServerRequest {
  std::string common_name;
  std::vector<std::string> dns_names;  // "*.localhost" is possible
  std::vector<std::string> ip_addresses;
  Duration validity = std::chrono::hours(24 * 365);
};

struct ClientRequest {
  std::string common_name;
  std::vector<std::string> organizations;
  Duration validity = std::chrono::hours(24 * 365);
};

enum class Usage : uint8_t { kServer, kClient };

// What a certificate signing request asks for (PKCS#10); its own signature has been checked.
struct SigningRequest {
  std::string common_name;
  std::vector<std::string> organizations;
  std::vector<std::string> dns_names;
  std::vector<std::string> ip_addresses;
};
Result<SigningRequest> parse_signing_request(std::string_view pem);

// A certificate and key that sign others. Owned by whoever runs the PKI; immutable, so usable from
// any thread. Validity starts five minutes back, so that clocks may differ a little. The clock and
// the generator (serial numbers) must outlive it.
class CertificateAuthority {
 public:
  // A new self-signed authority.
  static Result<std::unique_ptr<CertificateAuthority>> create(std::string_view common_name,
                                                              Duration validity, const Clock& clock,
                                                              Rng& rng);
  // kInvalid: not a CA certificate, or the key is not its key.
  static Result<std::unique_ptr<CertificateAuthority>> load(std::string_view certificate_pem,
                                                            const Secret& key_pem,
                                                            const Clock& clock, Rng& rng);
  ~CertificateAuthority();

  const std::string& certificate_pem() const;
  Secret key_pem() const;
  const CertificateInfo& info() const;

  // A new key and its certificate. kInvalid names an address that is none.
  Result<Issued> issue_server(const ServerRequest& request) const;
  Result<Issued> issue_client(const ClientRequest& request) const;
  // A certificate over the request's own key, subject and names. kInvalid: a bad request.
  Result<std::string> sign_request(std::string_view csr_pem, std::vector<Usage> usages,
                                   Duration validity) const;
  // kUnauthorized unless this authority signed the certificate.
  Result<> verify(std::string_view certificate_pem) const;

 private:
  struct Impl;
  explicit CertificateAuthority(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

// A request for `subject` signed by `key`, PEM.
Result<std::string> make_signing_request(const PrivateKey& key, const SigningRequest& subject);

// A certificate that signs itself; for listeners before anybody has named a better one.
Result<Issued> self_signed(const ServerRequest& request, const Clock& clock, Rng& rng);

}  // namespace atl::crypto
