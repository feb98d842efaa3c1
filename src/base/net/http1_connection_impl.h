#pragma once

#include <expected>
#include <memory>
#include <string>
#include <vector>

#include "base/async/event.h"
#include "base/net/body_pipe_impl.h"
#include "base/net/http1_parser_impl.h"
#include "base/net/server_impl.h"

namespace atl::net {

class Http1Exchange;

// A server's connection over HTTP/1. Its coroutine reads: it parses heads, feeds the body of the
// running request, and otherwise watches for the peer's end, so that a handler is cancelled in
// time. The handler is a second coroutine and writes the answer itself. Requests are served one by
// one; what a client sends ahead waits in `input_`, at most kAheadMaxBytes of it.
class Http1Connection final : public ServerConnection,
                              public std::enable_shared_from_this<Http1Connection> {
 public:
  static constexpr size_t kAheadMaxBytes = 16 * 1024;
  static constexpr size_t kBodyWindowBytes = 64 * 1024;
  static constexpr size_t kDiscardMaxBytes = 256 * 1024;
  static constexpr Duration kHalfCloseGrace = std::chrono::seconds(2);
  static constexpr Duration kLinger = std::chrono::seconds(2);

  Http1Connection(ServerCore& core, std::unique_ptr<Transport> transport, Peer peer,
                  std::string early);

  Async<void> run();

  void drain() override;
  bool idle() const override;

  // For the running exchange.
  ServerCore& core() { return core_; }
  Task<> write(std::vector<std::string_view> pieces);
  // Whether the connection can go on after an answer that begins now.
  bool reusable() const;
  bool body_done() const { return parser_->done(); }
  void close_after_answer() { closing_ = true; }
  void exchange_over();
  // Waits until the reader has let go, then hands out the connection with what was read ahead.
  Async<std::unique_ptr<ByteStream>> take_over();

 private:
  enum class Got : uint8_t { kHead, kFault, kClosed };
  enum class Read : uint8_t { kMore, kEnd, kBroken, kInterrupted };
  // What the reader waits for, and so what a missed deadline means.
  enum class Phase : uint8_t { kNextRequest, kHead, kBody, kServing, kHalfClosed, kLinger };

  Async<Got> read_head();
  Async<Read> read_more();
  Async<void> serve();
  Async<void> pump();
  Async<void> discard_rest();
  Async<void> refuse();
  Async<void> linger();
  void wake_reader();
  std::expected<void, Fault> take(std::string_view fresh);
  Request make_request();
  void pass_body();
  void input_ended(Read how);
  void deadline_missed();
  void enter(Phase phase);
  void expired();

  ServerCore& core_;
  std::unique_ptr<Transport> transport_;
  const Peer peer_;
  std::string input_;
  std::unique_ptr<Http1Parser> parser_;
  std::shared_ptr<Http1Exchange> exchange_;  // the request that is being served
  std::function<void()> cancel_handler_;
  Event changed_;  // something the reader or take_over() waits for
  Deadlines::Entry read_deadline_;
  Deadlines::Entry write_deadline_;
  Fault fault_;
  Phase phase_ = Phase::kNextRequest;
  bool first_request_ = true;
  bool timed_out_ = false;
  bool draining_ = false;
  bool closing_ = false;
  bool input_over_ = false;  // nothing more is read while the request is served
  bool peer_left_ = false;
  bool reader_parked_ = false;
  Registration registration_;
};

// One request over HTTP/1 and its answer: the Responder of the handler. Shared by the connection
// and the handler's task.
class Http1Exchange final : public Responder, public std::enable_shared_from_this<Http1Exchange> {
 public:
  Http1Exchange(Http1Connection& connection, const Http1Head& head, std::shared_ptr<BodyPipe> body);

  // Runs the handler and sees to an answer.
  Async<void> run(Request request);

  Task<> send(Response response) override;
  Task<std::unique_ptr<ResponseStream>> stream(int status, Headers headers) override;
  Task<std::unique_ptr<ByteStream>> upgrade(Headers headers) override;
  bool answered() const override { return state_ != State::kUnanswered; }

  // More of a streamed body.
  Task<> write_pieces(std::vector<SharedBytes> pieces);
  Task<> finish_stream(Headers trailers);
  // A stream that was dropped before its end breaks the connection off, so that the peer notices.
  void abandon_stream();

  // The handler's task is over, however it ended.
  void end();
  bool ended() const { return ended_; }
  bool streaming() const { return state_ == State::kStreaming; }
  bool upgrading() const { return state_ == State::kUpgraded; }
  bool complete() const { return state_ == State::kComplete; }
  BodyPipe& body() { return *body_; }
  // The client waits for "100 Continue" before it sends the body.
  Task<> ask_for_body();
  bool awaits_continue() const { return awaits_continue_; }

 private:
  enum class State : uint8_t { kUnanswered, kSending, kStreaming, kComplete, kUpgraded };
  enum class Framing : uint8_t { kNone, kLength, kChunked, kUntilClose };

  Result<> check_streaming() const;
  std::string head_text(int status, const Headers& headers, std::string_view framing_line);

  Http1Connection& connection_;
  const std::shared_ptr<BodyPipe> body_;
  const bool is_head_;
  const int minor_version_;
  const std::string upgrade_;  // the protocol the client asks for
  bool awaits_continue_;
  State state_ = State::kUnanswered;
  Framing framing_ = Framing::kNone;
  uint64_t length_left_ = 0;
  bool ended_ = false;
};

}  // namespace atl::net
