#include <arpa/inet.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include "base/core/check.h"
#include "base/net/tls_impl.h"

// OpenSSL works on the socket through a BIO of ours, because its own one writes with write(2): a
// peer that went away would then kill the process by SIGPIPE.
namespace atl::net {
namespace {

constexpr size_t kRecordBytes = 16 * 1024;  // the largest plaintext of one TLS record

TlsWire& wire_of(BIO* bio) {
  return *static_cast<TlsWire*>(BIO_get_data(bio));
}

bool may_retry() {
  return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
}

int bio_write(BIO* bio, const char* data, int size) {
  BIO_clear_retry_flags(bio);
  const TlsWire& wire = wire_of(bio);
  const int flags = MSG_NOSIGNAL | (wire.more ? MSG_MORE : 0);
  const ssize_t sent = ::send(wire.fd, data, static_cast<size_t>(size), flags);
  if (sent < 0 && may_retry()) BIO_set_retry_write(bio);
  return static_cast<int>(sent);
}

int bio_read(BIO* bio, char* data, int size) {
  BIO_clear_retry_flags(bio);
  TlsWire& wire = wire_of(bio);
  const ssize_t got = ::recv(wire.fd, data, static_cast<size_t>(size), 0);
  wire.drained = got > 0 && got < size;
  if (got < 0 && may_retry()) BIO_set_retry_read(bio);
  if (got == 0) BIO_set_flags(bio, BIO_FLAGS_IN_EOF);
  return static_cast<int>(got);
}

long bio_control(BIO* bio, int command, long, void*) {
  if (command == BIO_CTRL_EOF) return BIO_test_flags(bio, BIO_FLAGS_IN_EOF) != 0 ? 1 : 0;
  return command == BIO_CTRL_FLUSH || command == BIO_CTRL_DUP ? 1 : 0;
}

BIO* make_bio(TlsWire& wire) {
  static BIO_METHOD* const kMethod = [] {
    BIO_METHOD* method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "atoll socket");
    BIO_meth_set_write(method, bio_write);
    BIO_meth_set_read(method, bio_read);
    BIO_meth_set_ctrl(method, bio_control);
    return method;
  }();
  BIO* bio = BIO_new(kMethod);
  BIO_set_data(bio, &wire);
  BIO_set_init(bio, 1);
  return bio;
}

bool is_address(const std::string& text) {
  std::array<unsigned char, sizeof(in6_addr)> ignored;
  return ::inet_pton(AF_INET, text.c_str(), ignored.data()) == 1 ||
         ::inet_pton(AF_INET6, text.c_str(), ignored.data()) == 1;
}

Result<> expect_name(SSL* ssl, const std::string& name) {
  if (name.empty()) return Unit{};
  X509_VERIFY_PARAM* rules = SSL_get0_param(ssl);
  if (is_address(name)) {
    if (X509_VERIFY_PARAM_set1_ip_asc(rules, name.c_str()) == 1) return Unit{};
    return Error(Code::kInvalid, "'" + name + "' is not an address");
  }
  X509_VERIFY_PARAM_set_hostflags(
      rules, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS | X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
  if (X509_VERIFY_PARAM_set1_host(rules, name.c_str(), name.size()) != 1 ||
      SSL_set_tlsext_host_name(ssl, name.c_str()) != 1) {
    return Error(Code::kInvalid, "'" + name + "' is not a host name");
  }
  return Unit{};
}

std::string alpn_wire(const std::vector<std::string>& protocols) {
  std::string wire;
  for (const std::string& protocol : protocols) {
    wire.push_back(static_cast<char>(protocol.size()));
    wire += protocol;
  }
  return wire;
}

std::vector<std::string> subject_values(X509* certificate, int nid) {
  std::vector<std::string> values;
  X509_NAME* subject = X509_get_subject_name(certificate);
  for (int at = X509_NAME_get_index_by_NID(subject, nid, -1); at >= 0;
       at = X509_NAME_get_index_by_NID(subject, nid, at)) {
    unsigned char* text = nullptr;
    const int size =
        ASN1_STRING_to_UTF8(&text, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)));
    if (size < 0) continue;
    values.emplace_back(reinterpret_cast<char*>(text), static_cast<size_t>(size));
    OPENSSL_free(text);
  }
  return values;
}

std::string fingerprint(X509* certificate) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest;
  unsigned size = 0;
  X509_digest(certificate, EVP_sha256(), digest.data(), &size);
  constexpr std::string_view kHex = "0123456789abcdef";
  std::string out;
  for (unsigned i = 0; i < size; ++i) {
    out.push_back(kHex[digest[i] >> 4]);
    out.push_back(kHex[digest[i] & 15]);
  }
  return out;
}

}  // namespace

TlsTransport::TlsTransport(const Executor& executor, io::UniqueFd fd,
                           std::shared_ptr<TlsContext> context)
    : Transport(executor, std::move(fd)),
      context_(std::move(context)),
      ssl_(SSL_new(context_->get())) {
  CHECK(ssl_ != nullptr);
  wire_.fd = socket_.fd();
  BIO* bio = make_bio(wire_);
  SSL_set_bio(ssl_, bio, bio);
}

TlsTransport::~TlsTransport() {
  wire_.more = false;
  if (SSL_is_init_finished(ssl_) == 1 && !socket_.failure()) SSL_shutdown(ssl_);
  ERR_clear_error();
  SSL_free(ssl_);
}

Result<std::unique_ptr<TlsTransport>> TlsTransport::make(
    const Executor& executor, io::UniqueFd fd, Side side, std::shared_ptr<TlsContext> context,
    const std::vector<std::string>& protocols) {
  const std::string name = context->expected_name();
  std::unique_ptr<TlsTransport> out(new TlsTransport(executor, std::move(fd), std::move(context)));
  if (side == Side::kServer) {
    SSL_set_accept_state(out->ssl_);
    return out;
  }
  TRY_OK(expect_name(out->ssl_, name));
  const std::string wire = alpn_wire(protocols);
  SSL_set_alpn_protos(out->ssl_, reinterpret_cast<const unsigned char*>(wire.data()),
                      static_cast<unsigned>(wire.size()));
  SSL_set_connect_state(out->ssl_);
  return out;
}

std::string TlsTransport::failure_text(int ssl_error) const {
  const long verdict = SSL_get_verify_result(ssl_);
  const unsigned long code = ERR_peek_last_error();
  if (ERR_GET_REASON(code) == SSL_R_CERTIFICATE_VERIFY_FAILED && verdict != X509_V_OK) {
    return std::string("the peer's certificate is not trusted: ") +
           X509_verify_cert_error_string(verdict);
  }
  if (code != 0 && ERR_reason_error_string(code) != nullptr) return ERR_reason_error_string(code);
  if (ssl_error == SSL_ERROR_SYSCALL && errno != 0) return std::strerror(errno);
  return "the peer broke off";
}

Result<TlsTransport::Wants> TlsTransport::wants_after(int returned, std::string_view doing) {
  const int ssl_error = SSL_get_error(ssl_, returned);
  switch (ssl_error) {
    case SSL_ERROR_WANT_READ:
      return Wants::kRead;
    case SSL_ERROR_WANT_WRITE:
      return Wants::kWrite;
    case SSL_ERROR_ZERO_RETURN:
      return Wants::kNothing;
    default:
      break;
  }
  Error error(Code::kUnavailable, std::string(doing) + ": " + failure_text(ssl_error));
  ERR_clear_error();
  return error;
}

Task<> TlsTransport::handshake() {
  while (true) {
    if (socket_.failure()) co_return *socket_.failure();
    ERR_clear_error();
    errno = 0;
    const int returned = SSL_do_handshake(ssl_);
    if (returned == 1) co_return Unit{};
    CO_TRY(const Wants wants, wants_after(returned, "TLS handshake"));
    if (wants == Wants::kNothing)
      co_return Error(Code::kUnavailable, "TLS handshake: the peer broke off");
    if (wants == Wants::kRead) {
      CO_TRY_OK(co_await socket_.wait_readable());
    } else {
      CO_TRY_OK(co_await socket_.wait_writable());
    }
  }
}

std::string TlsTransport::protocol() const {
  const unsigned char* name = nullptr;
  unsigned size = 0;
  SSL_get0_alpn_selected(ssl_, &name, &size);
  return std::string(reinterpret_cast<const char*>(name), size);
}

std::optional<PeerCertificate> TlsTransport::peer_certificate() const {
  if (SSL_get_verify_mode(ssl_) == SSL_VERIFY_NONE || SSL_get_verify_result(ssl_) != X509_V_OK)
    return std::nullopt;
  const std::unique_ptr<X509, void (*)(X509*)> certificate(SSL_get1_peer_certificate(ssl_),
                                                           X509_free);
  if (certificate == nullptr) return std::nullopt;
  auto names = subject_values(certificate.get(), NID_commonName);
  return PeerCertificate{names.empty() ? std::string() : std::move(names.back()),
                         subject_values(certificate.get(), NID_organizationName),
                         fingerprint(certificate.get())};
}

Result<std::optional<size_t>> TlsTransport::try_read(std::span<char> into) {
  if (socket_.failure()) return *socket_.failure();
  if (std::exchange(wire_.drained, false) && SSL_has_pending(ssl_) == 0) {
    // The socket was empty a moment ago: asking it again is left to the wait.
    read_wants_ = Wants::kRead;
    drained_ = true;
    return std::optional<size_t>();
  }
  ERR_clear_error();
  errno = 0;
  size_t count = 0;
  const int returned = SSL_read_ex(ssl_, into.data(), into.size(), &count);
  read_wants_ = Wants::kRead;
  drained_ = returned != 1;
  if (returned == 1) return std::optional<size_t>(count);
  TRY(read_wants_, wants_after(returned, "TLS read"));
  if (read_wants_ == Wants::kNothing) return std::optional<size_t>(0);
  return std::optional<size_t>();
}

Result<size_t> TlsTransport::try_write(std::span<const std::string_view> pieces) {
  if (socket_.failure()) return *socket_.failure();
  thread_local std::array<char, kRecordBytes> joined;
  size_t left = 0;
  for (const std::string_view piece : pieces) left += piece.size();
  size_t total = 0;
  size_t first = 0;
  size_t offset = 0;
  write_wants_ = Wants::kWrite;
  while (true) {
    while (first < pieces.size() && offset == pieces[first].size()) ++first, offset = 0;
    if (first == pieces.size()) return total;
    // One record at a time: a long piece as it lies, short ones put together. OpenSSL wants to see
    // a refused record again with at least as many bytes, and so it does: the rest only grows.
    std::string_view record = pieces[first].substr(offset, kRecordBytes);
    if (record.size() < kRecordBytes && first + 1 < pieces.size()) {
      size_t size = 0;
      for (size_t i = first; i < pieces.size() && size < kRecordBytes; ++i) {
        const std::string_view piece = i == first ? pieces[i].substr(offset) : pieces[i];
        size += piece.copy(joined.data() + size, kRecordBytes - size);
      }
      record = {joined.data(), size};
    }
    ERR_clear_error();
    errno = 0;
    size_t written = 0;
    wire_.more = left > record.size();
    const int returned = SSL_write_ex(ssl_, record.data(), record.size(), &written);
    if (returned != 1) {
      TRY(write_wants_, wants_after(returned, "TLS write"));
      if (write_wants_ == Wants::kNothing)
        return Error(Code::kUnavailable, "TLS write: the peer closed the connection");
      return total;
    }
    total += written;
    left -= written;
    while (written > 0) {
      const size_t step = std::min(written, pieces[first].size() - offset);
      written -= step;
      offset += step;
      if (offset == pieces[first].size()) ++first, offset = 0;
    }
  }
}

Task<bool> TlsTransport::wait_readable() {
  // Reading ahead may have left whole records in OpenSSL's buffer: the socket says nothing of them.
  if (!drained_ && SSL_has_pending(ssl_) == 1) co_return true;
  if (read_wants_ == Wants::kWrite) co_return co_await socket_.wait_writable();
  co_return co_await socket_.wait_readable();
}

Task<bool> TlsTransport::wait_writable() {
  if (write_wants_ == Wants::kRead) co_return co_await socket_.wait_readable();
  co_return co_await socket_.wait_writable();
}

void TlsTransport::shutdown_write() {
  wire_.more = false;
  if (SSL_is_init_finished(ssl_) == 1) SSL_shutdown(ssl_);
  ERR_clear_error();
  Transport::shutdown_write();
}

}  // namespace atl::net
