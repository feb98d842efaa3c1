#include <algorithm>

#include "base/net/websocket_frame_impl.h"

namespace atl::net {
namespace {

constexpr size_t kControlMaxBytes = 125;
constexpr uint8_t kFinal = 0x80;
constexpr uint8_t kReserved = 0x70;
constexpr uint8_t kMasked = 0x80;

std::unexpected<WebSocketFault> protocol_error(std::string_view text) {
  return std::unexpected(WebSocketFault{1002, text});
}

uint64_t big_endian(std::string_view bytes) {
  uint64_t value = 0;
  for (const char c : bytes) value = value << 8 | static_cast<unsigned char>(c);
  return value;
}

void append_big_endian(std::string& out, uint64_t value, int bytes) {
  for (int shift = (bytes - 1) * 8; shift >= 0; shift -= 8)
    out.push_back(static_cast<char>(value >> shift & 0xff));
}

// The length of the whole head, as far as its first two bytes tell.
size_t head_bytes(std::string_view head) {
  if (head.size() < 2) return 2;
  const uint8_t second = static_cast<uint8_t>(head[1]);
  const uint8_t length = second & 0x7f;
  return 2 + (length == 126 ? 2 : length == 127 ? 8 : 0) + ((second & kMasked) != 0 ? 4 : 0);
}

}  // namespace

std::expected<void, WebSocketFault> WebSocketDecoder::feed(std::string_view bytes) {
  while (true) {
    if (!in_frame_) {
      while (head_.size() < head_bytes(head_) && !bytes.empty()) {
        const size_t count = std::min(head_bytes(head_) - head_.size(), bytes.size());
        head_.append(bytes.substr(0, count));
        bytes.remove_prefix(count);
      }
      const auto begun = begin_frame();
      if (!begun) return std::unexpected(begun.error());
      if (!*begun) return {};
    }
    const std::string_view piece = bytes.substr(0, left_);
    bytes.remove_prefix(piece.size());
    left_ -= piece.size();
    std::string& into = target();
    const size_t from = into.size();
    into.append(piece);
    if (mask_) {
      for (size_t i = from; i < into.size(); ++i)
        into[i] = static_cast<char>(into[i] ^ (*mask_)[mask_at_++ % 4]);
    }
    if (left_ > 0) return {};
    const auto ended = end_frame();
    if (!ended) return std::unexpected(ended.error());
  }
}

std::expected<void, WebSocketFault> WebSocketDecoder::check_opcode(bool reserved_bits) const {
  if (reserved_bits) return protocol_error("reserved bits are set");
  switch (opcode_) {
    case WebSocketOpcode::kContinuation:
      if (!fragmented_) return protocol_error("a continuation of nothing");
      return {};
    case WebSocketOpcode::kText:
    case WebSocketOpcode::kBinary:
      if (fragmented_) return protocol_error("a new message inside another one");
      return {};
    case WebSocketOpcode::kClose:
    case WebSocketOpcode::kPing:
    case WebSocketOpcode::kPong:
      if (!final_) return protocol_error("a fragmented control frame");
      return {};
  }
  return protocol_error("an unknown opcode");
}

// True when the head is whole and good. An error is told as soon as the first two bytes show it.
std::expected<bool, WebSocketFault> WebSocketDecoder::begin_frame() {
  if (head_.size() < 2) return false;
  const uint8_t first = static_cast<uint8_t>(head_[0]);
  const uint8_t second = static_cast<uint8_t>(head_[1]);
  final_ = (first & kFinal) != 0;
  opcode_ = static_cast<WebSocketOpcode>(first & 0x0f);
  const auto good = check_opcode((first & kReserved) != 0);
  if (!good) return std::unexpected(good.error());
  const bool masked = (second & kMasked) != 0;
  if (masked != (from_ == From::kClient))
    return protocol_error(masked ? "a server must not mask" : "a client must mask");
  const uint8_t short_length = second & 0x7f;
  if (is_control() && short_length > kControlMaxBytes)
    return protocol_error("a control frame is too long");
  if (head_.size() < head_bytes(head_)) return false;
  left_ = short_length;
  if (short_length == 126) left_ = big_endian(std::string_view(head_).substr(2, 2));
  if (short_length == 127) left_ = big_endian(std::string_view(head_).substr(2, 8));
  if ((short_length == 126 && left_ < 126) ||
      (short_length == 127 && (left_ < 65'536 || left_ >> 63 != 0))) {
    return protocol_error("a length that is not the shortest");
  }
  if (!is_control() && left_ > max_message_bytes_ - message_.size()) {
    return std::unexpected(WebSocketFault{1009, "the message is too large"});
  }
  mask_.reset();
  if (masked) {
    mask_.emplace();
    std::copy_n(head_.end() - 4, 4, mask_->begin());
  }
  mask_at_ = 0;
  head_.clear();
  in_frame_ = true;
  return true;
}

std::expected<void, WebSocketFault> WebSocketDecoder::end_frame() {
  in_frame_ = false;
  if (opcode_ == WebSocketOpcode::kClose) {
    const uint16_t code =
        control_.size() < 2
            ? 0
            : static_cast<uint16_t>(big_endian(std::string_view(control_).substr(0, 2)));
    if (!control_.empty() && !is_close_code(code))
      return protocol_error("a close frame without a valid code");
    if (control_.size() > 2 && !is_utf8(std::string_view(control_).substr(2))) {
      return std::unexpected(WebSocketFault{1007, "a reason that is not UTF-8"});
    }
  }
  if (is_control()) {
    items_.push_back({opcode_, std::move(control_)});
    control_.clear();
    return {};
  }
  const WebSocketOpcode kind = fragmented_.value_or(opcode_);
  if (!final_) {
    fragmented_ = kind;
    return {};
  }
  fragmented_.reset();
  if (kind == WebSocketOpcode::kText && !is_utf8(message_)) {
    return std::unexpected(WebSocketFault{1007, "text that is not UTF-8"});
  }
  items_.push_back({kind, std::move(message_)});
  message_.clear();
  return {};
}

std::optional<WebSocketDecoder::Item> WebSocketDecoder::next() {
  if (items_.empty()) return std::nullopt;
  Item item = std::move(items_.front());
  items_.pop_front();
  return item;
}

std::string encode_frame_head(WebSocketOpcode opcode, size_t payload_bytes, bool masked) {
  std::string out;
  const uint8_t mask_bit = masked ? kMasked : 0;
  out.push_back(static_cast<char>(kFinal | static_cast<uint8_t>(opcode)));
  if (payload_bytes <= kControlMaxBytes) {
    out.push_back(static_cast<char>(mask_bit | payload_bytes));
  } else if (payload_bytes < 65'536) {
    out.push_back(static_cast<char>(mask_bit | 126));
    append_big_endian(out, payload_bytes, 2);
  } else {
    out.push_back(static_cast<char>(mask_bit | 127));
    append_big_endian(out, payload_bytes, 8);
  }
  return out;
}

std::string encode_frame(WebSocketOpcode opcode, std::string_view payload,
                         std::optional<WebSocketMask> mask) {
  std::string out = encode_frame_head(opcode, payload.size(), mask.has_value());
  if (mask) out.append(mask->begin(), mask->end());
  const size_t from = out.size();
  out.append(payload);
  if (mask) {
    for (size_t i = 0; i < payload.size(); ++i)
      out[from + i] = static_cast<char>(out[from + i] ^ (*mask)[i % 4]);
  }
  return out;
}

std::string close_payload(uint16_t code, std::string_view reason) {
  std::string out;
  append_big_endian(out, code, 2);
  while (reason.size() > kControlMaxBytes - 2 || !is_utf8(reason)) reason.remove_suffix(1);
  return out.append(reason);
}

bool is_close_code(uint16_t code) {
  return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) ||
         (code >= 3000 && code <= 4999);
}

// Shortest forms only, no surrogates, nothing above U+10FFFF (RFC 3629).
bool is_utf8(std::string_view text) {
  size_t i = 0;
  while (i < text.size()) {
    const auto byte = static_cast<unsigned char>(text[i]);
    if (byte < 0x80) {
      ++i;
      continue;
    }
    const size_t more = byte >= 0xf0 ? 3 : byte >= 0xe0 ? 2 : 1;
    if (byte < 0xc2 || byte > 0xf4 || text.size() - i <= more) return false;
    uint32_t point = byte & (0x3f >> more);
    for (size_t k = 1; k <= more; ++k) {
      const auto next = static_cast<unsigned char>(text[i + k]);
      if ((next & 0xc0) != 0x80) return false;
      point = point << 6 | (next & 0x3f);
    }
    if (more == 2 && (point < 0x800 || (point >= 0xd800 && point < 0xe000))) return false;
    if (more == 3 && (point < 0x10000 || point > 0x10ffff)) return false;
    i += more + 1;
  }
  return true;
}

}  // namespace atl::net
