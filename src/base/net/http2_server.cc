#include <nghttp2/nghttp2.h>

#include "base/net/fields_impl.h"
#include "base/net/http1_parser_impl.h"
#include "base/net/http2_session_impl.h"
#include "base/net/server_impl.h"
#include "base/observe/log.h"

namespace atl::net {
namespace {

class Http2Connection;

// The body of every request that has none: nothing changes it any more.
const std::shared_ptr<BodyPipe>& no_body() {
  static const std::shared_ptr<BodyPipe> kEnded = [] {
    auto pipe = std::make_shared<BodyPipe>();
    pipe->finish();
    return pipe;
  }();
  return kEnded;
}

// One request over HTTP/2: the stream, and the Responder of its handler.
class Http2Exchange final : public Http2Stream, public Responder {
 public:
  explicit Http2Exchange(Http2Connection& connection);

  Async<void> run();

  Task<> send(Response response) override;
  Task<std::unique_ptr<ResponseStream>> stream(int status, Headers headers) override;
  Task<std::unique_ptr<ByteStream>> upgrade(Headers) override {
    co_return Error(Code::kBadRequest, "HTTP/2 connections cannot be upgraded");
  }
  bool answered() const override { return answered_; }

  Task<> write_pieces(std::vector<SharedBytes> pieces);
  Result<> finish_stream(Headers trailers);
  void abandon_stream();
  void handler_ended() { cancel_ = nullptr; }

 private:
  void on_head() override;
  void on_closed() override;
  Result<> begin(int status, const Headers& headers, std::string_view length, bool ends);
  // Why the head cannot be served; 0: it can.
  Fault fault() const;
  Request make_request();

  Http2Connection& connection_;
  std::function<void()> cancel_;
  bool answered_ = false;
  bool without_body_ = false;
  bool stream_open_ = false;
};

// A server's connection over HTTP/2. Its coroutine reads; every request has a coroutine of its own.
class Http2Connection final : public Http2Session, public ServerConnection {
 public:
  Http2Connection(ServerCore& core, std::unique_ptr<Transport> transport, Peer peer)
      : Http2Session(core.executor, std::move(transport), core.deadlines, Side::kServer,
                     {core.limits.header_bytes, core.limits.streams_per_connection,
                      core.limits.idle_timeout}),
        core_(core),
        peer_(std::move(peer)),
        idle_deadline_(*core.deadlines, [this] { drain(); }),
        registration_(core, *this) {
    idle_deadline_.set_after(core.limits.header_timeout);
  }

  Async<void> serve(std::string early) {
    co_await run(std::move(early));
    while (running_ > 0) co_await handler_over_.wait();
  }

  void drain() override {
    draining_ = true;
    Http2Session::drain();
  }
  bool idle() const override { return !draining_ && streams() == 0; }

  ServerCore& core() { return core_; }
  const Peer& peer() const { return peer_; }
  std::function<void()> start(std::shared_ptr<Http2Exchange> exchange);

 protected:
  std::shared_ptr<Http2Stream> open_stream() override {
    // A client that resets its requests at once must not pile up handlers that are still ending.
    if (draining_ || running_ >= 2 * options_.concurrent_streams) return nullptr;
    return std::make_shared<Http2Exchange>(*this);
  }
  void activity_changed() override {
    registration_.used_now();
    if (streams() > 0) {
      idle_deadline_.clear();
    } else {
      idle_deadline_.set_after(core_.limits.idle_timeout);
    }
  }
  void run_writer() override {
    core_.tasks.spawn("http/2 writer", [this, self = shared_from_this()] { return write_rest(); });
  }

 private:
  friend class Http2Exchange;
  ServerCore& core_;
  const Peer peer_;
  Deadlines::Entry idle_deadline_;
  size_t running_ = 0;
  Event handler_over_;
  bool draining_ = false;
  Registration registration_;
};

class Http2ResponseStream final : public ResponseStream {
 public:
  explicit Http2ResponseStream(std::shared_ptr<Http2Exchange> exchange)
      : exchange_(std::move(exchange)) {}
  ~Http2ResponseStream() override { exchange_->abandon_stream(); }
  Task<> write_all(std::vector<SharedBytes> pieces) override {
    return exchange_->write_pieces(std::move(pieces));
  }
  Task<> finish(Headers trailers) override {
    co_return exchange_->finish_stream(std::move(trailers));
  }

 private:
  const std::shared_ptr<Http2Exchange> exchange_;
};

std::function<void()> Http2Connection::start(std::shared_ptr<Http2Exchange> exchange) {
  ++running_;
  // Dies with the task, whichever way that ends: also before its first step.
  std::shared_ptr<void> end(nullptr, [this, self = shared_from_this(), exchange](void*) {
    exchange->handler_ended();
    --running_;
    handler_over_.notify();
  });
  return core_.tasks.spawn_cancellable(
      "http/2 request", [exchange, end = std::move(end)] { return exchange->run(); });
}

Http2Exchange::Http2Exchange(Http2Connection& connection)
    : Http2Stream(connection), connection_(connection) {}

Fault Http2Exchange::fault() const {
  if (head_too_large_) return {431, "the header is too large"};
  if (path_.size() > Http1Parser::kTargetMaxBytes) return {414, "the request target is too long"};
  if (!is_token(method_) || method_ == "CONNECT") return {501, "the method is not served"};
  if (!is_origin_form(path_)) return {400, "the request target must be a path"};
  if (!is_host(authority_)) return {400, "bad :authority"};
  return {0, {}};
}

Request Http2Exchange::make_request() {
  const std::string_view target = path_;
  const size_t question = target.find('?');
  Request request;
  request.method = method_;
  request.path = target.substr(0, question);
  if (question != std::string_view::npos) request.query = target.substr(question + 1);
  request.headers = std::move(headers_);
  if (!request.headers.has("host") && !authority_.empty()) request.headers.add("host", authority_);
  request.peer = connection_.peer();
  request.body = input_;
  return request;
}

void Http2Exchange::on_head() {
  const Fault refused = fault();
  without_body_ = method_ == "HEAD";
  if (refused.status != 0) {
    const Response answer = plain_answer(refused.status, refused.text);
    const Result<> begun = begin(answer.status, answer.headers, {}, /*ends=*/without_body_);
    if (!begun || without_body_) return;
    output_ = answer.body;
    output_bytes_ = output_.front()->size();
    output_finished_ = true;
    return;
  }
  if (input_ended_) {
    input_ = no_body();
  } else {
    input_ = std::make_shared<BodyPipe>();
    input_->connect([this](size_t bytes) { session_.body_taken(*this, bytes); });
  }
  cancel_ = connection_.start(std::static_pointer_cast<Http2Exchange>(shared_from_this()));
  if (!cancel_) reset(NGHTTP2_REFUSED_STREAM);
}

void Http2Exchange::on_closed() {
  const bool complete = close_code_ == NGHTTP2_NO_ERROR && output_finished_ && output_bytes_ == 0;
  if (!complete && cancel_) cancel_();
}

Async<void> Http2Exchange::run() {
  // In a statement of its own: the request shall not stay in this coroutine as well.
  Async<void> handling = connection_.core().handler(make_request(), *this);
  const auto end = co_await ServerCore::finish(std::move(handling), method_, path_);
  if (end == ServerCore::HandlerEnd::kCancelled) reset(NGHTTP2_CANCEL);
  if (end == ServerCore::HandlerEnd::kCancelled || answered()) co_return;
  const bool threw = end == ServerCore::HandlerEnd::kThrew;
  const Result<> sent = co_await send(
      plain_answer(500, threw ? "the request failed" : "the request was not answered"));
  if (!sent) log::debug("an answer did not reach the peer", {{"error", sent.error()}});
}

Result<> Http2Exchange::begin(int status, const Headers& headers, std::string_view length,
                              bool ends) {
  if (closed_) return Error(Code::kUnavailable, "the peer closed the stream");
  if (answered_) return Error(Code::kInternal, "the request has been answered already");
  TRY_OK(check_outgoing(headers));
  const std::string code = std::to_string(status);
  std::vector<std::string> lower_names;  // the views below point into it
  lower_names.reserve(headers.items().size());
  Http2Session::Fields fields{{":status", code}};
  for (const auto& [name, value] : headers.items()) {
    lower_names.push_back(lower(name));
    const bool replaced = name == "content-length" && !length.empty();
    if (!is_hop_by_hop(lower_names.back()) && !replaced)
      fields.emplace_back(lower_names.back(), value);
  }
  if (!length.empty()) fields.emplace_back("content-length", length);
  answered_ = true;
  if (ends) output_finished_ = true;
  return connection_.submit_head(*this, fields, ends);
}

Task<> Http2Exchange::send(Response response) {
  size_t size = 0;
  for (const SharedBytes& piece : response.body) size += piece->size();
  const bool has_body = status_has_body(response.status);
  const bool ends = !has_body || without_body_ || size == 0;
  const bool keeps_length = without_body_ && response.headers.has("content-length");
  const std::string length = has_body && !keeps_length ? std::to_string(size) : std::string();
  CO_TRY_OK(begin(response.status, response.headers, length, ends));
  if (ends) co_return Unit{};
  CO_TRY_OK(queue(std::move(response.body)));
  CO_TRY_OK(finish({}));
  co_return co_await wait_for_room(connection_.core().limits.write_buffer_bytes);
}

Task<std::unique_ptr<ResponseStream>> Http2Exchange::stream(int status, Headers headers) {
  without_body_ = without_body_ || !status_has_body(status);
  CO_TRY_OK(begin(status, headers, {}, without_body_));
  stream_open_ = !without_body_;
  co_return std::make_unique<Http2ResponseStream>(
      std::static_pointer_cast<Http2Exchange>(shared_from_this()));
}

Task<> Http2Exchange::write_pieces(std::vector<SharedBytes> pieces) {
  if (without_body_) co_return Unit{};
  CO_TRY_OK(queue(std::move(pieces)));
  co_return co_await wait_for_room(connection_.core().limits.write_buffer_bytes);
}

Result<> Http2Exchange::finish_stream(Headers trailers) {
  if (without_body_) return Unit{};
  TRY_OK(finish(std::move(trailers)));
  stream_open_ = false;
  return Unit{};
}

void Http2Exchange::abandon_stream() {
  if (stream_open_ && !closed()) reset(NGHTTP2_INTERNAL_ERROR);
}

}  // namespace

Async<void> serve_http2(ServerCore& core, std::unique_ptr<Transport> transport, Peer peer,
                        std::string early) {
  const auto connection =
      std::make_shared<Http2Connection>(core, std::move(transport), std::move(peer));
  co_await connection->serve(std::move(early));
}

}  // namespace atl::net
