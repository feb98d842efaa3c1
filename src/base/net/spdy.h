#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/core/result.h"

// SPDY/3.1 framing, as far as Kubernetes' port forwarding needs it: streams that the client opens,
// data both ways, ends, pings. No flow control: neither kubectl nor the kubelet does any.
// Format: draft-mbelshe-httpbis-spdy-00, section 2.
namespace atl::net::spdy {

enum class FrameType : uint8_t { kData, kSynStream, kReset, kPing, kGoAway, kOther };

struct Frame {
  FrameType type = FrameType::kOther;
  uint32_t id = 0;   // of the stream, or of the ping
  bool fin = false;  // the sender says no more on this stream
  std::string data;
  std::map<std::string, std::string> headers;  // of kSynStream; names in lower case
};

// Cuts frames out of bytes as they arrive. Limits: a frame of kFrameBytesMax, headers of
// kHeaderBytesMax when unpacked (kTooLarge). kBadRequest: these are no SPDY frames, and nothing
// after them can be read. Value of one connection.
class Decoder {
 public:
  static constexpr size_t kFrameBytesMax = 1 << 20;
  static constexpr size_t kHeaderBytesMax = 64 * 1024;

  Decoder();
  ~Decoder();
  void feed(std::string_view bytes) { buffer_ += bytes; }
  // Nothing until the rest of the frame has been fed.
  Result<std::optional<Frame>> next();

 private:
  struct Inflater;
  Result<Frame> control(std::string_view frame);

  std::string buffer_;
  std::unique_ptr<Inflater> inflater_;
};

// Frames to send. Replies share one compression state: they are sent in the order they were made.
class Encoder {
 public:
  Encoder();
  ~Encoder();
  static std::string data(uint32_t stream, std::string_view bytes, bool fin);
  static std::string ping(uint32_t id);
  static std::string reset(uint32_t stream);
  // Accepts a stream, with no headers of its own.
  std::string reply(uint32_t stream);

 private:
  struct Deflater;
  std::unique_ptr<Deflater> deflater_;
};

}  // namespace atl::net::spdy
