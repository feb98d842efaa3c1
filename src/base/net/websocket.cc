#include "base/net/websocket.h"

#include <openssl/evp.h>

#include <algorithm>
#include <array>

#include "base/async/event.h"
#include "base/core/rng.h"
#include "base/crypto/base64.h"
#include "base/net/fields_impl.h"
#include "base/net/websocket_frame_impl.h"

namespace atl::net {
namespace {

constexpr std::string_view kAcceptSuffix = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";  // RFC 6455 1.3
constexpr size_t kKeyBytes = 16;
constexpr size_t kReadBytes = 16 * 1024;
constexpr size_t kRefusalMaxBytes = 1024;
constexpr size_t kClientMessageMaxBytes = 16 << 20;

std::string accept_for(std::string_view key) {
  const std::string text = std::string(key) + std::string(kAcceptSuffix);
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest;
  unsigned size = 0;
  EVP_Digest(text.data(), text.size(), digest.data(), &size, EVP_sha1(), nullptr);
  return crypto::base64({reinterpret_cast<const char*>(digest.data()), size});
}

std::vector<std::string> split_list(const std::vector<std::string_view>& lines) {
  std::vector<std::string> out;
  for (std::string_view rest : lines) {
    while (!rest.empty()) {
      const size_t comma = rest.find(',');
      const std::string_view word = trimmed(rest.substr(0, comma));
      if (!word.empty()) out.emplace_back(word);
      rest.remove_prefix(comma == std::string_view::npos ? rest.size() : comma + 1);
    }
  }
  return out;
}

Error refused(int status, std::string_view body) {
  const std::string text = "the server refused the WebSocket with " + std::to_string(status) +
                           (body.empty() ? std::string() : ": " + std::string(trimmed(body)));
  switch (status) {
    case 400:
      return Error(Code::kBadRequest, text);
    case 401:
      return Error(Code::kUnauthorized, text);
    case 403:
      return Error(Code::kForbidden, text);
    case 404:
      return Error(Code::kNotFound, text);
    case 405:
      return Error(Code::kMethodNotAllowed, text);
    case 409:
      return Error(Code::kConflict, text);
    case 429:
      return Error(Code::kTooMany, text);
    case 500:
      return Error(Code::kInternal, text);
    case 504:
      return Error(Code::kTimeout, text);
    default:
      return Error(Code::kUnavailable, text);
  }
}

class WebSocketImpl final : public WebSocket {
 public:
  WebSocketImpl(std::unique_ptr<ByteStream> stream, WebSocketDecoder::From peer,
                std::string subprotocol, size_t max_bytes)
      : stream_(std::move(stream)),
        subprotocol_(std::move(subprotocol)),
        masks_(peer == WebSocketDecoder::From::kServer),
        decoder_(peer, max_bytes) {}

  const std::string& subprotocol() const override { return subprotocol_; }
  Task<std::optional<Message>> read() override;
  Task<> write(Message message) override;
  Task<> close(uint16_t code, std::string reason) override;

 private:
  // Frames go out whole: the one who writes sends the pong that became due meanwhile.
  class Turn {
   public:
    explicit Turn(WebSocketImpl& socket) : socket_(socket) { socket_.writing_ = true; }
    ~Turn() {
      socket_.writing_ = false;
      socket_.may_write_.notify();
    }
    Turn(const Turn&) = delete;
    Turn& operator=(const Turn&) = delete;

   private:
    WebSocketImpl& socket_;
  };

  Task<> send_frame(WebSocketOpcode opcode, std::string payload);
  Task<> send_pong();
  Task<> send_close(std::string payload);
  Async<void> answer_close(std::string payload);
  Task<> refuse(WebSocketFault fault);
  std::optional<WebSocketMask> new_mask();

  const std::unique_ptr<ByteStream> stream_;
  const std::string subprotocol_;
  const bool masks_;
  WebSocketDecoder decoder_;
  SystemRng rng_;
  bool writing_ = false;
  Event may_write_;
  std::optional<std::string> due_pong_;
  bool close_sent_ = false;
  bool close_received_ = false;
};

std::optional<WebSocketMask> WebSocketImpl::new_mask() {
  if (!masks_) return std::nullopt;
  WebSocketMask mask;
  rng_.fill(mask);
  return mask;
}

Task<> WebSocketImpl::send_frame(WebSocketOpcode opcode, std::string payload) {
  while (writing_) co_await may_write_.wait();
  if (close_sent_) co_return Error(Code::kUnavailable, "the WebSocket was closed");
  close_sent_ = opcode == WebSocketOpcode::kClose;
  const Turn turn(*this);
  const std::string frame = encode_frame(opcode, payload, new_mask());
  CO_TRY_OK(co_await stream_->write(frame));
  if (!due_pong_ || close_sent_) co_return Unit{};
  const std::string pong =
      encode_frame(WebSocketOpcode::kPong, *std::exchange(due_pong_, std::nullopt), new_mask());
  co_return co_await stream_->write(pong);
}

// The answer to the latest ping; a write that is under way takes it along.
Task<> WebSocketImpl::send_pong() {
  if (writing_ || close_sent_) co_return Unit{};
  co_return co_await send_frame(WebSocketOpcode::kPong, *std::exchange(due_pong_, std::nullopt));
}

Task<> WebSocketImpl::send_close(std::string payload) {
  if (close_sent_) co_return Unit{};
  co_return co_await send_frame(WebSocketOpcode::kClose, std::move(payload));
}

// The peer has said all it had to say: whether our answer still reaches it does not matter.
Async<void> WebSocketImpl::answer_close(std::string payload) {
  const Result<> sent = co_await send_close(std::move(payload));
  const Result<> shut = co_await stream_->shutdown_write();
  if (!sent || !shut) stream_->close();
}

Task<> WebSocketImpl::refuse(WebSocketFault fault) {
  const Result<> told = co_await send_close(close_payload(fault.code, fault.text));
  stream_->close();
  if (!told) co_return told;
  co_return Error(fault.code == 1009 ? Code::kTooLarge : Code::kBadRequest,
                  "WebSocket: " + std::string(fault.text));
}

Task<std::optional<WebSocket::Message>> WebSocketImpl::read() {
  std::string buffer;
  while (!close_received_) {
    auto item = decoder_.next();
    if (!item) {
      buffer.resize(kReadBytes);
      CO_TRY(const size_t count, co_await stream_->read_some(buffer));
      if (count == 0) co_return Error(Code::kUnavailable, "the peer broke off the WebSocket");
      const auto fed = decoder_.feed(std::string_view(buffer).substr(0, count));
      if (!fed) CO_TRY_OK(co_await refuse(fed.error()));
      continue;
    }
    switch (item->opcode) {
      case WebSocketOpcode::kText:
      case WebSocketOpcode::kBinary:
        co_return Message{item->opcode == WebSocketOpcode::kText, std::move(item->payload)};
      case WebSocketOpcode::kPing:
        due_pong_ = std::move(item->payload);
        CO_TRY_OK(co_await send_pong());
        break;
      case WebSocketOpcode::kClose:
        close_received_ = true;
        co_await answer_close(item->payload.substr(0, 2));
        break;
      case WebSocketOpcode::kPong:
      case WebSocketOpcode::kContinuation:
        break;
    }
  }
  co_return std::optional<Message>();
}

Task<> WebSocketImpl::write(Message message) {
  if (message.text && !is_utf8(message.data))
    co_return Error(Code::kBadRequest, "a text message must be UTF-8");
  co_return co_await send_frame(message.text ? WebSocketOpcode::kText : WebSocketOpcode::kBinary,
                                std::move(message.data));
}

Task<> WebSocketImpl::close(uint16_t code, std::string reason) {
  if (!is_close_code(code))
    co_return Error(Code::kBadRequest, std::to_string(code) + " is not a close code");
  co_return co_await send_close(close_payload(code, reason));
}

Result<> check_handshake(const Request& request) {
  if (request.method != "GET") return Error(Code::kBadRequest, "a WebSocket begins with GET");
  if (!WebSocket::is_upgrade(request))
    return Error(Code::kBadRequest, "the request asks for no WebSocket");
  if (request.headers.get("sec-websocket-version") != "13") {
    return Error(Code::kBadRequest, "Sec-WebSocket-Version must be 13");
  }
  const auto key = crypto::base64_decode(request.headers.get("sec-websocket-key"));
  if (request.headers.all("sec-websocket-key").size() != 1 || !key || key->size() != kKeyBytes) {
    return Error(Code::kBadRequest, "Sec-WebSocket-Key must be 16 bytes in base64");
  }
  return Unit{};
}

Result<> check_answer(const Upgraded& answer, std::string_view key,
                      const std::vector<std::string>& offered) {
  const Headers& headers = answer.headers;
  const auto chosen = headers.all("sec-websocket-protocol");
  if (!has_list_word(headers, "upgrade", "websocket") ||
      !has_list_word(headers, "connection", "upgrade") ||
      headers.get("sec-websocket-accept") != accept_for(key)) {
    return Error(Code::kUnavailable, "the server's answer is no WebSocket handshake");
  }
  if (headers.has("sec-websocket-extensions")) {
    return Error(Code::kUnavailable, "the server chose an extension that was not offered");
  }
  const bool known =
      chosen.empty() ||
      (chosen.size() == 1 && std::ranges::find(offered, chosen.front()) != offered.end());
  if (!known)
    return Error(Code::kUnavailable, "the server chose a subprotocol that was not offered");
  return Unit{};
}

}  // namespace

bool WebSocket::is_upgrade(const Request& request) {
  return has_list_word(request.headers, "connection", "upgrade") &&
         has_list_word(request.headers, "upgrade", "websocket");
}

std::vector<std::string> WebSocket::offered(const Request& request) {
  return split_list(request.headers.all("sec-websocket-protocol"));
}

Task<std::unique_ptr<WebSocket>> WebSocket::accept(const Request& request, Responder& responder,
                                                   std::string subprotocol,
                                                   size_t max_message_bytes) {
  CO_TRY_OK(check_handshake(request));
  const auto offers = offered(request);
  if (!subprotocol.empty() && std::ranges::find(offers, subprotocol) == offers.end()) {
    co_return Error(Code::kBadRequest, "the subprotocol '" + subprotocol + "' was not offered");
  }
  Headers headers{{"upgrade", "websocket"},
                  {"sec-websocket-accept", accept_for(request.headers.get("sec-websocket-key"))}};
  if (!subprotocol.empty()) headers.add("sec-websocket-protocol", subprotocol);
  CO_TRY(auto stream, co_await responder.upgrade(std::move(headers)));
  co_return std::make_unique<WebSocketImpl>(std::move(stream), WebSocketDecoder::From::kClient,
                                            std::move(subprotocol), max_message_bytes);
}

Task<std::unique_ptr<WebSocket>> WebSocket::connect(HttpClient& client, ClientRequest request,
                                                    std::vector<std::string> subprotocols,
                                                    Duration deadline) {
  SystemRng rng;
  std::array<uint8_t, kKeyBytes> nonce;
  rng.fill(nonce);
  const std::string key =
      crypto::base64({reinterpret_cast<const char*>(nonce.data()), nonce.size()});
  request.method = "GET";
  request.headers.set("upgrade", "websocket");
  request.headers.set("sec-websocket-version", "13");
  request.headers.set("sec-websocket-key", key);
  std::string offers;
  for (const std::string& subprotocol : subprotocols)
    offers += (offers.empty() ? "" : ", ") + subprotocol;
  if (!offers.empty()) request.headers.set("sec-websocket-protocol", offers);
  CO_TRY(auto answer, co_await client.upgrade(std::move(request), deadline));
  if (answer.status != 101) {
    const auto body = co_await answer.body->read_all(kRefusalMaxBytes);
    co_return refused(answer.status, body ? *body : std::string());
  }
  CO_TRY_OK(check_answer(answer, key, subprotocols));
  co_return std::make_unique<WebSocketImpl>(
      std::move(answer.stream), WebSocketDecoder::From::kServer,
      std::string(answer.headers.get("sec-websocket-protocol")), kClientMessageMaxBytes);
}

}  // namespace atl::net
