#include "base/net/test_peers.h"

// HTTP/2 by hand: frames that no library would send, to a server without TLS (prior knowledge).
namespace atl::net {
namespace {

enum Type : uint8_t {
  kData = 0,
  kHeaders = 1,
  kPriority = 2,
  kRst = 3,
  kSettings = 4,
  kPing = 6,
  kGoaway = 7,
  kWindowUpdate = 8,
  kContinuation = 9
};
enum Flag : uint8_t { kNone = 0, kAck = 1, kEndStream = 1, kEndHeaders = 4 };

std::string big_endian(uint32_t value, int bytes) {
  std::string out;
  for (int shift = (bytes - 1) * 8; shift >= 0; shift -= 8)
    out.push_back(static_cast<char>(value >> shift & 0xff));
  return out;
}

std::string frame(Type type, int flags, uint32_t stream, std::string_view payload) {
  return big_endian(static_cast<uint32_t>(payload.size()), 3) + static_cast<char>(type) +
         static_cast<char>(flags) + big_endian(stream, 4) + std::string(payload);
}

// A literal field that is not indexed (RFC 7541 6.2.2), both strings shorter than 127 bytes.
std::string field(std::string_view name, std::string_view value) {
  std::string out(1, '\0');
  for (const std::string_view text : {name, value})
    out.append(1, static_cast<char>(text.size())).append(text);
  return out;
}

std::string request(std::string_view path, std::string_view more = {},
                    std::string_view method = "GET") {
  return field(":method", method) + field(":scheme", "http") + field(":path", path) +
         field(":authority", "x") + std::string(more);
}

const std::string kPreface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(kSettings, kNone, 0, "");

// The frames as words: "HEADERS 1; DATA 1 5; RST 1 8; GOAWAY 1".
std::string transcript(std::string_view bytes) {
  std::string out;
  const auto number = [](std::string_view text) {
    uint32_t value = 0;
    for (const char c : text) value = value << 8 | static_cast<unsigned char>(c);
    return std::to_string(value);
  };
  while (bytes.size() >= 9) {
    const size_t size = std::stoul(number(bytes.substr(0, 3)));
    const auto type = static_cast<uint8_t>(bytes[3]);
    const std::string stream = number(bytes.substr(5, 4));
    if (bytes.size() < 9 + size) break;
    const std::string_view payload = bytes.substr(9, size);
    if (type == kHeaders) out += "HEADERS " + stream + "; ";
    if (type == kData) out += "DATA " + stream + " " + std::to_string(size) + "; ";
    if (type == kRst) out += "RST " + stream + " " + number(payload) + "; ";
    if (type == kGoaway) out += "GOAWAY " + number(payload.substr(4, 4)) + "; ";
    bytes.remove_prefix(9 + size);
  }
  return out;
}

class Http2Wire : public NetTest {
 protected:
  // Sends the bytes and reads until the transcript contains `want`, or to the end.
  Task<std::string> exchange(uint16_t port, std::string bytes, std::string want) {
    CO_TRY(const auto stream, co_await connect(*timer_, plain(port), 10s));
    const Result<> written = co_await stream->write(bytes);
    TaskGroup watchdog(loop_.get_executor());
    watchdog.spawn("give up", [&]() -> Async<void> {
      const bool late = co_await system_timer_.sleep_for(3s);
      if (late) stream->close();
    });
    std::string all;
    std::string buffer(16 * 1024, 0);
    while (want.empty() || transcript(all).find(want) == std::string::npos) {
      const auto count = co_await stream->read_some(buffer);
      if (!count || *count == 0) break;
      all.append(buffer, 0, *count);
    }
    co_await watchdog.stop();
    co_return transcript(all) + (written ? "" : "(not all was taken)");
  }
};

std::string repeat(const std::string& text, int times) {
  std::string out;
  for (int i = 0; i < times; ++i) out += text;
  return out;
}

TEST_F(Http2Wire, WhatIsWrongEndsTheStreamOrTheConnection) {
  const uint16_t port = serve_paths();
  const int whole = kEndStream | kEndHeaders;
  struct Case {
    const char* name;
    std::string bytes;
    const char* want;
  };
  const Case cases[] = {
      {"a right request", frame(kHeaders, whole, 1, request("/hello")), "HEADERS 1; DATA 1 5; "},
      {"a head in two frames",
       frame(kHeaders, kEndStream, 1, request("/hello").substr(0, 20)) +
           frame(kContinuation, kEndHeaders, 1, request("/hello").substr(20)),
       "HEADERS 1; DATA 1 5; "},
      {"data on the connection", frame(kData, kEndStream, 0, "x"), "GOAWAY 1; "},
      {"data on a stream never opened", frame(kData, kEndStream, 5, "x"), "GOAWAY 1; "},
      {"a stream number of a server", frame(kHeaders, whole, 2, request("/hello")), "GOAWAY 1; "},
      {"a frame of 16385 bytes", frame(kData, kNone, 1, std::string(16'385, 'x')), "GOAWAY 6; "},
      {"an index of no field", frame(kHeaders, whole, 1, "\xff\xff\xff\x7f"), "GOAWAY 9; "},
      {"another frame inside a head",
       frame(kHeaders, kNone, 1, request("/hello")) + frame(kPing, kNone, 0, "12345678"),
       "GOAWAY 1; "},
      {"a ping of 7 bytes", frame(kPing, kNone, 0, "1234567"), "GOAWAY 6; "},
      {"a window that overflows", frame(kWindowUpdate, kNone, 0, "\x7f\xff\xff\xff"), "GOAWAY 3; "},
      {"an upper-case name", frame(kHeaders, whole, 1, request("/hello", field("X-A", "b"))),
       "RST 1 1; "},
      {"a connection field",
       frame(kHeaders, whole, 1, request("/hello", field("connection", "close"))), "RST 1 1; "},
      {"no path", frame(kHeaders, whole, 1, field(":method", "GET") + field(":scheme", "http")),
       "RST 1 1; "},
      {"a path that is none", frame(kHeaders, whole, 1, request("hello")), "RST 1 1; "},
      {"a control character in a value",
       frame(kHeaders, whole, 1, request("/hello", field("a", "b\nc"))), "RST 1 1; "},
      {"less body than promised",
       frame(kHeaders, kEndHeaders, 1, request("/echo", field("content-length", "5"), "POST")) +
           frame(kData, kEndStream, 1, "abc"),
       "RST 1 1; "},
      {"two paths", frame(kHeaders, whole, 1, request("/hello", field(":path", "/echo"))),
       "RST 1 1; "},
      {"a method with a blank", frame(kHeaders, whole, 1, request("/hello", {}, "GE T")),
       "RST 1 1; "},
  };
  go([&]() -> Task<> {
    for (const Case& c : cases) {
      SCOPED_TRACE(c.name);
      CO_TRY(const std::string seen, co_await exchange(port, kPreface + c.bytes, c.want));
      EXPECT_NE(seen.find(c.want), std::string::npos) << seen;
    }
    const bool over = co_await eventually([&] { return started_ == ended_; });
    EXPECT_TRUE(over);
    co_return Unit{};
  });
}

TEST_F(Http2Wire, LongHeadsAreAnsweredWith431) {
  const uint16_t port = serve_paths({.limits = {.header_bytes = 1'000}});
  go([&]() -> Task<> {
    std::string fields;
    for (int i = 0; i < 20; ++i) fields += field("a" + std::to_string(i), std::string(100, 'b'));
    CO_TRY(const std::string seen,
           co_await exchange(
               port,
               kPreface + frame(kHeaders, kEndStream | kEndHeaders, 1, request("/hello", fields)),
               "DATA 1 24; "));
    EXPECT_NE(seen.find("DATA 1 24; "), std::string::npos) << seen;  // "the header is too large\n"
    EXPECT_EQ(started_, 0);
    co_return Unit{};
  });
}

TEST_F(Http2Wire, FloodsAreCutOff) {
  const uint16_t port = serve_paths();
  std::string resets;
  for (uint32_t id = 1; id < 12'000; id += 2) {
    resets += frame(kHeaders, kEndStream | kEndHeaders, id, request("/never")) +
              frame(kRst, kNone, id, big_endian(8, 4));
  }
  struct Case {
    const char* name;
    std::string bytes;
  };
  const Case cases[] = {
      {"pings", repeat(frame(kPing, kNone, 0, "12345678"), 5'000)},
      {"settings", repeat(frame(kSettings, kNone, 0, ""), 5'000)},
      {"empty data", frame(kHeaders, kEndHeaders, 1, request("/never", {}, "POST")) +
                         repeat(frame(kData, kNone, 1, ""), 5'000)},
      {"continuations", frame(kHeaders, kNone, 1, request("/hello")) +
                            repeat(frame(kContinuation, kNone, 1, ""), 100)},
      {"requests taken back at once", resets},
  };
  go([&]() -> Task<> {
    for (const Case& c : cases) {
      SCOPED_TRACE(c.name);
      started_ = ended_ = 0;
      CO_TRY(const std::string seen, co_await exchange(port, kPreface + c.bytes, "GOAWAY"));
      EXPECT_NE(seen.find("GOAWAY"), std::string::npos) << seen.substr(0, 200);
      const bool over = co_await eventually(
          [&] { return started_ == ended_ && servers_.front()->connections() == 0; });
      EXPECT_TRUE(over);
      EXPECT_LE(started_, 2'100);
    }
    co_return Unit{};
  });
}

TEST_F(Http2Wire, StreamsPastTheLimitAreRefused) {
  const uint16_t port = serve_paths({.limits = {.streams_per_connection = 3}});
  go([&]() -> Task<> {
    std::string requests;
    for (uint32_t id = 1; id <= 9; id += 2) {
      requests += frame(kHeaders, kEndStream | kEndHeaders, id, request("/never"));
    }
    // Who has not seen the limit yet is refused and may try again; who has, is sent away.
    CO_TRY(const std::string unaware, co_await exchange(port, kPreface + requests, "RST 9 7; "));
    EXPECT_EQ(unaware, "RST 7 7; RST 9 7; ");
    EXPECT_LE(started_, 3);
    const std::string acknowledged = frame(kSettings, kAck, 0, "");
    CO_TRY(const auto stream, co_await connect(*timer_, plain(port), 10s));
    CO_TRY_OK(co_await stream->write(kPreface));
    std::string buffer(1024, 0);
    CO_TRY(const size_t settings, co_await stream->read_some(buffer));
    EXPECT_GT(settings, 9u);
    CO_TRY_OK(co_await stream->write(acknowledged + requests));
    CO_TRY(const std::string rest, co_await read_to_end(*stream));
    EXPECT_NE(transcript(rest).find("GOAWAY 1; "), std::string::npos) << transcript(rest);
    co_return Unit{};
  });
}

}  // namespace
}  // namespace atl::net
