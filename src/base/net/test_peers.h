#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>

#include <boost/asio/io_context.hpp>

#include "base/async/run.h"
#include "base/async/task_group.h"
#include "base/core/rng.h"
#include "base/crypto/x509.h"
#include "base/net/client.h"
#include "base/net/server.h"

// Peers for the tests of this folder: a loop, a certificate authority, a server that does by path
// what a test needs, and raw connections to send it anything.
namespace atl::net {

using namespace std::chrono_literals;

// Certificates of one authority for localhost, and a client certificate.
struct TestCertificates {
  explicit TestCertificates(std::string_view name = "test authority");
  TlsIdentity server_identity(bool ask_for_client_certificates = false) const;
  // An endpoint that trusts the authority.
  Endpoint endpoint(uint16_t port) const;
  Endpoint endpoint_as(uint16_t port, const std::string& user,
                       std::vector<std::string> groups) const;

  SystemClock clock;
  SystemRng rng;
  std::unique_ptr<crypto::CertificateAuthority> authority;
};

class NetTest : public testing::Test {
 protected:
  ~NetTest() override;

  // Runs the coroutine to its end, then stops the servers; a failure of it is a failure of the
  // test.
  void go(std::function<Task<>()> body);
  Server& serve(Handler handler, ServerOptions options = {});
  // A server with the paths of test_handler(), on a TCP port of 127.0.0.1.
  uint16_t serve_paths(ServerOptions options = {});
  std::unique_ptr<HttpClient> client(Endpoint endpoint);
  Async<void> test_handler(Request request, Responder& responder);
  // Lets the loop run until the condition holds; false after ten seconds.
  Async<bool> eventually(std::function<bool()> condition);

  static Endpoint plain(uint16_t port) { return Endpoint{.host = "127.0.0.1", .port = port}; }

  asio::io_context loop_;
  SystemTimer system_timer_;
  Timer* timer_ = &system_timer_;
  TestCertificates certificates_;
  std::vector<std::unique_ptr<Server>> servers_;
  // What the handlers of test_handler() saw.
  int started_ = 0;
  int ended_ = 0;
  size_t streamed_bytes_ = 0;
};

// Sends the bytes on a new connection and returns all that comes back until the server closes.
Task<std::string> talk(Timer& timer, Endpoint endpoint, std::string bytes);
Task<std::string> read_to_end(ByteStream& stream);
// The answer, and the whole body as text; the status in front: "200 hello".
Task<std::string> fetch(HttpClient& client, ClientRequest request);

}  // namespace atl::net
