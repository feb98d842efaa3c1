#include "base/net/spdy.h"

#include <gtest/gtest.h>

namespace atl::net::spdy {
namespace {

std::string from_hex(std::string_view hex) {
  std::string out;
  for (size_t i = 0; i + 1 < hex.size(); i += 2)
    out += char(std::stoi(std::string(hex.substr(i, 2)), nullptr, 16));
  return out;
}

// Two streams as kubectl's library opens them for one forwarded connection, with its compression
// going on from the first to the second; then five bytes, and the end.
const char* const kRecorded =
    "800300010000003e0000000100000000000078f9e3c6a7c202253a703a2b294a4dcc851625aca9a0"
    "808614cb45e01c60616061c0c0c0c0590489c64c50f2663407000000ffff80030001000000180000"
    "0003000000000000c2aa19540e2512d60b000000ffff000000030000000568656c6c6f8003000600"
    "000004000000010000000301000000";

TEST(Spdy, ReadsWhatKubectlSends) {
  for (const size_t step : {size_t(1), size_t(7), size_t(4096)}) {
    SCOPED_TRACE(step);
    Decoder decoder;
    std::vector<Frame> frames;
    const std::string bytes = from_hex(kRecorded);
    for (size_t at = 0; at < bytes.size(); at += step) {
      decoder.feed(std::string_view(bytes).substr(at, step));
      for (;;) {
        auto frame = decoder.next();
        ASSERT_TRUE(frame) << frame.error().message();
        if (!*frame) break;
        frames.push_back(**std::move(frame));
      }
    }
    ASSERT_EQ(frames.size(), 5u);
    EXPECT_EQ(frames[0].type, FrameType::kSynStream);
    EXPECT_EQ(frames[0].id, 1u);
    EXPECT_EQ(frames[0].headers.at("streamtype"), "error");
    EXPECT_EQ(frames[0].headers.at("port"), "8080");
    EXPECT_EQ(frames[0].headers.at("requestid"), "7");
    EXPECT_EQ(frames[1].id, 3u);
    EXPECT_EQ(frames[1].headers.at("streamtype"), "data");
    EXPECT_EQ(frames[2].type, FrameType::kData);
    EXPECT_EQ(frames[2].data, "hello");
    EXPECT_FALSE(frames[2].fin);
    EXPECT_EQ(frames[3].type, FrameType::kPing);
    EXPECT_EQ(frames[3].id, 1u);
    EXPECT_TRUE(frames[4].fin);
  }
}

TEST(Spdy, RefusesWhatIsNone) {
  const std::pair<const char*, const char*> rows[] = {
      {"another version", "8002000100000000"},
      {"a stream without an id",
       "8003000100000004"
       "00000001"},
      {"headers that cannot be unpacked",
       "800300010000000e"
       "00000001000000000000"
       "ffffffff"},
      {"a frame that is too long", "0000000100ffffff"},
  };
  for (const auto& [sentence, hex] : rows) {
    SCOPED_TRACE(sentence);
    Decoder decoder;
    decoder.feed(from_hex(hex));
    EXPECT_FALSE(decoder.next());
  }
}

TEST(Spdy, WritesFrames) {
  EXPECT_EQ(Encoder::data(3, "ab", true), from_hex("0000000301000002") + "ab");
  EXPECT_EQ(Encoder::ping(9), from_hex("800300060000000400000009"));
  EXPECT_EQ(Encoder::reset(3), from_hex("80030003000000080000000300000001"));
  Encoder encoder;
  EXPECT_EQ(encoder.reply(1).substr(0, 4), from_hex("80030002"));
}

}  // namespace
}  // namespace atl::net::spdy
