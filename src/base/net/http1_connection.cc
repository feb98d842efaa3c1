#include <algorithm>

#include "base/net/fields_impl.h"
#include "base/net/http1_connection_impl.h"
#include "base/observe/log.h"

namespace atl::net {
namespace {

// Asks for the body when somebody wants it, not before: "Expect: 100-continue".
class RequestBody final : public BodyReader {
 public:
  RequestBody(std::weak_ptr<Http1Exchange> exchange, std::shared_ptr<BodyPipe> pipe)
      : exchange_(std::move(exchange)), pipe_(std::move(pipe)) {}

  Task<std::string> read_some() override {
    const auto exchange = exchange_.lock();
    if (exchange && exchange->awaits_continue()) CO_TRY_OK(co_await exchange->ask_for_body());
    co_return co_await pipe_->read_some();
  }
  Headers trailers() const override { return pipe_->trailers(); }

 private:
  const std::weak_ptr<Http1Exchange> exchange_;
  const std::shared_ptr<BodyPipe> pipe_;
};

// The path and query of a target in origin or absolute form; nothing for other forms.
std::optional<std::string_view> origin_form(std::string_view target) {
  for (const std::string_view scheme : {"http://", "https://"}) {
    if (!equals_ignoring_case(target.substr(0, scheme.size()), scheme)) continue;
    const size_t slash = target.find('/', scheme.size());
    target = slash == std::string_view::npos ? std::string_view("/") : target.substr(slash);
    break;
  }
  if (!is_origin_form(target)) return std::nullopt;
  return target;
}

}  // namespace

Http1Connection::Http1Connection(ServerCore& core, std::unique_ptr<Transport> transport, Peer peer,
                                 std::string early)
    : core_(core),
      transport_(std::move(transport)),
      peer_(std::move(peer)),
      input_(std::move(early)),
      read_deadline_(*core.deadlines, [this] { expired(); }),
      write_deadline_(
          *core.deadlines,
          [this] { transport_->fail(Error(Code::kUnavailable, "the peer reads nothing")); }),
      registration_(core, *this) {}

Async<void> Http1Connection::run() {
  while (!closing_) {
    const Got got = co_await read_head();
    if (got == Got::kClosed) break;
    if (got == Got::kFault) {
      co_await refuse();
      break;
    }
    co_await serve();
    if (transport_ == nullptr) co_return;  // somebody else has it now
    if (timed_out_ && phase_ == Phase::kNextRequest) break;
    if (!closing_ && parser_ && !parser_->done()) co_await discard_rest();
  }
  const bool peer_may_send = parser_ && parser_->started() && !(parser_->done() && input_.empty());
  if (!peer_left_ && peer_may_send) co_await linger();
}

void Http1Connection::enter(Phase phase) {
  phase_ = phase;
  timed_out_ = false;
  switch (phase) {
    case Phase::kNextRequest:
      read_deadline_.set_after(first_request_ ? core_.limits.header_timeout
                                              : core_.limits.idle_timeout);
      break;
    case Phase::kHead:
      read_deadline_.set_after(core_.limits.header_timeout);
      break;
    case Phase::kBody:
      read_deadline_.set_after(core_.limits.idle_timeout);
      break;
    case Phase::kServing:
      read_deadline_.clear();
      break;
    case Phase::kHalfClosed:
      read_deadline_.set_after(kHalfCloseGrace);
      break;
    case Phase::kLinger:
      read_deadline_.set_after(kLinger);
      break;
  }
}

void Http1Connection::expired() {
  timed_out_ = true;
  wake_reader();
}

void Http1Connection::wake_reader() {
  changed_.notify();
  if (transport_) transport_->interrupt();
}

bool Http1Connection::idle() const {
  return !draining_ && exchange_ == nullptr;
}

void Http1Connection::drain() {
  draining_ = true;
  wake_reader();
}

Async<Http1Connection::Read> Http1Connection::read_more() {
  const auto count = transport_->try_read(read_scratch());
  if (!count) co_return Read::kBroken;
  if (*count) {
    if (**count == 0) co_return Read::kEnd;
    const auto taken = take({read_scratch().data(), **count});
    if (!taken) fault_ = taken.error();
    co_return taken ? Read::kMore : Read::kBroken;
  }
  const auto ready = co_await transport_->wait_readable();
  if (!ready) co_return Read::kBroken;
  co_return *ready ? Read::kMore : Read::kInterrupted;
}

// Parses what is there. Bytes behind the message, or of an unfinished line, stay in input_.
std::expected<void, Fault> Http1Connection::take(std::string_view fresh) {
  if (parser_->done()) {
    input_.append(fresh);
    return {};
  }
  if (!input_.empty()) {
    input_.append(fresh);
    fresh = {};
  }
  const std::string_view all = input_.empty() ? fresh : std::string_view(input_);
  const auto used = parser_->feed(all);
  if (!used) return std::unexpected(used.error());
  if (!input_.empty()) {
    input_.erase(0, *used);
    if (input_.empty()) input_ = std::string();  // an idle connection holds no buffer
  } else {
    input_.assign(all.substr(*used));
  }
  return {};
}

Async<Http1Connection::Got> Http1Connection::read_head() {
  parser_ = Http1Parser::make(Http1Parser::Role::kRequest, core_.limits.header_bytes);
  fault_ = {0, {}};
  input_over_ = false;
  enter(Phase::kNextRequest);
  first_request_ = false;
  while (input_.starts_with("\r\n"))
    input_.erase(0, 2);  // RFC 9112 2.2: empty lines before a request
  if (!input_.empty()) {
    const auto taken = take({});
    if (!taken) fault_ = taken.error();
  }
  while (!parser_->head_done() && fault_.status == 0) {
    if (draining_ && !parser_->started()) co_return Got::kClosed;
    if (parser_->started() && phase_ == Phase::kNextRequest) enter(Phase::kHead);
    const Read read = co_await read_more();
    if (fault_.status != 0) break;
    if (timed_out_ && parser_->started()) fault_ = {408, "the header took too long"};
    if (timed_out_ && !parser_->started()) co_return Got::kClosed;
    if (read == Read::kEnd || read == Read::kBroken) peer_left_ = true;
    if (peer_left_) co_return Got::kClosed;
  }
  if (fault_.status != 0) co_return Got::kFault;
  const auto target = origin_form(parser_->head().target);
  if (!target) fault_ = {400, "the request target must be a path"};
  if (has_list_word(parser_->head().headers, "expect", "100-continue") !=
      parser_->head().headers.has("expect")) {
    fault_ = {417, "only the expectation '100-continue' is known"};
  }
  co_return fault_.status != 0 ? Got::kFault : Got::kHead;
}

Request Http1Connection::make_request() {
  Http1Head& head = parser_->head();
  const std::string_view target = *origin_form(head.target);
  const size_t question = target.find('?');
  Request request;
  request.method = head.method;
  request.path = target.substr(0, question);
  if (question != std::string_view::npos) request.query = target.substr(question + 1);
  request.peer = peer_;
  const auto pipe = std::make_shared<BodyPipe>();
  exchange_ = std::make_shared<Http1Exchange>(*this, head, pipe);
  pipe->connect([this](size_t) { changed_.notify(); });
  request.headers = std::move(head.headers);
  request.body = std::make_shared<RequestBody>(exchange_, pipe);
  return request;
}

Async<void> Http1Connection::serve() {
  closing_ = closing_ || !parser_->head().keep_alive;
  auto request = std::make_shared<Request>(make_request());
  registration_.used_now();
  enter(Phase::kServing);
  pass_body();
  // Dies with the task, whichever way that ends: also before its first step.
  std::shared_ptr<void> end(
      nullptr, [self = shared_from_this(), exchange = exchange_](void*) { exchange->end(); });
  cancel_handler_ = core_.tasks.spawn_cancellable(
      "http/1 request", [exchange = exchange_, request, end = std::move(end)] {
        return exchange->run(std::move(*request));
      });
  if (!cancel_handler_) closing_ = true;
  co_await pump();
}

void Http1Connection::pass_body() {
  exchange_->body().push(parser_->take_body());
  if (parser_->done()) exchange_->body().finish(std::move(parser_->trailers()));
}

// Until the handler has ended: brings in the body, then watches the peer.
Async<void> Http1Connection::pump() {
  while (exchange_ != nullptr) {
    if (exchange_->upgrading()) {
      reader_parked_ = true;
      changed_.notify();
      while (exchange_ != nullptr) co_await changed_.wait();
      co_return;
    }
    if (timed_out_) deadline_missed();
    const bool full = parser_->done() ? input_.size() >= kAheadMaxBytes
                                      : exchange_->body().buffered() >= kBodyWindowBytes;
    if (full || input_over_) {
      if (phase_ == Phase::kBody) enter(Phase::kServing);
      co_await changed_.wait();
      continue;
    }
    if (!parser_->done()) enter(Phase::kBody);
    const Read read = co_await read_more();
    if (exchange_ == nullptr) {
      peer_left_ = read == Read::kEnd || read == Read::kBroken;
      closing_ = closing_ || peer_left_;
      co_return;
    }
    if (read == Read::kMore) pass_body();
    if (parser_->done() && phase_ == Phase::kBody) enter(Phase::kServing);
    if (read == Read::kEnd || read == Read::kBroken) input_ended(read);
  }
}

// The handler is over. On a connection that goes on, the reader just waits for the next request;
// what belonged to this one is given back meanwhile.
void Http1Connection::exchange_over() {
  const auto exchange = std::exchange(exchange_, nullptr);
  exchange->body().disconnect();
  exchange->body().fail(Error(Code::kUnavailable, "the request is over"));
  if (!exchange->complete()) closing_ = true;
  cancel_handler_ = nullptr;
  const bool goes_on = !closing_ && !draining_ && !input_over_ && parser_->done() && input_.empty();
  if (!goes_on) return wake_reader();
  parser_.reset();
  enter(Phase::kNextRequest);
}

// While a request is served.
void Http1Connection::deadline_missed() {
  timed_out_ = false;
  if (phase_ == Phase::kHalfClosed && !exchange_->answered()) cancel_handler_();
  if (phase_ != Phase::kBody) return;
  exchange_->body().fail(Error(Code::kTimeout, "the body stopped arriving"));
  input_over_ = true;
  closing_ = true;
}

// The peer closed its side, broke off, or sent what is no body. One that waits for an answer may
// have closed only its own direction, so a handler that has not answered yet gets a moment.
void Http1Connection::input_ended(Read how) {
  const bool malformed = fault_.status != 0;
  input_over_ = true;
  closing_ = true;
  peer_left_ = !malformed;
  exchange_->body().fail(malformed
                             ? Error(Code::kBadRequest, std::string(fault_.text))
                             : Error(Code::kUnavailable, "the peer broke off inside the body"));
  if (!malformed && (how == Read::kBroken || exchange_->streaming())) cancel_handler_();
  enter(Phase::kHalfClosed);
}

bool Http1Connection::reusable() const {
  if (closing_ || draining_ || core_.stopping) return false;
  if (parser_->done()) return true;
  // The rest of the body must be read before the next request: only where that is little, and sure
  // to come.
  const auto& length = parser_->head().content_length;
  return length && *length <= kDiscardMaxBytes && !exchange_->awaits_continue();
}

Async<void> Http1Connection::discard_rest() {
  enter(Phase::kHead);
  size_t discarded = 0;
  while (!parser_->done()) {
    discarded += parser_->take_body().size();
    const Read read = co_await read_more();
    closing_ =
        timed_out_ || read == Read::kEnd || read == Read::kBroken || discarded > kDiscardMaxBytes;
    if (closing_) co_return;
  }
}

Async<void> Http1Connection::refuse() {
  closing_ = true;
  const Response answer = plain_answer(fault_.status, fault_.text);
  std::string text =
      "HTTP/1.1 " + std::to_string(fault_.status) + " " +
      std::string(reason_phrase(fault_.status)) +
      "\r\nconnection: close\r\ncontent-length: " + std::to_string(answer.body.front()->size()) +
      "\r\n";
  for (const auto& [name, value] : answer.headers.items()) text += name + ": " + value + "\r\n";
  text += "\r\n" + *answer.body.front();
  const Result<> written = co_await write({text});
  if (!written) peer_left_ = true;
}

// Closing while the peer still sends would make the kernel reset the connection, and the answer
// with it: so say that nothing follows, and read for a moment.
Async<void> Http1Connection::linger() {
  enter(Phase::kLinger);
  transport_->shutdown_write();
  size_t discarded = 0;
  while (!timed_out_ && discarded < 16 * kDiscardMaxBytes) {
    const auto count = transport_->try_read(read_scratch());
    if (!count || (*count && **count == 0)) co_return;
    if (*count) {
      discarded += **count;
      continue;
    }
    const auto ready = co_await transport_->wait_readable();
    if (!ready) co_return;
  }
}

Task<> Http1Connection::write(std::vector<std::string_view> pieces) {
  if (transport_->turn_is_over()) co_await transport_->pass_turn();
  while (true) {
    CO_TRY(const size_t taken, transport_->try_write(pieces));
    drop_front(pieces, taken);
    if (pieces.empty()) break;
    write_deadline_.set_after(core_.limits.idle_timeout);
    CO_TRY_OK(co_await transport_->wait_writable());
  }
  write_deadline_.clear();
  co_return Unit{};
}

Async<std::unique_ptr<ByteStream>> Http1Connection::take_over() {
  wake_reader();
  while (!reader_parked_) co_await changed_.wait();
  read_deadline_.clear();
  write_deadline_.clear();
  co_return make_stream(std::move(transport_), std::move(input_));
}

Async<void> serve_http1(ServerCore& core, std::unique_ptr<Transport> transport, Peer peer,
                        std::string early) {
  const auto connection = std::make_shared<Http1Connection>(core, std::move(transport),
                                                            std::move(peer), std::move(early));
  co_await connection->run();
}

}  // namespace atl::net
