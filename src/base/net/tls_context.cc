#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <array>

#include "base/net/tls_impl.h"

namespace atl::net {
namespace {

template <auto Free>
struct Freer {
  template <class T>
  void operator()(T* pointer) const {
    Free(pointer);
  }
};
using BioPtr = std::unique_ptr<BIO, Freer<BIO_free_all>>;
using KeyPtr = std::unique_ptr<EVP_PKEY, Freer<EVP_PKEY_free>>;
using CertificatePtr = std::unique_ptr<X509, Freer<X509_free>>;

constexpr const char* kCiphers12 =
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:"
    "ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305";

Error tls_error(const std::string& what) {
  const unsigned long code = ERR_peek_last_error();
  const char* reason = code != 0 ? ERR_reason_error_string(code) : nullptr;
  ERR_clear_error();
  return Error(Code::kInvalid, what + ": " + (reason != nullptr ? reason : "not usable"));
}

BioPtr memory(const std::string& pem) {
  return BioPtr(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
}

Result<std::vector<CertificatePtr>> certificates(const std::string& pem, const std::string& what) {
  ERR_clear_error();
  std::vector<CertificatePtr> out;
  const BioPtr bio = memory(pem);
  while (X509* certificate = PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr))
    out.emplace_back(certificate);
  const unsigned long code = ERR_peek_last_error();
  const bool at_end =
      ERR_GET_LIB(code) == ERR_LIB_PEM && ERR_GET_REASON(code) == PEM_R_NO_START_LINE;
  if (!at_end || out.empty()) return tls_error(what);
  ERR_clear_error();
  return out;
}

Result<> use_identity(SSL_CTX* context, const std::string& chain_pem, const std::string& key_pem) {
  TRY(auto chain, certificates(chain_pem, "certificate chain"));
  if (SSL_CTX_use_certificate(context, chain.front().get()) != 1)
    return tls_error("certificate chain");
  for (size_t i = 1; i < chain.size(); ++i) {
    if (SSL_CTX_add1_chain_cert(context, chain[i].get()) != 1)
      return tls_error("certificate chain");
  }
  const BioPtr bio = memory(key_pem);
  const auto no_password = [](char*, int, int, void*) { return -1; };
  const KeyPtr key(PEM_read_bio_PrivateKey(bio.get(), nullptr, no_password, nullptr));
  if (key == nullptr) return tls_error("private key");
  if (SSL_CTX_use_PrivateKey(context, key.get()) != 1) return tls_error("private key");
  if (SSL_CTX_check_private_key(context) != 1) return tls_error("private key");
  return Unit{};
}

Result<> trust(SSL_CTX* context, const std::string& ca_pem, const std::string& what) {
  TRY(const auto authorities, certificates(ca_pem, what));
  X509_STORE* store = SSL_CTX_get_cert_store(context);
  for (const CertificatePtr& authority : authorities) {
    if (X509_STORE_add_cert(store, authority.get()) != 1) return tls_error(what);
    if (SSL_CTX_add_client_CA(context, authority.get()) != 1) return tls_error(what);
  }
  return Unit{};
}

// "h2" before "http/1.1"; a client that names neither is refused.
int choose_protocol(SSL*, const unsigned char** out, unsigned char* out_size,
                    const unsigned char* in, unsigned in_size, void*) {
  static constexpr std::array<unsigned char, 12> kOurs = {2,   'h', '2', 8,   'h', 't',
                                                          't', 'p', '/', '1', '.', '1'};
  unsigned char* chosen = nullptr;
  const int result =
      SSL_select_next_proto(&chosen, out_size, kOurs.data(), kOurs.size(), in, in_size);
  *out = chosen;
  return result == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_ALERT_FATAL;
}

void apply_rules(SSL_CTX* context) {
  SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
  SSL_CTX_set_cipher_list(context, kCiphers12);
  SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_NO_TICKET |
                                   SSL_OP_CIPHER_SERVER_PREFERENCE);
  SSL_CTX_set_num_tickets(context, 0);
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                                SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  SSL_CTX_set_read_ahead(context, 1);
}

}  // namespace

TlsContext::~TlsContext() {
  SSL_CTX_free(context_);
}

Result<std::shared_ptr<TlsContext>> TlsContext::for_server(const TlsIdentity& identity) {
  std::shared_ptr<TlsContext> out(new TlsContext(SSL_CTX_new(TLS_server_method())));
  SSL_CTX* context = out->context_;
  apply_rules(context);
  TRY_OK(use_identity(context, identity.certificate_chain, identity.private_key));
  SSL_CTX_set_alpn_select_cb(context, choose_protocol, nullptr);
  if (!identity.client_ca.empty()) {
    TRY_OK(trust(context, identity.client_ca, "client CA"));
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER,
                       nullptr);  // a certificate is optional, a bad one is not
  }
  return out;
}

Result<std::shared_ptr<TlsContext>> TlsContext::for_client(const Endpoint& endpoint) {
  std::shared_ptr<TlsContext> out(new TlsContext(SSL_CTX_new(TLS_client_method())));
  SSL_CTX* context = out->context_;
  apply_rules(context);
  if (!endpoint.certificate_chain.empty()) {
    TRY_OK(use_identity(context, endpoint.certificate_chain, endpoint.private_key));
  }
  if (!endpoint.ca.empty()) {
    TRY_OK(trust(context, endpoint.ca, "CA"));
  } else if (SSL_CTX_set_default_verify_paths(context) != 1) {
    return tls_error("the system's trust store");
  }
  SSL_CTX_set_verify(context, endpoint.insecure_skip_verify ? SSL_VERIFY_NONE : SSL_VERIFY_PEER,
                     nullptr);
  out->expected_name_ = endpoint.server_name.empty() ? endpoint.host : endpoint.server_name;
  return out;
}

}  // namespace atl::net
