#include "base/crypto/x509.h"

#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "base/core/check.h"
#include "base/crypto/digest.h"
#include "base/crypto/x509_impl.h"

namespace atl::crypto {
namespace {

constexpr auto kClockSkew = std::chrono::minutes(5);
using GeneralNamesPtr = std::unique_ptr<GENERAL_NAMES, Freer<GENERAL_NAMES_free>>;

time_t seconds_of(WallTime time) {
  return std::chrono::duration_cast<std::chrono::seconds>(time.time_since_epoch()).count();
}

WallTime time_of(const ASN1_TIME* time) {
  struct tm fields{};
  if (ASN1_TIME_to_tm(time, &fields) != 1) return WallTime{};
  return WallTime(std::chrono::seconds(timegm(&fields)));
}

std::string serial_text(const X509* certificate) {
  const BnPtr number(ASN1_INTEGER_to_BN(X509_get0_serialNumber(certificate), nullptr));
  std::string bytes(static_cast<size_t>(BN_num_bytes(number.get())), '\0');
  BN_bn2bin(number.get(), reinterpret_cast<uint8_t*>(bytes.data()));
  return hex(bytes);
}

Result<CertificatePtr> read_certificate(std::string_view pem) {
  const BioPtr bio = memory_bio(pem);
  CertificatePtr certificate(PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr));
  if (!certificate) return openssl_error(Code::kInvalid, "not a certificate in PEM");
  return certificate;
}

std::string certificate_text(X509* certificate) {
  const BioPtr bio(BIO_new(BIO_s_mem()));
  CHECK(PEM_write_bio_X509(bio.get(), certificate) == 1);
  return bio_text(bio.get());
}

std::string key_id(const X509* certificate) {
  const BioPtr bio(BIO_new(BIO_s_mem()));
  if (EVP_PKEY* key = X509_get0_pubkey(certificate);
      key == nullptr || PEM_write_bio_PUBKEY(bio.get(), key) != 1) {
    return {};
  }
  auto key = PublicKey::from_pem(bio_text(bio.get()));
  return key ? key->id() : std::string{};
}

CertificateInfo info_of(X509* certificate) {
  const GeneralNamesPtr alternatives(static_cast<GENERAL_NAMES*>(
      X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr)));
  Names names = names_of(X509_get_subject_name(certificate), alternatives.get());
  CertificateInfo out;
  out.common_name = std::move(names.common_name);
  out.organizations = std::move(names.organizations);
  out.dns_names = std::move(names.dns_names);
  out.ip_addresses = std::move(names.ip_addresses);
  out.issuer_common_name = names_of(X509_get_issuer_name(certificate), nullptr).common_name;
  out.serial = serial_text(certificate);
  out.not_before = time_of(X509_get0_notBefore(certificate));
  out.not_after = time_of(X509_get0_notAfter(certificate));
  out.authority = X509_check_ca(certificate) == 1;
  out.public_key_id = key_id(certificate);
  uint8_t digest[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  CHECK(X509_digest(certificate, EVP_sha256(), digest, &size) == 1);
  out.fingerprint_sha256 = hex({reinterpret_cast<char*>(digest), size});
  ERR_clear_error();
  return out;
}

// What a certificate is made of, whoever signs it.
struct Blank {
  Names names;
  std::vector<Usage> usages;
  bool authority = false;
  Duration validity;
  EVP_PKEY* key;  // borrowed
};

void add_extension(X509* certificate, X509* issuer, int nid, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, &context, nid, value.c_str());
  CHECK(extension != nullptr);
  CHECK(X509_add_ext(certificate, extension, -1) == 1);
  X509_EXTENSION_free(extension);
}

void add_usages(X509* certificate, X509* issuer, const Blank& blank) {
  if (blank.authority) {
    add_extension(certificate, issuer, NID_basic_constraints, "critical,CA:TRUE");
    add_extension(certificate, issuer, NID_key_usage,
                  "critical,digitalSignature,keyCertSign,cRLSign");
  } else {
    add_extension(certificate, issuer, NID_basic_constraints, "critical,CA:FALSE");
    add_extension(certificate, issuer, NID_key_usage, "critical,digitalSignature,keyEncipherment");
    std::string extended;
    for (const Usage usage : blank.usages) {
      if (!extended.empty()) extended += ',';
      extended += usage == Usage::kServer ? "serverAuth" : "clientAuth";
    }
    if (!extended.empty()) add_extension(certificate, issuer, NID_ext_key_usage, extended);
  }
  add_extension(certificate, issuer, NID_subject_key_identifier, "hash");
}

// 127 random bits, so that no two certificates of an authority share one.
void set_serial(X509* certificate, Rng& rng) {
  uint8_t bytes[16];
  rng.fill(bytes);
  bytes[0] = (bytes[0] & 0x7f) | 0x40;
  const BnPtr number(BN_bin2bn(bytes, sizeof bytes, nullptr));
  CHECK(BN_to_ASN1_INTEGER(number.get(), X509_get_serialNumber(certificate)) != nullptr);
}

// `issuer` null: self-signed.
Result<CertificatePtr> make_certificate(const Blank& blank, X509* issuer, EVP_PKEY* signer,
                                        const Clock& clock, Rng& rng) {
  CertificatePtr out(X509_new());
  CHECK(out != nullptr);
  CHECK(X509_set_version(out.get(), X509_VERSION_3) == 1);
  set_serial(out.get(), rng);
  const WallTime now = clock.now();
  CHECK(ASN1_TIME_set(X509_getm_notBefore(out.get()), seconds_of(now - kClockSkew)) != nullptr);
  CHECK(ASN1_TIME_set(X509_getm_notAfter(out.get()), seconds_of(now + blank.validity)) != nullptr);
  TRY_OK(set_subject(X509_get_subject_name(out.get()), blank.names));
  X509* parent = issuer != nullptr ? issuer : out.get();
  CHECK(X509_set_issuer_name(out.get(), X509_get_subject_name(parent)) == 1);
  CHECK(X509_set_pubkey(out.get(), blank.key) == 1);
  add_usages(out.get(), parent, blank);
  add_extension(out.get(), parent, NID_authority_key_identifier, "keyid:always");
  TRY(X509_EXTENSION * alternatives, alternative_names(blank.names));
  if (alternatives != nullptr) {
    X509_add_ext(out.get(), alternatives, -1);
    X509_EXTENSION_free(alternatives);
  }
  CHECK(X509_sign(out.get(), signer, EVP_sha256()) > 0);
  return out;
}

Result<RequestPtr> read_request(std::string_view pem) {
  const BioPtr bio = memory_bio(pem);
  RequestPtr request(PEM_read_bio_X509_REQ(bio.get(), nullptr, nullptr, nullptr));
  if (!request) return openssl_error(Code::kInvalid, "not a certificate request in PEM");
  EVP_PKEY* key = X509_REQ_get0_pubkey(request.get());
  if (key == nullptr || X509_REQ_verify(request.get(), key) != 1) {
    return openssl_error(Code::kInvalid, "the certificate request is not signed by its own key");
  }
  return request;
}

Names names_of_request(X509_REQ* request) {
  STACK_OF(X509_EXTENSION)* extensions = X509_REQ_get_extensions(request);
  const GeneralNamesPtr alternatives(static_cast<GENERAL_NAMES*>(
      X509V3_get_d2i(extensions, NID_subject_alt_name, nullptr, nullptr)));
  Names out = names_of(X509_REQ_get_subject_name(request), alternatives.get());
  sk_X509_EXTENSION_pop_free(extensions, X509_EXTENSION_free);
  ERR_clear_error();
  return out;
}

}  // namespace

Result<CertificateInfo> parse_certificate(std::string_view pem) {
  TRY(const CertificatePtr certificate, read_certificate(pem));
  return info_of(certificate.get());
}

bool needs_renewal(const CertificateInfo& certificate, WallTime now) {
  return now >= certificate.not_after - (certificate.not_after - certificate.not_before) / 3;
}

Result<SigningRequest> parse_signing_request(std::string_view pem) {
  TRY(const RequestPtr request, read_request(pem));
  Names names = names_of_request(request.get());
  return SigningRequest{std::move(names.common_name), std::move(names.organizations),
                        std::move(names.dns_names), std::move(names.ip_addresses)};
}

Result<std::string> make_signing_request(const PrivateKey& key, const SigningRequest& subject) {
  const Names names{subject.common_name, subject.organizations, subject.dns_names,
                    subject.ip_addresses};
  const RequestPtr request(X509_REQ_new());
  CHECK(request != nullptr);
  TRY_OK(set_subject(X509_REQ_get_subject_name(request.get()), names));
  TRY(X509_EXTENSION * alternatives, alternative_names(names));
  if (alternatives != nullptr) {
    STACK_OF(X509_EXTENSION)* extensions = sk_X509_EXTENSION_new_null();
    sk_X509_EXTENSION_push(extensions, alternatives);
    X509_REQ_add_extensions(request.get(), extensions);
    sk_X509_EXTENSION_pop_free(extensions, X509_EXTENSION_free);
  }
  CHECK(X509_REQ_set_pubkey(request.get(), key.impl().key.get()) == 1);
  CHECK(X509_REQ_sign(request.get(), key.impl().key.get(), EVP_sha256()) > 0);
  const BioPtr bio(BIO_new(BIO_s_mem()));
  CHECK(PEM_write_bio_X509_REQ(bio.get(), request.get()) == 1);
  return bio_text(bio.get());
}

Result<Issued> self_signed(const ServerRequest& request, const Clock& clock, Rng& rng) {
  const PrivateKey key = PrivateKey::generate();
  const Blank blank{.names = {request.common_name, {}, request.dns_names, request.ip_addresses},
                    .usages = {Usage::kServer},
                    .validity = request.validity,
                    .key = key.impl().key.get()};
  TRY(const CertificatePtr certificate, make_certificate(blank, nullptr, blank.key, clock, rng));
  return Issued{certificate_text(certificate.get()), key.pem()};
}

struct CertificateAuthority::Impl {
  CertificatePtr certificate;
  PrivateKey key;
  std::string pem;
  CertificateInfo info;
  const Clock& clock;
  Rng& rng;

  EVP_PKEY* signer() const { return key.impl().key.get(); }
  Result<Issued> issue(Names names, Usage usage, Duration validity) const {
    const PrivateKey fresh = PrivateKey::generate();
    const Blank blank{.names = std::move(names),
                      .usages = {usage},
                      .validity = validity,
                      .key = fresh.impl().key.get()};
    TRY(const CertificatePtr leaf,
        make_certificate(blank, certificate.get(), signer(), clock, rng));
    return Issued{certificate_text(leaf.get()), fresh.pem()};
  }
};

CertificateAuthority::CertificateAuthority(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
CertificateAuthority::~CertificateAuthority() = default;

Result<std::unique_ptr<CertificateAuthority>> CertificateAuthority::create(
    std::string_view common_name, Duration validity, const Clock& clock, Rng& rng) {
  PrivateKey key = PrivateKey::generate();
  const Blank blank{.names = {.common_name = std::string(common_name)},
                    .authority = true,
                    .validity = validity,
                    .key = key.impl().key.get()};
  TRY(CertificatePtr certificate, make_certificate(blank, nullptr, blank.key, clock, rng));
  std::string pem = certificate_text(certificate.get());
  CertificateInfo info = info_of(certificate.get());
  return std::unique_ptr<CertificateAuthority>(
      new CertificateAuthority(std::unique_ptr<Impl>(new Impl{
          std::move(certificate), std::move(key), std::move(pem), std::move(info), clock, rng})));
}

Result<std::unique_ptr<CertificateAuthority>> CertificateAuthority::load(
    std::string_view certificate_pem, const Secret& key_pem, const Clock& clock, Rng& rng) {
  TRY(CertificatePtr certificate, read_certificate(certificate_pem));
  TRY(PrivateKey key, PrivateKey::from_pem(key_pem));
  CertificateInfo info = info_of(certificate.get());
  if (!info.authority) return Error(Code::kInvalid, "the certificate is not one of an authority");
  if (X509_check_private_key(certificate.get(), key.impl().key.get()) != 1) {
    return openssl_error(Code::kInvalid, "the key does not belong to the authority's certificate");
  }
  std::string pem = certificate_text(certificate.get());
  return std::unique_ptr<CertificateAuthority>(
      new CertificateAuthority(std::unique_ptr<Impl>(new Impl{
          std::move(certificate), std::move(key), std::move(pem), std::move(info), clock, rng})));
}

const std::string& CertificateAuthority::certificate_pem() const {
  return impl_->pem;
}
Secret CertificateAuthority::key_pem() const {
  return impl_->key.pem();
}
const CertificateInfo& CertificateAuthority::info() const {
  return impl_->info;
}

Result<Issued> CertificateAuthority::issue_server(const ServerRequest& request) const {
  return impl_->issue({request.common_name, {}, request.dns_names, request.ip_addresses},
                      Usage::kServer, request.validity);
}

Result<Issued> CertificateAuthority::issue_client(const ClientRequest& request) const {
  return impl_->issue({request.common_name, request.organizations, {}, {}}, Usage::kClient,
                      request.validity);
}

Result<std::string> CertificateAuthority::sign_request(std::string_view csr_pem,
                                                       std::vector<Usage> usages,
                                                       Duration validity) const {
  TRY(const RequestPtr request, read_request(csr_pem));
  const Blank blank{.names = names_of_request(request.get()),
                    .usages = std::move(usages),
                    .validity = validity,
                    .key = X509_REQ_get0_pubkey(request.get())};
  TRY(const CertificatePtr leaf,
      make_certificate(blank, impl_->certificate.get(), impl_->signer(), impl_->clock, impl_->rng));
  return certificate_text(leaf.get());
}

Result<> CertificateAuthority::verify(std::string_view certificate_pem) const {
  TRY(const CertificatePtr certificate, read_certificate(certificate_pem));
  if (X509_check_issued(impl_->certificate.get(), certificate.get()) != X509_V_OK ||
      X509_verify(certificate.get(), impl_->signer()) != 1) {
    return openssl_error(Code::kUnauthorized, "the certificate was signed by another authority");
  }
  return Unit{};
}

}  // namespace atl::crypto
