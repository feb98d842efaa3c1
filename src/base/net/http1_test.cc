#include <sys/socket.h>

#include "base/net/test_peers.h"

namespace atl::net {
namespace {

class Http1 : public NetTest {};

TEST_F(Http1, AnswersOverOneConnection) {
  const uint16_t port = serve_paths();
  go([&]() -> Task<> {
    const auto peer = client(plain(port));
    const std::pair<ClientRequest, std::string> cases[] = {
        {{.target = "/hello"}, "200 hello"},
        {{.method = "POST", .target = "/echo", .body = "abc"}, "200 abc"},
        {{.target = "/lines?n=3"}, "200 line 0\nline 1\nline 2\n"},
        {{.method = "HEAD", .target = "/hello"}, "200 "},
        {{.method = "HEAD", .target = "/lines?n=3"}, "200 "},
        {{.target = "/empty"}, "204 "},
        {{.target = "/throw"}, "500 the request failed\n"},
        {{.target = "/silent"}, "500 the request was not answered\n"},
        {{.target = "/bad-header"}, "500 the request was not answered\n"},
        {{.target = "/peer"}, "200 clear"},
        {{.target = "/nowhere"}, "404 no such path"},
    };
    for (const auto& [request, want] : cases) {
      CO_TRY(const std::string got, co_await fetch(*peer, request));
      EXPECT_EQ(got, want) << request.method << " " << request.target;
    }
    EXPECT_EQ(servers_.front()->connections(), 1u);
    co_return Unit{};
  });
}

TEST_F(Http1, LargeBodiesBothWays) {
  const uint16_t port = serve_paths();
  go([&]() -> Task<> {
    const auto peer = client(plain(port));
    const std::string big(8 << 20, 'x');
    CO_TRY(const std::string echoed,
           co_await fetch(*peer, {.method = "PUT", .target = "/echo", .body = big}));
    EXPECT_TRUE(echoed == "200 " + big);
    co_return Unit{};
  });
}

struct RawCase {
  const char* name;
  std::string bytes;
  std::string begins;  // of what comes back
};

// Bytes that no library would send. Each is answered, and the connection closes.
TEST_F(Http1, BadInputIsRefused) {
  const uint16_t port = serve_paths();
  const std::string get = "GET /hello HTTP/1.1\r\n";
  const std::string post = "POST /echo HTTP/1.1\r\nhost: x\r\n";
  const RawCase cases[] = {
      {"no Host", get + "\r\n", "HTTP/1.1 400 Bad Request"},
      {"two Hosts", get + "host: a\r\nhost: b\r\n\r\n", "HTTP/1.1 400"},
      {"a Host with a path", get + "host: a/b\r\n\r\n", "HTTP/1.1 400"},
      {"a folded line", get + "host: x\r\na: b\r\n c\r\n\r\n", "HTTP/1.1 400"},
      {"a folded line after an empty one", get + "host: x\r\na:\r\n c\r\n\r\n", "HTTP/1.1 400"},
      {"a blank before the colon", get + "host : x\r\n\r\n", "HTTP/1.1 400"},
      {"a line without a colon", get + "host\r\n\r\n", "HTTP/1.1 400"},
      {"a control character in a value", get + "host: x\r\na: b\x01\r\n\r\n", "HTTP/1.1 400"},
      {"a lone line feed", "GET /hello HTTP/1.1\nhost: x\n\n", "HTTP/1.1 505"},
      {"a lone carriage return", get + "host: x\r\na: b\rc\r\n\r\n", "HTTP/1.1 400"},
      {"junk instead of a version", "GET /hello JUNK/1.1\r\nhost: x\r\n\r\n", "HTTP/1.1 505"},
      {"HTTP/2.0 in a request line", "GET /hello HTTP/2.0\r\nhost: x\r\n\r\n", "HTTP/1.1 505"},
      {"HTTP/0.9", "GET /hello\r\n\r\n", "HTTP/1.1 400"},
      {"no method", " /hello HTTP/1.1\r\nhost: x\r\n\r\n", "HTTP/1.1 400"},
      {"a target without a slash", "GET hello HTTP/1.1\r\nhost: x\r\n\r\n", "HTTP/1.1 400"},
      {"CONNECT", "CONNECT x:80 HTTP/1.1\r\nhost: x:80\r\n\r\n", "HTTP/1.1 400"},
      {"a fragment in the target", "GET /a#b HTTP/1.1\r\nhost: x\r\n\r\n", "HTTP/1.1 400"},
      {"bytes beyond ASCII in the target", "GET /\xc3\xa4 HTTP/1.1\r\nhost: x\r\n\r\n",
       "HTTP/1.1 400"},
      {"a TLS hello", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", "HTTP/1.1 400"},
      {"length and chunks",
       post + "content-length: 3\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n", "HTTP/1.1 400"},
      {"chunks and length",
       post + "transfer-encoding: chunked\r\ncontent-length: 3\r\n\r\n0\r\n\r\n", "HTTP/1.1 400"},
      {"two lengths", post + "content-length: 3\r\ncontent-length: 4\r\n\r\nabcd", "HTTP/1.1 400"},
      {"the same length twice", post + "content-length: 3\r\ncontent-length: 3\r\n\r\nabc",
       "HTTP/1.1 400"},
      {"a list of lengths", post + "content-length: 3, 3\r\n\r\nabc", "HTTP/1.1 400"},
      {"a signed length", post + "content-length: +3\r\n\r\nabc", "HTTP/1.1 400"},
      {"a negative length", post + "content-length: -3\r\n\r\nabc", "HTTP/1.1 400"},
      {"an overflowing length", post + "content-length: 99999999999999999999\r\n\r\nabc",
       "HTTP/1.1 400"},
      {"an empty length", post + "content-length:\r\n\r\n", "HTTP/1.1 400"},
      {"an unknown coding", post + "transfer-encoding: gzip\r\n\r\nabc", "HTTP/1.1 501"},
      {"a coding before chunked", post + "transfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
       "HTTP/1.1 501"},
      {"chunked twice", post + "transfer-encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
       "HTTP/1.1 501"},
      {"chunks in HTTP/1.0", "POST /echo HTTP/1.0\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
       "HTTP/1.1 400"},
      {"a chunk size that is none",
       post + "transfer-encoding: chunked\r\n\r\nxyz\r\nabc\r\n0\r\n\r\n", "HTTP/1.1 400"},
      {"a chunk longer than it says",
       post + "transfer-encoding: chunked\r\n\r\n2\r\nabc\r\n0\r\n\r\n", "HTTP/1.1 400"},
      {"a chunk size that overflows",
       post + "transfer-encoding: chunked\r\n\r\nfffffffffffffffff\r\n", "HTTP/1.1 400"},
      {"a chunk extension without end",
       post + "transfer-encoding: chunked\r\n\r\n2;" + std::string(10'000, 'e'), "HTTP/1.1 400"},
      {"an unknown expectation", post + "expect: miracles\r\ncontent-length: 3\r\n\r\nabc",
       "HTTP/1.1 417"},
      {"a header without end", get + "a: " + std::string(70'000, 'b'), "HTTP/1.1 431"},
      {"too many bytes of headers", get + "host: x\r\na: " + std::string(70'000, 'b') + "\r\n\r\n",
       "HTTP/1.1 431"},
      {"a target without end", "GET /" + std::string(40'000, 'a'), "HTTP/1.1 414"},
      {"a long target", "GET /" + std::string(40'000, 'a') + " HTTP/1.1\r\nhost: x\r\n\r\n",
       "HTTP/1.1 414"},
  };
  go([&]() -> Task<> {
    for (const RawCase& c : cases) {
      SCOPED_TRACE(c.name);
      CO_TRY(const std::string answer, co_await talk(*timer_, plain(port), c.bytes));
      EXPECT_TRUE(answer.starts_with(c.begins)) << answer.substr(0, 200);
    }
    const auto peer = client(plain(port));
    CO_TRY(const std::string hello, co_await fetch(*peer, {.target = "/hello"}));
    EXPECT_EQ(hello, "200 hello");
    co_return Unit{};
  });
}

TEST_F(Http1, UnusualButRightInputIsServed) {
  const uint16_t port = serve_paths();
  const std::string close = "connection: close\r\n\r\n";
  const RawCase cases[] = {
      {"HTTP/1.0 closes by itself", "GET /hello HTTP/1.0\r\n\r\n",
       "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\nconnection: close\r\ncontent-length: "
       "5\r\n\r\nhello"},
      {"a stream to HTTP/1.0 ends with the connection", "GET /lines?n=1 HTTP/1.0\r\n\r\n",
       "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\nconnection: close\r\n\r\nline 0\n"},
      {"an absolute target", "GET http://h/hello HTTP/1.1\r\nhost: h\r\n" + close, "HTTP/1.1 200"},
      {"empty lines before the request", "\r\n\r\nGET /hello HTTP/1.1\r\nhost: x\r\n" + close,
       "HTTP/1.1 200"},
      {"names in any case", "GET /hello HTTP/1.1\r\nHOST: x\r\nCONNECTION: CLOSE\r\n\r\n",
       "HTTP/1.1 200"},
      {"chunks with extensions and trailers",
       "POST /echo HTTP/1.1\r\nhost: x\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n"
       "3;a=b\r\nabc\r\n2 ; q=\"x;y\"\r\nde\r\n0\r\nx-sum: 1\r\n\r\n",
       "HTTP/1.1 200 OK\r\nx-method: POST\r\nconnection: close\r\ncontent-length: 5\r\n\r\nabcde"},
      {"a stream in chunks", "GET /lines?n=1 HTTP/1.1\r\nhost: x\r\n" + close,
       "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\nconnection: close\r\ntransfer-encoding: "
       "chunked\r\n\r\n"
       "7\r\nline 0\n\r\n0\r\nx-lines: 1\r\n\r\n"},
      {"an expectation is met first",
       "POST /echo HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\nconnection: "
       "close\r\ncontent-length: 2\r\n\r\nab",
       "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK"},
      {"an expectation nobody meets",
       "POST /ignore-body HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\ncontent-length: 2\r\n\r\n",
       "HTTP/1.1 200 OK\r\nconnection: close\r\n"},
      {"a stream that breaks off has no last chunk", "GET /half HTTP/1.1\r\nhost: x\r\n\r\n",
       "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nhalf\r\n"},
  };
  go([&]() -> Task<> {
    for (const RawCase& c : cases) {
      SCOPED_TRACE(c.name);
      CO_TRY(const std::string answer, co_await talk(*timer_, plain(port), c.bytes));
      EXPECT_TRUE(answer.starts_with(c.begins)) << answer;
      EXPECT_EQ(answer.find("HTTP/1.1 4"), std::string::npos);
    }
    co_return Unit{};
  });
}

TEST_F(Http1, PipelinedRequestsAreAnsweredInOrder) {
  const uint16_t port = serve_paths();
  go([&]() -> Task<> {
    std::string requests;
    for (int i = 0; i < 50; ++i) {
      const std::string body = "body " + std::to_string(i) + ";";
      requests +=
          "POST /echo HTTP/1.1\r\nhost: x\r\ncontent-length: " + std::to_string(body.size()) +
          "\r\n\r\n" + body;
    }
    requests += "GET /hello HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
    CO_TRY(const std::string answers, co_await talk(*timer_, plain(port), requests));
    size_t at = 0;
    for (int i = 0; i < 50; ++i) {
      at = answers.find("body " + std::to_string(i) + ";", at);
      EXPECT_NE(at, std::string::npos) << i;
    }
    EXPECT_TRUE(answers.ends_with("hello"));
    co_return Unit{};
  });
}

TEST_F(Http1, BodiesThatNobodyReadsDoNotDisturbTheNextRequest) {
  const uint16_t port = serve_paths();
  go([&]() -> Task<> {
    const auto peer = client(plain(port));
    for (const size_t size : {10, 100'000, 3'000'000}) {
      CO_TRY(const std::string ignored, co_await fetch(*peer, {.method = "POST",
                                                               .target = "/ignore-body",
                                                               .body = std::string(size, 'b')}));
      EXPECT_EQ(ignored, "200 ignored");
      CO_TRY(const std::string hello, co_await fetch(*peer, {.target = "/hello"}));
      EXPECT_EQ(hello, "200 hello");
    }
    co_return Unit{};
  });
}

TEST_F(Http1, ADisconnectCancelsTheHandler) {
  const uint16_t port = serve_paths();
  go([&]() -> Task<> {
    for (const char* path : {"/watch", "/never"}) {
      SCOPED_TRACE(path);
      CO_TRY(const auto stream, co_await connect(*timer_, plain(port), 10s));
      const std::string request = "GET " + std::string(path) + " HTTP/1.1\r\nhost: x\r\n\r\n";
      CO_TRY_OK(co_await stream->write(request));
      const bool running = co_await eventually([&] { return started_ == ended_ + 1; });
      EXPECT_TRUE(running);
      stream->close();
      const bool over = co_await eventually([&] { return started_ == ended_; });
      EXPECT_TRUE(over);
    }
    const bool closed = co_await eventually([&] { return servers_.front()->connections() == 0; });
    EXPECT_TRUE(closed);
    co_return Unit{};
  });
}

TEST_F(Http1, APeerThatClosesItsOwnDirectionStillGetsItsAnswer) {
  const uint16_t port = serve_paths();
  go([&]() -> Task<> {
    CO_TRY(const auto stream, co_await connect(*timer_, plain(port), 10s));
    CO_TRY_OK(
        co_await stream->write("POST /echo HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\nab"));
    CO_TRY_OK(co_await stream->shutdown_write());
    std::string answer(1000, 0);
    CO_TRY(const size_t count, co_await stream->read_some(answer));
    EXPECT_TRUE(answer.substr(0, count).ends_with("\r\n\r\nab"));
    co_return Unit{};
  });
}

TEST_F(Http1, ASlowReaderHoldsTheWriterBack) {
  const uint16_t port = serve_paths();
  go([&]() -> Task<> {
    const auto peer = client(plain(port));
    CO_TRY(auto response, co_await peer->send({.target = "/megabytes?n=64"}, 10s));
    co_await system_timer_.sleep_for(50ms);
    EXPECT_LT(streamed_bytes_, size_t{16} << 20);  // what the kernel buffers
    CO_TRY(const std::string all, co_await response.body->read_all(100 << 20));
    EXPECT_EQ(all.size(), size_t{64} << 20);
    co_return Unit{};
  });
}

TEST_F(Http1, AFastPeerDoesNotStarveOthers) {
  Server& server = serve([this](Request request, Responder& responder) -> Async<void> {
    if (request.path != "/flood") co_return co_await test_handler(std::move(request), responder);
    const auto piece = share("x");
    const auto out = co_await responder.stream(200, {});
    // Small enough that the kernel's buffer never fills while the peer reads.
    for (int i = 0; i < 2'000; ++i) {
      const Result<> written = co_await (*out)->write(piece);
      EXPECT_TRUE(written);
      ++streamed_bytes_;
    }
    const Result<> finished = co_await (*out)->finish();
    EXPECT_TRUE(finished);
  });
  const uint16_t port = *server.listen_tcp("127.0.0.1", 0);
  go([&]() -> Task<> {
    const auto peer = client(plain(port));
    CO_TRY(auto flood, co_await peer->send({.target = "/flood"}, 10s));
    EXPECT_LT(streamed_bytes_, 2'000u);  // the sender had its turn before the flood was over
    CO_TRY(const std::string hello, co_await fetch(*peer, {.target = "/hello"}));
    EXPECT_LT(streamed_bytes_, 2'000u);
    CO_TRY(const std::string all, co_await flood.body->read_all(10'000));
    EXPECT_EQ(all.size(), 2'000u);
    co_return Unit{};
  });
}

TEST_F(Http1, UpgradesHandTheConnectionOver) {
  const uint16_t port = serve_paths();
  go([&]() -> Task<> {
    const auto peer = client(plain(port));
    CO_TRY(const auto upgraded,
           co_await peer->upgrade({.target = "/upgrade", .headers = {{"upgrade", "echo"}}}, 10s));
    EXPECT_EQ(upgraded.status, 101);
    EXPECT_EQ(upgraded.headers.get("upgrade"), "echo");
    std::string back(5, 0);
    CO_TRY_OK(co_await upgraded.stream->write("hello"));
    CO_TRY(const size_t count, co_await upgraded.stream->read_some(back));
    EXPECT_EQ(back.substr(0, count), "hello");
    CO_TRY_OK(co_await upgraded.stream->shutdown_write());
    CO_TRY(const size_t end, co_await upgraded.stream->read_some(back));
    EXPECT_EQ(end, 0u);
    // Bytes sent ahead of the answer belong to the upgraded stream.
    CO_TRY(const auto raw, co_await connect(*timer_, plain(port), 10s));
    CO_TRY_OK(co_await raw->write(
        "GET /upgrade HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\nahead"));
    CO_TRY_OK(co_await raw->shutdown_write());
    CO_TRY(const std::string all, co_await read_to_end(*raw));
    EXPECT_TRUE(all.starts_with("HTTP/1.1 101 ")) << all;
    EXPECT_TRUE(all.ends_with("\r\n\r\nahead")) << all;
    co_return Unit{};
  });
}

TEST_F(Http1, ARequestWithoutUpgradeCannotBeUpgraded) {
  const uint16_t port = serve_paths();
  go([&]() -> Task<> {
    const auto peer = client(plain(port));
    CO_TRY(const std::string text, co_await fetch(*peer, {.target = "/upgrade"}));
    EXPECT_EQ(text, "500 the request was not answered\n");
    co_return Unit{};
  });
}

}  // namespace
}  // namespace atl::net
