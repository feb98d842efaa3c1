#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <expected>
#include <optional>
#include <string>
#include <string_view>

namespace atl::net {

// The frames of RFC 6455: bytes in, messages and control frames out, and the other way round. No
// I/O.
enum class WebSocketOpcode : uint8_t {
  kContinuation = 0,
  kText = 1,
  kBinary = 2,
  kClose = 8,
  kPing = 9,
  kPong = 10
};

using WebSocketMask = std::array<uint8_t, 4>;

// Why the peer is sent away, with the code of its close frame.
struct WebSocketFault {
  uint16_t code = 1002;
  std::string_view text;
};

// Decodes what one peer sends. Strict: reserved bits and opcodes, wrong masking, lengths that are
// not the shortest, broken fragmentation, oversized control frames, text that is not UTF-8 and
// close frames that make no sense are faults. Holds at most one message of `max_message_bytes`.
class WebSocketDecoder {
 public:
  enum class From : uint8_t { kClient, kServer };  // clients must mask, servers must not

  // A whole message, or a control frame.
  struct Item {
    WebSocketOpcode opcode = WebSocketOpcode::kText;
    std::string payload;
    bool operator==(const Item&) const = default;
  };

  WebSocketDecoder(From from, size_t max_message_bytes)
      : from_(from), max_message_bytes_(max_message_bytes) {}

  // After a fault nothing more is accepted.
  std::expected<void, WebSocketFault> feed(std::string_view bytes);
  std::optional<Item> next();

 private:
  std::expected<bool, WebSocketFault> begin_frame();
  std::expected<void, WebSocketFault> end_frame();
  std::expected<void, WebSocketFault> check_opcode(bool reserved_bits) const;
  std::string& target() { return is_control() ? control_ : message_; }
  bool is_control() const { return static_cast<uint8_t>(opcode_) >= 8; }

  const From from_;
  const size_t max_message_bytes_;
  std::deque<Item> items_;

  std::string head_;  // of the frame that begins, until it is whole
  bool in_frame_ = false;
  bool final_ = false;
  WebSocketOpcode opcode_ = WebSocketOpcode::kContinuation;
  uint64_t left_ = 0;  // of the frame's payload
  std::optional<WebSocketMask> mask_;
  size_t mask_at_ = 0;

  std::optional<WebSocketOpcode> fragmented_;  // the kind of the message that is not complete
  std::string message_;
  std::string control_;
};

// A whole frame; masked where a mask is given.
std::string encode_frame(WebSocketOpcode opcode, std::string_view payload,
                         std::optional<WebSocketMask> mask);
// Only what stands before the payload of an unmasked frame.
std::string encode_frame_head(WebSocketOpcode opcode, size_t payload_bytes, bool masked);

// The payload of a close frame: the code, and a reason cut to what fits.
std::string close_payload(uint16_t code, std::string_view reason);
// Codes that may stand on the wire (RFC 6455 7.4).
bool is_close_code(uint16_t code);

bool is_utf8(std::string_view text);

}  // namespace atl::net
