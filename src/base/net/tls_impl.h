#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/net/client.h"
#include "base/net/server.h"
#include "base/net/transport_impl.h"

struct ssl_ctx_st;  // SSL_CTX
struct ssl_st;      // SSL

namespace atl::net {

// Certificates, trust and rules of one side: TLS 1.2 with forward secrecy or TLS 1.3, no
// renegotiation, no compression, no resumption (so every connection is verified anew).
// Immutable; shared by the connections that began with it.
class TlsContext {
 public:
  // kInvalid names what is wrong with certificate, key or CA.
  static Result<std::shared_ptr<TlsContext>> for_server(const TlsIdentity& identity);
  static Result<std::shared_ptr<TlsContext>> for_client(const Endpoint& endpoint);
  ~TlsContext();

  ssl_ctx_st* get() const { return context_; }
  // The name a client wants to see in the peer's certificate; empty: any.
  const std::string& expected_name() const { return expected_name_; }

 private:
  explicit TlsContext(ssl_ctx_st* context) : context_(context) {}
  ssl_ctx_st* context_;
  std::string expected_name_;
};

// The socket as OpenSSL's BIO sees it.
struct TlsWire {
  int fd = -1;
  bool more = false;     // further records follow at once: the kernel may send them together
  bool drained = false;  // the last read got less than it had room for
};

// TLS directly on the socket: OpenSSL reads and writes the descriptor, and gives its buffers back
// while the connection is idle (about 14 KB are left of a connection).
class TlsTransport final : public Transport {
 public:
  enum class Side : uint8_t { kServer, kClient };
  // `protocols`: what ALPN offers, best first; servers choose among "h2" and "http/1.1".
  static Result<std::unique_ptr<TlsTransport>> make(const Executor& executor, io::UniqueFd fd,
                                                    Side side, std::shared_ptr<TlsContext> context,
                                                    const std::vector<std::string>& protocols);
  ~TlsTransport() override;

  // kUnavailable with the reason where the peers do not agree or do not trust each other.
  Task<> handshake();
  // What ALPN chose; empty: nothing.
  std::string protocol() const;
  // The verified certificate of the peer, where it showed one.
  std::optional<PeerCertificate> peer_certificate() const;

  Result<std::optional<size_t>> try_read(std::span<char> into) override;
  Result<size_t> try_write(std::span<const std::string_view> pieces) override;
  Task<bool> wait_readable() override;
  Task<bool> wait_writable() override;
  void shutdown_write() override;

 private:
  TlsTransport(const Executor& executor, io::UniqueFd fd, std::shared_ptr<TlsContext> context);
  // OpenSSL may have to write in order to read, and the other way round.
  enum class Wants : uint8_t { kNothing, kRead, kWrite };
  Result<Wants> wants_after(int returned, std::string_view doing);
  std::string failure_text(int ssl_error) const;

  std::shared_ptr<TlsContext> context_;
  ssl_st* ssl_ = nullptr;
  Wants read_wants_ = Wants::kRead;
  Wants write_wants_ = Wants::kWrite;
  bool drained_ = false;  // the last read found nothing more
  TlsWire wire_;
};

}  // namespace atl::net
