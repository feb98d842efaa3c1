#pragma once

#include <memory>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/net/deadlines_impl.h"
#include "base/net/http2_stream_impl.h"
#include "base/net/transport_impl.h"

struct nghttp2_session;
struct nghttp2_session_callbacks;

namespace atl::net {

struct Http2Options {
  size_t header_bytes = 64 * 1024;
  size_t concurrent_streams = 1'000;  // that the peer may open
  Duration stall_timeout = std::chrono::minutes(5);
};

// The part of an HTTP/2 connection (RFC 9113) that servers and clients share, around nghttp2, which
// turns bytes into frames and back and does no I/O.
// One coroutine reads. Writing happens in flush(), without a coroutine while the socket takes all:
// whatever was queued in one turn of the loop goes out in one write, so that an event for thousands
// of streams costs a few system calls; what fills a write goes out before the end of the turn, so
// that the peer is busy with it meanwhile. Only a full socket starts the writer coroutine. Bounds:
// the flow-control windows below for what arrives, write_buffer_bytes of a stream and kFlushBytes
// of the connection for what goes out. A peer that floods with frames that carry nothing is sent
// away.
class Http2Session : public std::enable_shared_from_this<Http2Session> {
 public:
  static constexpr size_t kStreamWindowBytes = 256 * 1024;
  static constexpr size_t kConnectionWindowBytes = 1024 * 1024;
  static constexpr size_t kFlushBytes = 64 * 1024;
  static constexpr size_t kEmptyFramesPerSecond = 1'000;

  using Fields = std::vector<std::pair<std::string_view, std::string_view>>;

  virtual ~Http2Session();
  Http2Session(const Http2Session&) = delete;
  Http2Session& operator=(const Http2Session&) = delete;

  // Serves the connection until it is over; every stream is closed by then.
  Async<void> run(std::string early);

  // No new streams; the connection ends with the last one.
  void drain();
  // Breaks the connection off.
  void fail(Error error);

  // For streams.
  void resume(Http2Stream& stream);
  void output_queued(Http2Stream& stream, size_t bytes);
  // Writes at once where the streams have queued a whole write.
  void write_full_batch();
  void reset(Http2Stream& stream, uint32_t error_code);
  void body_taken(Http2Stream& stream, size_t bytes);
  void schedule_flush();
  MonoTime now() const { return deadlines_->now(); }

  size_t streams() const { return streams_.size(); }
  bool over() const { return over_; }
  // Why the connection broke, for people; empty where it did not.
  const std::string& end_reason() const { return end_reason_; }

 protected:
  enum class Side : uint8_t { kServer, kClient };
  Http2Session(Executor executor, std::unique_ptr<Transport> transport,
               std::shared_ptr<Deadlines> deadlines, Side side, Http2Options options);

  // A stream that the peer opened; null refuses it.
  virtual std::shared_ptr<Http2Stream> open_stream() { return nullptr; }
  // The last stream closed, or the first one opened.
  virtual void activity_changed() {}
  // Runs the writer coroutine for as long as it takes.
  virtual void run_writer() = 0;
  Async<void> write_rest();

  // Queues a head, and the stream's output behind it unless it ends there.
  Result<> submit_head(Http2Stream& stream, const Fields& fields, bool ends);
  void add_stream(std::shared_ptr<Http2Stream> stream);

  const Executor executor_;
  const std::shared_ptr<Deadlines> deadlines_;
  const Http2Options options_;
  nghttp2_session* session_ = nullptr;
  MonoTime last_received_{};

 private:
  friend struct Http2Callbacks;
  struct Closer;

  static nghttp2_session_callbacks* callbacks();
  void start(Side side);
  bool receive(std::string_view bytes);
  void flush();
  bool fill(std::string& out);
  void count_empty_frame();
  void close_stream(int32_t id, uint32_t error_code);
  void close_all();
  void check_stalls();
  Http2Stream* find(int32_t id);

  std::unique_ptr<Transport> transport_;
  std::unordered_map<int32_t, std::shared_ptr<Http2Stream>> streams_;
  std::vector<std::shared_ptr<Http2Stream>> just_closed_;  // released outside of nghttp2
  size_t queued_bytes_ = 0;                                // by streams since the last flush
  std::string unsent_;                                     // what the socket did not take
  std::string* filling_ = nullptr;  // where DATA goes while frames are collected
  Deadlines::Entry stall_check_;
  Deadlines::Entry write_deadline_;
  MonoTime empty_frames_since_{};
  size_t empty_frames_ = 0;
  std::string end_reason_;
  bool flush_posted_ = false;
  bool receiving_ = false;  // inside nghttp2, which must not be asked for output then
  bool writing_ = false;
  bool over_ = false;
  const bool is_server_;
};

}  // namespace atl::net
