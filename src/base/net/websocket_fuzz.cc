#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "base/core/check.h"
#include "base/net/websocket_frame_impl.h"

// The first byte says who sends; the rest is what arrives. Cut anywhere, the decoder gives the same
// messages and the same fault; what it accepts survives being encoded again.
namespace {

using atl::net::WebSocketDecoder;

struct Outcome {
  std::vector<WebSocketDecoder::Item> items;
  uint16_t fault = 0;
  bool operator==(const Outcome&) const = default;
};

Outcome decode(std::string_view bytes, WebSocketDecoder::From from, size_t step) {
  WebSocketDecoder decoder(from, 64 * 1024);
  Outcome out;
  while (!bytes.empty() && out.fault == 0) {
    const auto fed = decoder.feed(bytes.substr(0, step));
    if (!fed) out.fault = fed.error().code;
    bytes.remove_prefix(std::min(step, bytes.size()));
    while (auto item = decoder.next()) out.items.push_back(*std::move(item));
  }
  return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const auto from =
      data[0] % 2 == 0 ? WebSocketDecoder::From::kClient : WebSocketDecoder::From::kServer;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  const Outcome whole = decode(bytes, from, bytes.size());
  const Outcome cut = decode(bytes, from, 1);
  CHECK(whole == cut);
  for (const auto& item : whole.items) {
    WebSocketDecoder again(WebSocketDecoder::From::kServer, 64 * 1024);
    CHECK(again.feed(encode_frame(item.opcode, item.payload, std::nullopt)).has_value());
    const auto back = again.next();
    CHECK(back && *back == item);
  }
  return 0;
}
