#include <charconv>

#include "base/net/fields_impl.h"
#include "base/net/http1_connection_impl.h"
#include "base/observe/log.h"

namespace atl::net {
namespace {

class Http1ResponseStream final : public ResponseStream {
 public:
  explicit Http1ResponseStream(std::shared_ptr<Http1Exchange> exchange)
      : exchange_(std::move(exchange)) {}
  ~Http1ResponseStream() override { exchange_->abandon_stream(); }
  Task<> write_all(std::vector<SharedBytes> pieces) override {
    return exchange_->write_pieces(std::move(pieces));
  }
  Task<> finish(Headers trailers) override { return exchange_->finish_stream(std::move(trailers)); }

 private:
  const std::shared_ptr<Http1Exchange> exchange_;
};

std::string hex(size_t value) {
  char text[20];
  const auto end = std::to_chars(text, text + sizeof text, value, 16).ptr;
  return std::string(text, end);
}

uint64_t size_of(const std::vector<SharedBytes>& pieces) {
  uint64_t size = 0;
  for (const SharedBytes& piece : pieces) size += piece->size();
  return size;
}

void append_views(const std::vector<SharedBytes>& pieces, std::vector<std::string_view>& out) {
  for (const SharedBytes& piece : pieces) {
    if (!piece->empty()) out.push_back(*piece);
  }
}

}  // namespace

Http1Exchange::Http1Exchange(Http1Connection& connection, const Http1Head& head,
                             std::shared_ptr<BodyPipe> body)
    : connection_(connection),
      body_(std::move(body)),
      is_head_(head.method == "HEAD"),
      minor_version_(head.minor_version),
      upgrade_(head.minor_version == 1 && has_list_word(head.headers, "connection", "upgrade")
                   ? head.headers.get("upgrade")
                   : std::string_view()),
      awaits_continue_(head.minor_version == 1 && head.headers.has("expect") &&
                       (head.chunked || head.content_length.value_or(0) > 0)) {}

Async<void> Http1Exchange::run(Request request) {
  const std::string method = request.method;
  const std::string path = request.path;
  const ServerCore& core = connection_.core();
  const auto end =
      co_await ServerCore::finish(core.handler(std::move(request), *this), method, path);
  if (end == ServerCore::HandlerEnd::kCancelled || answered()) co_return;
  const bool threw = end == ServerCore::HandlerEnd::kThrew;
  const Result<> sent = co_await send(
      plain_answer(500, threw ? "the request failed" : "the request was not answered"));
  if (!sent) log::debug("an answer did not reach the peer", {{"error", sent.error()}});
}

void Http1Exchange::end() {
  ended_ = true;
  connection_.exchange_over();
}

std::string Http1Exchange::head_text(int status, const Headers& headers,
                                     std::string_view framing_line) {
  if (framing_ == Framing::kUntilClose || headers.get("connection") == "close" ||
      !connection_.reusable()) {
    connection_.close_after_answer();
  }
  std::string text;
  text.reserve(256);
  text.append("HTTP/1.1 ")
      .append(std::to_string(status))
      .append(" ")
      .append(reason_phrase(status))
      .append("\r\n");
  for (const auto& [name, value] : headers.items()) {
    if (is_hop_by_hop(name) || (name == "content-length" && !framing_line.empty())) continue;
    text.append(name).append(": ").append(value).append("\r\n");
  }
  if (!connection_.reusable()) {
    text.append("connection: close\r\n");
  } else if (minor_version_ == 0) {
    text.append("connection: keep-alive\r\n");
  }
  text.append(framing_line).append("\r\n");
  return text;
}

Task<> Http1Exchange::send(Response response) {
  if (answered()) co_return Error(Code::kInternal, "the request has been answered already");
  CO_TRY_OK(check_outgoing(response.headers));
  state_ = State::kSending;
  std::string framing;
  const bool has_body = status_has_body(response.status);
  const bool keeps_length = is_head_ && response.headers.has("content-length");
  if (has_body && !keeps_length)
    framing = "content-length: " + std::to_string(size_of(response.body)) + "\r\n";
  const std::string head = head_text(response.status, response.headers, framing);
  std::vector<std::string_view> pieces{head};
  if (has_body && !is_head_) append_views(response.body, pieces);
  CO_TRY_OK(co_await connection_.write(std::move(pieces)));
  state_ = State::kComplete;
  co_return Unit{};
}

Task<std::unique_ptr<ResponseStream>> Http1Exchange::stream(int status, Headers headers) {
  if (answered()) co_return Error(Code::kInternal, "the request has been answered already");
  CO_TRY_OK(check_outgoing(headers));
  std::string framing_line;
  const auto length = parse_decimal(headers.get("content-length"));
  if (!status_has_body(status) || is_head_) {
    framing_ = Framing::kNone;
  } else if (length) {
    framing_ = Framing::kLength;
    length_left_ = *length;
  } else if (minor_version_ == 1) {
    framing_ = Framing::kChunked;
    framing_line = "transfer-encoding: chunked\r\n";
  } else {
    framing_ = Framing::kUntilClose;
  }
  state_ = State::kStreaming;
  auto out = std::make_unique<Http1ResponseStream>(shared_from_this());
  const std::string head = head_text(status, headers, framing_line);
  CO_TRY_OK(co_await connection_.write({head}));
  co_return out;
}

Result<> Http1Exchange::check_streaming() const {
  if (ended_) return Error(Code::kUnavailable, "the request is over");
  if (state_ != State::kStreaming)
    return Error(Code::kInternal, "the stream has been finished already");
  return Unit{};
}

// All pieces are one chunk, where there are chunks.
Task<> Http1Exchange::write_pieces(std::vector<SharedBytes> pieces) {
  CO_TRY_OK(check_streaming());
  const uint64_t size = size_of(pieces);
  if (size == 0 || framing_ == Framing::kNone) co_return Unit{};
  if (framing_ == Framing::kLength) {
    if (size > length_left_)
      co_return Error(Code::kInternal, "more was written than Content-Length says");
    length_left_ -= size;
  }
  const bool chunked = framing_ == Framing::kChunked;
  const std::string size_line = hex(size) + "\r\n";
  std::vector<std::string_view> out;
  out.reserve(pieces.size() + 2);
  if (chunked) out.push_back(size_line);
  append_views(pieces, out);
  if (chunked) out.push_back("\r\n");
  co_return co_await connection_.write(std::move(out));
}

Task<> Http1Exchange::finish_stream(Headers trailers) {
  CO_TRY_OK(check_streaming());
  CO_TRY_OK(check_outgoing(trailers));
  if (framing_ == Framing::kLength && length_left_ > 0) {
    co_return Error(Code::kInternal, "less was written than Content-Length says");
  }
  if (framing_ == Framing::kChunked) {
    std::string last = "0\r\n";
    for (const auto& [name, value] : trailers.items())
      last.append(name).append(": ").append(value).append("\r\n");
    last.append("\r\n");
    CO_TRY_OK(co_await connection_.write({last}));
  }
  state_ = State::kComplete;
  co_return Unit{};
}

void Http1Exchange::abandon_stream() {
  if (state_ == State::kStreaming && !ended_) connection_.close_after_answer();
}

Task<std::unique_ptr<ByteStream>> Http1Exchange::upgrade(Headers headers) {
  if (answered()) co_return Error(Code::kInternal, "the request has been answered already");
  if (!connection_.body_done())
    co_return Error(Code::kBadRequest, "a request with a body cannot be upgraded");
  if (upgrade_.empty()) co_return Error(Code::kBadRequest, "the request asks for no upgrade");
  CO_TRY_OK(check_outgoing(headers));
  const std::string protocol(headers.has("upgrade") ? headers.get("upgrade")
                                                    : std::string_view(upgrade_));
  state_ = State::kUpgraded;
  connection_.close_after_answer();
  std::string head =
      "HTTP/1.1 101 Switching Protocols\r\nconnection: Upgrade\r\nupgrade: " + protocol + "\r\n";
  for (const auto& [name, value] : headers.items()) {
    if (!is_hop_by_hop(name)) head.append(name).append(": ").append(value).append("\r\n");
  }
  head.append("\r\n");
  CO_TRY_OK(co_await connection_.write({head}));
  auto stream = co_await connection_.take_over();
  co_return stream;
}

Task<> Http1Exchange::ask_for_body() {
  awaits_continue_ = false;
  if (answered()) co_return Unit{};
  co_return co_await connection_.write({"HTTP/1.1 100 Continue\r\n\r\n"});
}

}  // namespace atl::net
