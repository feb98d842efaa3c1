#include "base/net/spdy.h"

#include <zlib.h>

#include <array>

namespace atl::net::spdy {
namespace {

constexpr size_t kHeadBytes = 8;
constexpr uint16_t kVersion = 3;
constexpr uint8_t kFin = 1;
constexpr uint32_t kProtocolError = 1;
constexpr size_t kHeadersMax = 100;

enum ControlType : uint16_t {
  kSynStreamType = 1,
  kSynReplyType = 2,
  kResetType = 3,
  kPingType = 6,
  kGoAwayType = 7
};

uint32_t read32(std::string_view bytes, size_t at) {
  uint32_t out = 0;
  for (size_t i = 0; i < 4; ++i) out = out << 8 | uint8_t(bytes[at + i]);
  return out;
}

void write32(std::string& out, uint32_t value) {
  for (int shift = 24; shift >= 0; shift -= 8) out += char(value >> shift);
}

// What both sides' compression starts from (section 2.6.10.1): words with their lengths, then text.
// clang-format off
constexpr std::string_view kWords[] = {
    "options", "head", "post", "put", "delete", "trace", "accept", "accept-charset",
    "accept-encoding", "accept-language", "accept-ranges", "age", "allow", "authorization",
    "cache-control", "connection", "content-base", "content-encoding", "content-language",
    "content-length", "content-location", "content-md5", "content-range", "content-type", "date",
    "etag", "expect", "expires", "from", "host", "if-match", "if-modified-since", "if-none-match",
    "if-range", "if-unmodified-since", "last-modified", "location", "max-forwards", "pragma",
    "proxy-authenticate", "proxy-authorization", "range", "referer", "retry-after", "server", "te",
    "trailer", "transfer-encoding", "upgrade", "user-agent", "vary", "via", "warning",
    "www-authenticate", "method", "get", "status", "200 OK", "version", "HTTP/1.1", "url",
    "public", "set-cookie", "keep-alive", "origin"};
// clang-format on
constexpr std::string_view kText =
    "100101201202205206300302303304305306307402405406407408409410411412413414415416417502504505203 "
    "Non-Authoritative Information204 No Content301 Moved Permanently400 Bad Request401 "
    "Unauthorized403 Forbidden404 Not Found500 Internal Server Error501 Not Implemented503 Service "
    "UnavailableJan Feb Mar Apr May Jun Jul Aug Sept Oct Nov Dec 00:00:00 Mon, Tue, Wed, Thu, Fri, "
    "Sat, Sun, GMTchunked,text/html,image/png,image/jpg,image/gif,application/xml,application/"
    "xhtml+xml,text/plain,text/javascript,publicprivatemax-age=gzip,deflate,sdchcharset=utf-8"
    "charset=iso-8859-1,utf-,*,enq=0.";

const std::string& dictionary() {
  static const std::string kAll = [] {
    std::string out;
    for (const std::string_view word : kWords) {
      write32(out, uint32_t(word.size()));
      out += word;
    }
    return out.append(kText);
  }();
  return kAll;
}

const Bytef* bytes_of(std::string_view text) {
  return reinterpret_cast<const Bytef*>(text.data());
}

std::string control_frame(ControlType type, std::string_view payload) {
  std::string out;
  write32(out, 0x80000000u | uint32_t(kVersion) << 16 | type);
  write32(out, uint32_t(payload.size()));
  return out.append(payload);
}

Error malformed(std::string_view what) {
  return Error(Code::kBadRequest, "SPDY: " + std::string(what));
}

Result<std::map<std::string, std::string>> read_headers(std::string_view block) {
  std::map<std::string, std::string> out;
  size_t at = 4;
  if (block.size() < at) return malformed("headers without a count");
  const uint32_t count = read32(block, 0);
  if (count > kHeadersMax) return malformed("too many headers");
  const auto text = [&](std::string& into) {
    if (block.size() - at < 4) return false;
    const size_t length = read32(block, at);
    at += 4;
    if (block.size() - at < length) return false;
    into = block.substr(at, length);
    at += length;
    return true;
  };
  for (uint32_t i = 0; i < count; ++i) {
    std::string name;
    std::string value;
    if (!text(name) || !text(value)) return malformed("headers end early");
    out[std::move(name)] = std::move(value);
  }
  return out;
}

}  // namespace

struct Decoder::Inflater {
  z_stream stream{};
  Inflater() { inflateInit(&stream); }
  ~Inflater() { inflateEnd(&stream); }

  // One block; the state goes on to the next.
  Result<std::string> unpack(std::string_view block) {
    std::string out;
    std::array<char, 4096> piece;
    stream.next_in = const_cast<Bytef*>(bytes_of(block));
    stream.avail_in = uInt(block.size());
    for (;;) {
      stream.next_out = reinterpret_cast<Bytef*>(piece.data());
      stream.avail_out = uInt(piece.size());
      int status = inflate(&stream, Z_SYNC_FLUSH);
      if (status == Z_NEED_DICT) {
        if (inflateSetDictionary(&stream, bytes_of(dictionary()), uInt(dictionary().size())) !=
            Z_OK)
          return malformed("headers are packed with another dictionary");
        continue;
      }
      out.append(piece.data(), piece.size() - stream.avail_out);
      if (out.size() > kHeaderBytesMax) return Error(Code::kTooLarge, "SPDY: headers are too long");
      if (status == Z_BUF_ERROR || (status == Z_OK && stream.avail_out > 0)) break;
      if (status != Z_OK) return malformed("headers cannot be unpacked");
    }
    if (stream.avail_in > 0) return malformed("headers cannot be unpacked");
    return out;
  }
};

Decoder::Decoder() : inflater_(std::make_unique<Inflater>()) {}
Decoder::~Decoder() = default;

Result<std::optional<Frame>> Decoder::next() {
  if (buffer_.size() < kHeadBytes) return std::optional<Frame>();
  const size_t length = read32(buffer_, 4) & 0xffffff;
  if (length > kFrameBytesMax) return Error(Code::kTooLarge, "SPDY: a frame is too long");
  if (buffer_.size() < kHeadBytes + length) return std::optional<Frame>();
  const std::string whole = buffer_.substr(0, kHeadBytes + length);
  buffer_.erase(0, whole.size());
  if (uint8_t(whole[0]) & 0x80) {
    TRY(Frame frame, control(whole));
    return std::optional(std::move(frame));
  }
  Frame frame;
  frame.type = FrameType::kData;
  frame.id = read32(whole, 0);
  frame.fin = uint8_t(whole[4]) & kFin;
  frame.data = whole.substr(kHeadBytes);
  return std::optional(std::move(frame));
}

Result<Frame> Decoder::control(std::string_view frame) {
  const uint32_t head = read32(frame, 0);
  if ((head >> 16 & 0x7fff) != kVersion) return malformed("not version 3");
  const std::string_view payload = frame.substr(kHeadBytes);
  Frame out;
  out.fin = uint8_t(frame[4]) & kFin;
  const uint16_t type = uint16_t(head);
  if (type == kSynStreamType) {
    if (payload.size() < 10) return malformed("a stream without an id");
    out.type = FrameType::kSynStream;
    TRY(const std::string block, inflater_->unpack(payload.substr(10)));
    TRY(out.headers, read_headers(block));
  } else if (type == kResetType) {
    out.type = FrameType::kReset;
  } else if (type == kPingType) {
    out.type = FrameType::kPing;
  } else if (type == kGoAwayType) {
    out.type = FrameType::kGoAway;
  } else {
    return out;
  }
  if (payload.size() < 4) return malformed("a frame ends early");
  out.id = read32(payload, 0) & (type == kPingType ? 0xffffffffu : 0x7fffffffu);
  return out;
}

struct Encoder::Deflater {
  z_stream stream{};
  Deflater() {
    deflateInit(&stream, Z_BEST_SPEED);
    deflateSetDictionary(&stream, bytes_of(dictionary()), uInt(dictionary().size()));
  }
  ~Deflater() { deflateEnd(&stream); }

  std::string pack(std::string_view block) {
    std::string out(deflateBound(&stream, uLong(block.size())) + 64, '\0');
    stream.next_in = const_cast<Bytef*>(bytes_of(block));
    stream.avail_in = uInt(block.size());
    stream.next_out = reinterpret_cast<Bytef*>(out.data());
    stream.avail_out = uInt(out.size());
    deflate(&stream, Z_SYNC_FLUSH);
    out.resize(out.size() - stream.avail_out);
    return out;
  }
};

Encoder::Encoder() : deflater_(std::make_unique<Deflater>()) {}
Encoder::~Encoder() = default;

std::string Encoder::data(uint32_t stream, std::string_view bytes, bool fin) {
  std::string out;
  write32(out, stream & 0x7fffffffu);
  write32(out, uint32_t(fin ? kFin : 0) << 24 | uint32_t(bytes.size()));
  return out.append(bytes);
}

std::string Encoder::ping(uint32_t id) {
  std::string payload;
  write32(payload, id);
  return control_frame(kPingType, payload);
}

std::string Encoder::reset(uint32_t stream) {
  std::string payload;
  write32(payload, stream);
  write32(payload, kProtocolError);
  return control_frame(kResetType, payload);
}

std::string Encoder::reply(uint32_t stream) {
  std::string payload;
  write32(payload, stream);
  std::string none;
  write32(none, 0);  // headers
  return control_frame(kSynReplyType, payload + deflater_->pack(none));
}

}  // namespace atl::net::spdy
