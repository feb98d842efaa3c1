#include "base/net/websocket.h"

#include "base/net/test_peers.h"
#include "base/net/websocket_frame_impl.h"

namespace atl::net {
namespace {

using From = WebSocketDecoder::From;

TEST(WebSocketFrames, StrictDecoding) {
  struct Case {
    const char* name;
    std::string bytes;
    uint16_t fault;                     // 0: none
    std::vector<std::string> payloads;  // of what was decoded before it
  };
  const std::string nul(1, '\0');
  const Case cases[] = {
      {"a text", "\x81\x05hello", 0, {"hello"}},
      {"an empty text", "\x81" + nul, 0, {""}},
      {"a message in three fragments",
       "\x01\x03"
       "abc" +
           nul +
           "\x02"
           "de\x80\x01"
           "f",
       0,
       {"abcdef"}},
      {"a ping between fragments comes first",
       "\x01\x01"
       "a\x89\x01"
       "p\x80\x01"
       "b",
       0,
       {"p", "ab"}},
      {"16 bits of length",
       "\x82\x7e" + nul + "\x80" + std::string(128, 'x'),
       0,
       {std::string(128, 'x')}},
      {"a close with code and reason", "\x88\x04\x03\xe8ok", 0, {"\x03\xe8ok"}},
      {"an empty close", "\x88" + nul, 0, {""}},
      {"UTF-8 cut by fragments is whole again", "\x01\x01\xc3\x80\x01\xa4", 0, {"\xc3\xa4"}},
      {"a reserved bit", "\xc1" + nul, 1002, {}},
      {"an unknown opcode", "\x83" + nul, 1002, {}},
      {"an unknown control opcode", "\x8b" + nul, 1002, {}},
      {"a server that masks",
       "\x81\x80"
       "mask",
       1002,
       {}},
      {"a continuation of nothing", "\x80" + nul, 1002, {}},
      {"a message inside a message",
       "\x01\x01"
       "a\x81\x01"
       "b",
       1002,
       {}},
      {"a fragmented ping", "\x09" + nul, 1002, {}},
      {"a ping of 126 bytes", "\x89\x7e" + nul + "\x7e", 1002, {}},
      {"a length not the shortest", "\x82\x7e" + nul + "\x05hello", 1002, {}},
      {"a 64-bit length not the shortest",
       "\x82\x7f" + std::string(7, '\0') + "\x05hello",
       1002,
       {}},
      {"a length with the top bit", "\x82\x7f\x80" + std::string(7, '\0'), 1002, {}},
      {"a close of one byte", "\x88\x01x", 1002, {}},
      {"a close code that is none", "\x88\x02\x03\xed", 1002, {}},
      {"text that is not UTF-8", "\x81\x02\xc3(", 1007, {}},
      {"a surrogate", "\x81\x03\xed\xa0\x80", 1007, {}},
      {"an overlong slash", "\x81\x02\xc0\xaf", 1007, {}},
      {"a reason that is not UTF-8", "\x88\x03\x03\xe8\xff", 1007, {}},
      {"a message past the limit", "\x82\x7e\x01\x01", 1009, {}},
      {"fragments past the limit",
       "\x02\x7e\x01" + nul + std::string(256, 'x') + "\x80\x01x",
       1009,
       {}},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name);
    WebSocketDecoder decoder(From::kServer, 256);
    const auto fed = decoder.feed(c.bytes);
    EXPECT_EQ(fed ? 0 : fed.error().code, c.fault);
    std::vector<std::string> payloads;
    while (auto item = decoder.next()) payloads.push_back(item->payload);
    EXPECT_EQ(payloads, c.payloads);
  }
}

TEST(WebSocketFrames, MaskedFramesComeBack) {
  for (const size_t size : {0, 1, 125, 126, 65'535, 65'536, 100'000}) {
    SCOPED_TRACE(size);
    const std::string payload(size, 'm');
    WebSocketDecoder decoder(From::kClient, 1 << 20);
    const std::string frame =
        encode_frame(WebSocketOpcode::kBinary, payload, WebSocketMask{1, 2, 3, 4});
    if (size > 0) EXPECT_EQ(frame.find("mmmm"), std::string::npos);
    ASSERT_TRUE(decoder.feed(frame));
    EXPECT_EQ(decoder.next()->payload, payload);
  }
  WebSocketDecoder decoder(From::kClient, 100);
  EXPECT_EQ(decoder.feed("\x81\x05hello").error().text, "a client must mask");
}

TEST(WebSocketFrames, LongReasonsAreCutBetweenCharacters) {
  std::string reason;
  for (int i = 0; i < 50; ++i) reason += "\xe2\x82\xac";  // 150 bytes
  const std::string payload = close_payload(1000, reason);
  EXPECT_EQ(payload.size(), 2u + 123u);
  EXPECT_TRUE(is_utf8(std::string_view(payload).substr(2)));
}

class WebSockets : public NetTest {
 protected:
  // Echoes until the client closes; the first message "bye" makes the server close.
  uint16_t serve_echo(ServerOptions options = {}) {
    Server& server = serve(
        [this](Request request, Responder& responder) -> Async<void> {
          const Result<> result = co_await echo(request, responder);
          last_ = result ? "closed" : result.error().message();
          if (!result && !responder.answered()) {
            const Result<> sent =
                co_await responder.send({400, {}, {share(result.error().message())}});
            EXPECT_TRUE(sent);
          }
        },
        std::move(options));
    return *server.listen_tcp("127.0.0.1", 0);
  }

  Task<> echo(const Request& request, Responder& responder) {
    const auto offered = WebSocket::offered(request);
    const std::string subprotocol = offered.empty() ? "" : offered.back();
    CO_TRY(const auto socket, co_await WebSocket::accept(request, responder, subprotocol, 1 << 20));
    while (true) {
      CO_TRY(auto message, co_await socket->read());
      if (!message) co_return Unit{};
      if (message->data == "bye") CO_TRY_OK(co_await socket->close(4000, "as you like"));
      if (message->data != "bye") CO_TRY_OK(co_await socket->write(*std::move(message)));
    }
  }

  std::string last_;
};

TEST_F(WebSockets, EchoOverClearAndTls) {
  const uint16_t clear = serve_echo();
  const uint16_t tls = serve_echo({.tls = certificates_.server_identity()});
  go([&]() -> Task<> {
    for (const Endpoint& endpoint : {plain(clear), certificates_.endpoint(tls)}) {
      const auto peer = client(endpoint);
      CO_TRY(const auto socket,
             co_await WebSocket::connect(*peer, {.target = "/"}, {"v4", "v5"}, 10s));
      EXPECT_EQ(socket->subprotocol(), "v5");
      for (const size_t size : {0, 5, 1'000, 70'000, 1'000'000}) {
        CO_TRY_OK(co_await socket->write({.text = size == 5, .data = std::string(size, 'x')}));
        CO_TRY(const auto back, co_await socket->read());
        CO_TRY(const auto message, back ? Result<WebSocket::Message>(*back)
                                        : Error(Code::kUnavailable, "closed early"));
        EXPECT_EQ(message.data.size(), size);
        EXPECT_EQ(message.text, size == 5);
      }
      CO_TRY_OK(co_await socket->close(1000, "done"));
      CO_TRY(const auto end, co_await socket->read());
      EXPECT_FALSE(end);
      const bool ended = co_await eventually([&] { return last_ == "closed"; });
      EXPECT_TRUE(ended);
    }
    co_return Unit{};
  });
}

TEST_F(WebSockets, TheServerMayClose) {
  const uint16_t port = serve_echo();
  go([&]() -> Task<> {
    const auto peer = client(plain(port));
    CO_TRY(const auto socket, co_await WebSocket::connect(*peer, {}, {}, 10s));
    EXPECT_EQ(socket->subprotocol(), "");
    CO_TRY_OK(co_await socket->write({.text = true, .data = "bye"}));
    CO_TRY(const auto end, co_await socket->read());
    EXPECT_FALSE(end);
    const Result<> late = co_await socket->write({.text = true, .data = "more"});
    EXPECT_EQ(late.error().code(), Code::kUnavailable);
    co_return Unit{};
  });
}

TEST_F(WebSockets, TooLargeAndBrokenMessagesEndTheConnection) {
  const uint16_t port = serve_echo();
  go([&]() -> Task<> {
    const auto peer = client(plain(port));
    CO_TRY(const auto socket, co_await WebSocket::connect(*peer, {}, {}, 10s));
    CO_TRY_OK(co_await socket->write({.text = false, .data = std::string((1 << 20) + 1, 'x')}));
    const auto end = co_await socket->read();
    EXPECT_TRUE(!end || !*end);
    const bool told =
        co_await eventually([&] { return last_ == "WebSocket: the message is too large"; });
    EXPECT_TRUE(told) << last_;
    const Result<> bad = co_await socket->write({.text = true, .data = "\xff"});
    EXPECT_EQ(bad.error().code(), Code::kBadRequest);
    co_return Unit{};
  });
}

TEST_F(WebSockets, HandshakesAreChecked) {
  const uint16_t port = serve_echo();
  const std::string good_key = "dGhlIHNhbXBsZSBub25jZQ==";
  struct Case {
    const char* name;
    const char* method;
    Headers headers;
    const char* want;
  };
  const Headers upgrade{{"upgrade", "websocket"}};
  const auto with = [&](std::string version, std::string key) {
    return Headers{
        {"upgrade", "websocket"}, {"sec-websocket-version", version}, {"sec-websocket-key", key}};
  };
  const Case cases[] = {
      {"no upgrade", "GET", {}, "400 the request asks for no WebSocket"},
      {"not GET", "POST", with("13", good_key), "400 a WebSocket begins with GET"},
      {"an old version", "GET", with("8", good_key), "400 Sec-WebSocket-Version must be 13"},
      {"a short key", "GET", with("13", "YWJj"),
       "400 Sec-WebSocket-Key must be 16 bytes in base64"},
      {"no key", "GET", with("13", ""), "400 Sec-WebSocket-Key must be 16 bytes in base64"},
      {"another protocol", "GET", {{"upgrade", "h2c"}}, "400 the request asks for no WebSocket"},
  };
  go([&]() -> Task<> {
    const auto peer = client(plain(port));
    for (const Case& c : cases) {
      SCOPED_TRACE(c.name);
      CO_TRY(const auto answer,
             co_await peer->upgrade({.method = c.method, .headers = c.headers}, 10s));
      EXPECT_EQ(answer.status, 400);
      CO_TRY(const std::string body, co_await answer.body->read_all(1000));
      EXPECT_EQ("400 " + body, c.want);
    }
    // The example of RFC 6455 1.3.
    CO_TRY(const auto answer, co_await peer->upgrade({.headers = with("13", good_key)}, 10s));
    EXPECT_EQ(answer.status, 101);
    EXPECT_EQ(answer.headers.get("sec-websocket-accept"), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    co_return Unit{};
  });
}

TEST_F(WebSockets, TheClientRefusesAServerThatIsNone) {
  Server& server = serve([](Request request, Responder& responder) -> Async<void> {
    if (request.path == "/403") {
      const Result<> sent = co_await responder.send({403, {}, {share("no")}});
      EXPECT_TRUE(sent);
      co_return;
    }
    const auto stream =
        co_await responder.upgrade({{"upgrade", "websocket"}, {"sec-websocket-accept", "wrong"}});
    EXPECT_TRUE(stream);
  });
  const uint16_t port = *server.listen_tcp("127.0.0.1", 0);
  go([&]() -> Task<> {
    const auto peer = client(plain(port));
    const auto wrong = co_await WebSocket::connect(*peer, {.target = "/"}, {}, 10s);
    EXPECT_EQ(wrong.error().message(), "the server's answer is no WebSocket handshake");
    const auto forbidden = co_await WebSocket::connect(*peer, {.target = "/403"}, {}, 10s);
    EXPECT_EQ(forbidden.error().code(), Code::kForbidden);
    EXPECT_EQ(forbidden.error().message(), "the server refused the WebSocket with 403: no");
    co_return Unit{};
  });
}

TEST_F(WebSockets, PingsAreAnsweredWhileReading) {
  const uint16_t port = serve_echo();
  go([&]() -> Task<> {
    const auto peer = client(plain(port));
    const Headers headers{{"upgrade", "websocket"},
                          {"sec-websocket-version", "13"},
                          {"sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="}};
    CO_TRY(const auto raw, co_await peer->upgrade({.headers = headers}, 10s));
    const std::string ping =
        encode_frame(WebSocketOpcode::kPing, "are you there", WebSocketMask{9, 8, 7, 6});
    CO_TRY_OK(co_await raw.stream->write(ping));
    WebSocketDecoder decoder(From::kServer, 1000);
    std::optional<WebSocketDecoder::Item> item;
    std::string buffer(100, 0);
    while (!item) {
      CO_TRY(const size_t count, co_await raw.stream->read_some(buffer));
      if (count == 0) co_return Error(Code::kUnavailable, "closed instead of a pong");
      EXPECT_TRUE(decoder.feed(std::string_view(buffer).substr(0, count)));
      item = decoder.next();
    }
    EXPECT_EQ(item->opcode, WebSocketOpcode::kPong);
    EXPECT_EQ(item->payload, "are you there");
    co_return Unit{};
  });
}

}  // namespace
}  // namespace atl::net
