#include <nghttp2/nghttp2.h>

#include <algorithm>

#include "base/net/fields_impl.h"
#include "base/net/http2_client_impl.h"

namespace atl::net {
namespace {

constexpr size_t kBodyBufferBytes = 256 * 1024;  // of a streamed body, before its source waits

}  // namespace

class Http2Client::Stream final : public Http2Stream {
 public:
  explicit Stream(Http2Client& client) : Http2Stream(client) {
    input_ = std::make_shared<BodyPipe>();
    input_->connect([this](size_t bytes) { session_.body_taken(*this, bytes); });
  }

  // Everything, whole or piece by piece as the peer's window allows.
  Task<> send_body(ClientRequest request, std::shared_ptr<Deadlines> deadlines, MonoTime deadline) {
    Deadlines::Entry timeout(*deadlines, [this] {
      timed_out_ = true;
      reset(NGHTTP2_CANCEL);
    });
    timeout.set(deadline);
    if (request.body_stream == nullptr) {
      if (request.body.empty()) co_return Unit{};
      CO_TRY_OK(queue({share(std::move(request.body))}));
      co_return finish({});
    }
    while (true) {
      CO_TRY(std::string piece, co_await request.body_stream->read_some());
      if (piece.empty()) co_return finish({});
      CO_TRY_OK(queue({share(std::move(piece))}));
      CO_TRY_OK(co_await wait_for_room(kBodyBufferBytes));
    }
  }

  // Waits for the head of the answer, the end of the stream or the deadline.
  Async<void> wait_for_head(std::shared_ptr<Deadlines> deadlines, MonoTime deadline) {
    Deadlines::Entry timeout(*deadlines, [this] {
      timed_out_ = true;
      changed_.notify();
    });
    timeout.set(deadline);
    while (!head_done_ && !closed_ && !timed_out_) co_await changed_.wait();
  }

  bool has_head() const { return head_done_ && !head_too_large_; }
  bool timed_out() const { return timed_out_; }
  bool head_too_large() const { return head_too_large_; }
  bool untouched() const {
    return closed_ && !head_done_ && (!head_sent_ || close_code_ == NGHTTP2_REFUSED_STREAM);
  }
  bool input_ended() const { return input_ended_; }
  uint32_t close_code() const { return close_code_; }
  BodyPipe& input() { return *input_; }

  ClientResponse take_response() {
    return {static_cast<int>(parse_decimal(status_).value_or(0)), std::move(headers_), nullptr};
  }

 protected:
  void on_head() override { changed_.notify(); }
  void on_closed() override {}

 private:
  bool timed_out_ = false;
};

// The body of an answer; dropped before its end, the stream is reset.
class Http2Client::Body final : public BodyReader {
 public:
  Body(std::shared_ptr<Http2Client> client, std::shared_ptr<Stream> stream)
      : client_(std::move(client)), stream_(std::move(stream)) {}
  ~Body() override {
    if (!stream_->input_ended()) stream_->reset(NGHTTP2_CANCEL);
  }
  Task<std::string> read_some() override { return stream_->input().read_some(); }
  Headers trailers() const override { return stream_->input().trailers(); }

 private:
  const std::shared_ptr<Http2Client> client_;
  const std::shared_ptr<Stream> stream_;
};

// A request whose sender gave up, or was cancelled, is not wanted any more.
class Http2Client::ResetUnlessAnswered {
 public:
  explicit ResetUnlessAnswered(std::shared_ptr<Stream> stream) : stream_(std::move(stream)) {}
  ~ResetUnlessAnswered() {
    if (!stream_->has_head()) stream_->reset(NGHTTP2_CANCEL);
  }
  ResetUnlessAnswered(const ResetUnlessAnswered&) = delete;
  ResetUnlessAnswered& operator=(const ResetUnlessAnswered&) = delete;

 private:
  const std::shared_ptr<Stream> stream_;
};

Http2Client::Http2Client(const Executor& executor, std::unique_ptr<Transport> transport,
                         std::shared_ptr<Deadlines> deadlines)
    : Http2Session(executor, std::move(transport), std::move(deadlines), Side::kClient,
                   {.header_bytes = kHeaderBytes, .stall_timeout = std::chrono::hours(24)}),
      silence_(*deadlines_, [this] { check_silence(); }) {}

std::shared_ptr<Http2Client> Http2Client::start(const Executor& executor,
                                                std::unique_ptr<Transport> transport,
                                                std::shared_ptr<Deadlines> deadlines) {
  std::shared_ptr<Http2Client> client(
      new Http2Client(executor, std::move(transport), std::move(deadlines)));
  run_in_background(executor, client->run({}));
  return client;
}

void Http2Client::run_writer() {
  run_in_background(executor_, write_rest());
}

bool Http2Client::has_room() const {
  if (over() || nghttp2_session_check_request_allowed(session_) == 0) return false;
  const uint32_t allowed =
      nghttp2_session_get_remote_settings(session_, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS);
  return streams() < std::min<size_t>(allowed, kStreamsMax);
}

void Http2Client::activity_changed() {
  pinged_ = false;
  if (streams() > 0) {
    silence_.set_after(kSilenceMax);
  } else {
    silence_.clear();
  }
}

void Http2Client::check_silence() {
  if (streams() == 0) return;
  const Duration silent = now() - last_received_;
  if (silent < kSilenceMax) {
    pinged_ = false;
    silence_.set(last_received_ + kSilenceMax);
  } else if (pinged_) {
    fail(Error(Code::kUnavailable, "the server is silent"));
  } else {
    pinged_ = true;
    nghttp2_submit_ping(session_, NGHTTP2_FLAG_NONE, nullptr);
    schedule_flush();
    silence_.set_after(kPingAnswerMax);
  }
}

Result<> Http2Client::submit(Stream& stream, const ClientRequest& request,
                             const std::string& authority, const std::string& scheme) {
  const std::string_view host =
      request.headers.has("host") ? request.headers.get("host") : std::string_view(authority);
  Fields fields{{":method", request.method},
                {":scheme", scheme},
                {":authority", host},
                {":path", request.target}};
  std::vector<std::string> lower_names;  // the views below point into it
  lower_names.reserve(request.headers.items().size());
  for (const auto& [name, value] : request.headers.items()) {
    lower_names.push_back(lower(name));
    const std::string& lowered = lower_names.back();
    const bool ours = lowered == "host" || lowered == "content-length" || lowered == "te" ||
                      is_hop_by_hop(lowered);
    if (!ours || (lowered == "te" && value == "trailers")) fields.emplace_back(lowered, value);
  }
  const std::string length = std::to_string(request.body.size());
  const bool streamed = request.body_stream != nullptr;
  if (!streamed && !request.body.empty()) fields.emplace_back("content-length", length);
  return submit_head(stream, fields, !streamed && request.body.empty());
}

Error Http2Client::closed_error(const Stream& stream) const {
  std::string reason = end_reason();
  if (reason.empty()) reason = nghttp2_http2_strerror(stream.close_code());
  return Error(Code::kUnavailable, "the server closed the stream without an answer: " + reason);
}

Async<Http2Client::Sent> Http2Client::send(ClientRequest request, std::string authority,
                                           std::string scheme, MonoTime deadline) {
  const auto self = std::static_pointer_cast<Http2Client>(shared_from_this());
  const auto stream = std::make_shared<Stream>(*this);
  const Result<> submitted = submit(*stream, request, authority, scheme);
  if (!submitted) co_return Sent{submitted.error(), true};
  add_stream(stream);
  const ResetUnlessAnswered reset(stream);
  // A streamed body can be read only once, so a request that began to send one is never tried
  // again.
  const bool repeatable = request.body_stream == nullptr;
  const Result<> sent = co_await stream->send_body(std::move(request), deadlines_, deadline);
  // A server may answer and close before it took all of a body: its answer counts then.
  if (!sent && !stream->has_head() && !stream->closed() && !stream->timed_out()) {
    co_return Sent{sent.error(), false};
  }
  co_await stream->wait_for_head(deadlines_, deadline);
  if (stream->has_head()) {
    ClientResponse response = stream->take_response();
    response.body = std::make_shared<Body>(self, stream);
    co_return Sent{std::move(response), false};
  }
  if (stream->head_too_large())
    co_return Sent{Error(Code::kUnavailable, "the header of the answer is too large"), false};
  if (stream->closed() && !stream->timed_out())
    co_return Sent{closed_error(*stream), repeatable && stream->untouched()};
  co_return Sent{Error(Code::kTimeout, authority + ": no answer in time"), false};
}

}  // namespace atl::net
