#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/async/event.h"
#include "base/net/body_pipe_impl.h"

namespace atl::net {

class Http2Session;

// One stream of an HTTP/2 connection: the head and body that arrive, and the body that goes out.
// Shared by the session and by whoever serves or reads it; the session marks it closed before it
// goes away, and nobody touches the session through a closed stream. One executor.
class Http2Stream : public std::enable_shared_from_this<Http2Stream> {
 public:
  explicit Http2Stream(Http2Session& session) : session_(session) {}
  virtual ~Http2Stream() = default;

  int32_t id() const { return id_; }
  bool closed() const { return closed_; }

  // Queues bytes for the peer. kUnavailable once the stream is closed.
  Result<> queue(std::vector<SharedBytes> pieces);
  // Waits while more than `limit` of the queued bytes are unsent. kUnavailable where the stream was
  // closed before all were.
  Task<> wait_for_room(size_t limit);
  // After the bytes queued so far the stream ends from our side.
  Result<> finish(Headers trailers);
  // Breaks the stream off with an HTTP/2 error code.
  void reset(uint32_t error_code);

 protected:
  friend class Http2Session;
  friend struct Http2Callbacks;

  // Called by the session from within nghttp2: they only mark and wake.
  virtual void on_head() = 0;
  virtual void on_closed() = 0;

  // The pseudo fields and fields of the head that arrives; trailers once the head is done.
  void add_field(std::string_view name, std::string_view value, size_t limit);
  void push_body(std::string_view piece);
  void end_of_input();

  Http2Session& session_;
  int32_t id_ = 0;

  std::string method_;
  std::string path_;
  std::string authority_;
  std::string status_;
  Headers headers_;
  Headers trailers_in_;
  size_t header_bytes_ = 0;
  bool head_too_large_ = false;
  bool head_done_ = false;
  bool head_sent_ = false;  // ours
  bool input_ended_ = false;
  std::shared_ptr<BodyPipe> input_;  // null: what arrives is thrown away
  size_t unconsumed_ = 0;            // bytes of the window that the peer has not got back
  MonoTime last_progress_{};

  std::vector<SharedBytes> output_;
  size_t output_first_ = 0;   // the piece to go on with
  size_t output_offset_ = 0;  // bytes of it that are gone
  size_t output_bytes_ = 0;
  bool output_finished_ = false;
  bool output_deferred_ = false;  // nghttp2 waits to be told of more
  Headers trailers_out_;

  Event changed_;  // room in the output, a head, the end
  bool closed_ = false;
  uint32_t close_code_ = 0;

 private:
  // The next `length` bytes of the output, appended to `into`.
  void take_output(size_t length, std::string& into);
};

}  // namespace atl::net
