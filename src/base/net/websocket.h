#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/async/task.h"
#include "base/net/client.h"
#include "base/net/http.h"

namespace atl::net {

// RFC 6455 over an upgraded connection. One reader and one writer at a time; pings are answered
// while read() waits. Messages are bounded by max_message_bytes (kTooLarge closes with 1009).
class WebSocket {
 public:
  struct Message {
    bool text = false;
    std::string data;
  };

  static bool is_upgrade(const Request& request);
  // Subprotocols the client offers, in its order.
  static std::vector<std::string> offered(const Request& request);
  // Answers 101 with the chosen subprotocol (empty: none). kBadRequest where the handshake is
  // wrong.
  static Task<std::unique_ptr<WebSocket>> accept(const Request& request, Responder& responder,
                                                 std::string subprotocol,
                                                 size_t max_message_bytes = 4 << 20);
  // Client side. kUnavailable (or the mapped HTTP status) where the server refuses.
  static Task<std::unique_ptr<WebSocket>> connect(HttpClient& client, ClientRequest request,
                                                  std::vector<std::string> subprotocols,
                                                  Duration deadline);

  virtual ~WebSocket() = default;
  virtual const std::string& subprotocol() const = 0;
  // Nothing when the peer closed properly; kUnavailable when it broke off.
  virtual Task<std::optional<Message>> read() = 0;
  virtual Task<> write(Message message) = 0;
  // Sends the close frame; nothing can be written after it. A polite end reads on until there is
  // nothing, so that the peer's answer is seen.
  virtual Task<> close(uint16_t code, std::string reason) = 0;
};

}  // namespace atl::net
