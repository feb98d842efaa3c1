#include <nghttp2/nghttp2.h>

#include <array>

#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "base/core/check.h"
#include "base/net/http2_session_impl.h"

namespace atl::net {
namespace {

constexpr int kReadsInARow = 4;  // then others have their turn
constexpr uint64_t kResetBurst = 2'000;
constexpr uint64_t kResetsPerSecond = 200;
constexpr size_t kContinuationsMax = 8;
constexpr Duration kEmptyFramesWindow = std::chrono::seconds(1);

std::string_view view(const uint8_t* data, size_t size) {
  return {reinterpret_cast<const char*>(data), size};
}

nghttp2_nv pair_of(std::string_view name, std::string_view value) {
  const auto bytes = [](std::string_view text) {
    return reinterpret_cast<uint8_t*>(const_cast<char*>(text.data()));
  };
  return {bytes(name), bytes(value), name.size(), value.size(), NGHTTP2_NV_FLAG_NONE};
}

}  // namespace

// What nghttp2 calls. None of them throws or runs foreign code: they mark streams and wake
// coroutines.
struct Http2Callbacks {
  static Http2Session& session(void* user) { return *static_cast<Http2Session*>(user); }

  static int begin_headers(nghttp2_session* raw, const nghttp2_frame* frame, void* user) {
    Http2Session& self = session(user);
    if (frame->headers.cat != NGHTTP2_HCAT_REQUEST) return 0;
    auto stream = self.open_stream();
    if (stream == nullptr) {
      nghttp2_submit_rst_stream(raw, NGHTTP2_FLAG_NONE, frame->hd.stream_id,
                                NGHTTP2_REFUSED_STREAM);
      return 0;
    }
    stream->id_ = frame->hd.stream_id;
    self.add_stream(std::move(stream));
    return 0;
  }

  static int header(nghttp2_session*, const nghttp2_frame* frame, const uint8_t* name,
                    size_t name_size, const uint8_t* value, size_t value_size, uint8_t,
                    void* user) {
    Http2Session& self = session(user);
    Http2Stream* stream = self.find(frame->hd.stream_id);
    if (stream != nullptr)
      stream->add_field(view(name, name_size), view(value, value_size), self.options_.header_bytes);
    return 0;
  }

  static int frame_received(nghttp2_session*, const nghttp2_frame* frame, void* user) {
    Http2Session& self = session(user);
    const bool ends = (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
    const uint8_t type = frame->hd.type;
    if (type == NGHTTP2_PING || type == NGHTTP2_SETTINGS) self.count_empty_frame();
    if (type == NGHTTP2_DATA && frame->hd.length == 0 && !ends) self.count_empty_frame();
    Http2Stream* stream = self.find(frame->hd.stream_id);
    if (stream == nullptr) return 0;
    if (type == NGHTTP2_HEADERS && !stream->head_done_) {
      const bool interim = stream->status_.size() == 3 && stream->status_[0] == '1';
      if (ends) stream->input_ended_ = true;
      if (interim) {
        stream->headers_ = {};
      } else {
        stream->head_done_ = true;
        stream->on_head();
      }
    }
    if ((type == NGHTTP2_HEADERS || type == NGHTTP2_DATA) && ends) stream->end_of_input();
    return 0;
  }

  static int data(nghttp2_session* raw, uint8_t, int32_t id, const uint8_t* bytes, size_t size,
                  void* user) {
    Http2Stream* stream = session(user).find(id);
    if (stream != nullptr) {
      stream->push_body(view(bytes, size));
    } else {
      nghttp2_session_consume_connection(raw, size);
    }
    return 0;
  }

  static int closed(nghttp2_session*, int32_t id, uint32_t error_code, void* user) {
    session(user).close_stream(id, error_code);
    return 0;
  }

  // An answer that is complete before its request is: the rest of the request is not wanted.
  static int frame_sent(nghttp2_session* raw, const nghttp2_frame* frame, void* user) {
    Http2Stream* stream = session(user).find(frame->hd.stream_id);
    if (stream == nullptr) return 0;
    if (frame->hd.type == NGHTTP2_HEADERS) stream->head_sent_ = true;
    const bool ends = (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
    if (ends && session(user).is_server_ && !stream->input_ended_) {
      nghttp2_submit_rst_stream(raw, NGHTTP2_FLAG_NONE, frame->hd.stream_id, NGHTTP2_NO_ERROR);
    }
    return 0;
  }

  static ssize_t read_output(nghttp2_session* raw, int32_t id, uint8_t*, size_t room,
                             uint32_t* flags, nghttp2_data_source* source, void*) {
    auto& stream = *static_cast<Http2Stream*>(source->ptr);
    const size_t size = std::min(room, stream.output_bytes_);
    if (size == 0 && !stream.output_finished_) {
      stream.output_deferred_ = true;
      return NGHTTP2_ERR_DEFERRED;
    }
    *flags |= NGHTTP2_DATA_FLAG_NO_COPY;
    if (size < stream.output_bytes_ || !stream.output_finished_) return static_cast<ssize_t>(size);
    *flags |= NGHTTP2_DATA_FLAG_EOF;
    if (stream.trailers_out_.items().empty()) return static_cast<ssize_t>(size);
    std::vector<nghttp2_nv> fields;
    for (const auto& [name, value] : stream.trailers_out_.items())
      fields.push_back(pair_of(name, value));
    if (nghttp2_submit_trailer(raw, id, fields.data(), fields.size()) == 0)
      *flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
    return static_cast<ssize_t>(size);
  }

  static int send_data(nghttp2_session*, nghttp2_frame*, const uint8_t* head, size_t length,
                       nghttp2_data_source* source, void* user) {
    std::string& out = *session(user).filling_;
    out.append(view(head, 9));
    static_cast<Http2Stream*>(source->ptr)->take_output(length, out);
    return 0;
  }
};

nghttp2_session_callbacks* Http2Session::callbacks() {
  static nghttp2_session_callbacks* const kCallbacks = [] {
    nghttp2_session_callbacks* out = nullptr;
    CHECK(nghttp2_session_callbacks_new(&out) == 0);
    nghttp2_session_callbacks_set_on_begin_headers_callback(out, Http2Callbacks::begin_headers);
    nghttp2_session_callbacks_set_on_header_callback(out, Http2Callbacks::header);
    nghttp2_session_callbacks_set_on_frame_recv_callback(out, Http2Callbacks::frame_received);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(out, Http2Callbacks::data);
    nghttp2_session_callbacks_set_on_stream_close_callback(out, Http2Callbacks::closed);
    nghttp2_session_callbacks_set_on_frame_send_callback(out, Http2Callbacks::frame_sent);
    nghttp2_session_callbacks_set_send_data_callback(out, Http2Callbacks::send_data);
    return out;
  }();
  return kCallbacks;
}

Http2Session::Http2Session(Executor executor, std::unique_ptr<Transport> transport,
                           std::shared_ptr<Deadlines> deadlines, Side side, Http2Options options)
    : executor_(std::move(executor)),
      deadlines_(std::move(deadlines)),
      options_(options),
      transport_(std::move(transport)),
      stall_check_(*deadlines_, [this] { check_stalls(); }),
      write_deadline_(*deadlines_,
                      [this] { fail(Error(Code::kUnavailable, "the peer reads nothing")); }),
      is_server_(side == Side::kServer) {
  start(side);
}

Http2Session::~Http2Session() {
  nghttp2_session_del(session_);
}

void Http2Session::start(Side side) {
  nghttp2_option* option = nullptr;
  CHECK(nghttp2_option_new(&option) == 0);
  nghttp2_option_set_no_auto_window_update(option, 1);
  nghttp2_option_set_stream_reset_rate_limit(option, kResetBurst, kResetsPerSecond);
  nghttp2_option_set_max_continuations(option, kContinuationsMax);
  const int made = side == Side::kServer
                       ? nghttp2_session_server_new2(&session_, callbacks(), this, option)
                       : nghttp2_session_client_new2(&session_, callbacks(), this, option);
  nghttp2_option_del(option);
  CHECK(made == 0);
  std::vector<nghttp2_settings_entry> settings{
      {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, kStreamWindowBytes},
      {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, static_cast<uint32_t>(options_.header_bytes)},
  };
  if (side == Side::kServer) {
    settings.push_back({NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS,
                        static_cast<uint32_t>(options_.concurrent_streams)});
    settings.push_back({NGHTTP2_SETTINGS_NO_RFC7540_PRIORITIES, 1});
  } else {
    settings.push_back({NGHTTP2_SETTINGS_ENABLE_PUSH, 0});
  }
  CHECK(nghttp2_submit_settings(session_, NGHTTP2_FLAG_NONE, settings.data(), settings.size()) ==
        0);
  CHECK(nghttp2_session_set_local_window_size(session_, NGHTTP2_FLAG_NONE, 0,
                                              kConnectionWindowBytes) == 0);
}

// However run() ends (also by cancellation), no stream stays open without it.
struct Http2Session::Closer {
  explicit Closer(std::shared_ptr<Http2Session> s) : session(std::move(s)) {}
  ~Closer() {
    session->over_ = true;
    session->close_all();
  }
  Closer(const Closer&) = delete;
  Closer& operator=(const Closer&) = delete;
  const std::shared_ptr<Http2Session> session;
};

Async<void> Http2Session::run(std::string early) {
  const Closer closer(shared_from_this());
  bool alive = early.empty() || receive(early);
  schedule_flush();
  int in_a_row = 0;
  while (alive && !over_) {
    const auto count = transport_->try_read(read_scratch());
    if (!count) end_reason_ = count.error().message();
    if (!count || (*count && **count == 0)) break;
    if (*count) {
      alive = receive({read_scratch().data(), **count});
      if (++in_a_row % kReadsInARow == 0) co_await asio::post(executor_, asio::use_awaitable);
      continue;
    }
    in_a_row = 0;
    const auto ready = co_await transport_->wait_readable();
    if (!ready) end_reason_ = ready.error().message();
    if (!ready) break;
  }
  if (!over_) flush();  // what nghttp2 has to say about it
}

bool Http2Session::receive(std::string_view bytes) {
  last_received_ = now();
  receiving_ = true;
  const ssize_t used = nghttp2_session_mem_recv(
      session_, reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size());
  receiving_ = false;
  just_closed_.clear();
  schedule_flush();
  if (used >= 0) return true;
  // nghttp2 says goodbye by itself for what breaks the protocol, but not for floods.
  end_reason_ = nghttp2_strerror(static_cast<int>(used));
  nghttp2_session_terminate_session(session_, NGHTTP2_ENHANCE_YOUR_CALM);
  return false;
}

Http2Stream* Http2Session::find(int32_t id) {
  const auto found = streams_.find(id);
  return found == streams_.end() ? nullptr : found->second.get();
}

void Http2Session::add_stream(std::shared_ptr<Http2Stream> stream) {
  stream->last_progress_ = now();
  const int32_t id = stream->id_;
  streams_.emplace(id, std::move(stream));
  if (streams_.size() > 1) return;
  stall_check_.set_after(options_.stall_timeout);
  activity_changed();
}

void Http2Session::close_stream(int32_t id, uint32_t error_code) {
  const auto found = streams_.find(id);
  if (found == streams_.end()) return;
  const auto stream = std::move(found->second);
  streams_.erase(found);
  just_closed_.push_back(stream);
  if (stream->unconsumed_ > 0) nghttp2_session_consume_connection(session_, stream->unconsumed_);
  stream->unconsumed_ = 0;
  stream->closed_ = true;
  stream->close_code_ = error_code;
  if (stream->input_) {
    stream->input_->disconnect();
    stream->input_->fail(Error(Code::kUnavailable, "the peer broke off inside the body"));
  }
  stream->changed_.notify();
  stream->on_closed();
  if (streams_.empty()) activity_changed();
}

void Http2Session::close_all() {
  while (!streams_.empty()) close_stream(streams_.begin()->first, NGHTTP2_INTERNAL_ERROR);
  just_closed_.clear();
  stall_check_.clear();
  write_deadline_.clear();
}

void Http2Session::drain() {
  if (over_) return;
  nghttp2_submit_goaway(session_, NGHTTP2_FLAG_NONE,
                        nghttp2_session_get_last_proc_stream_id(session_), NGHTTP2_NO_ERROR,
                        nullptr, 0);
  schedule_flush();
}

void Http2Session::fail(Error error) {
  transport_->fail(std::move(error));
}

void Http2Session::resume(Http2Stream& stream) {
  if (stream.output_deferred_) {
    stream.output_deferred_ = false;
    nghttp2_session_resume_data(session_, stream.id_);
  }
  schedule_flush();
}

void Http2Session::output_queued(Http2Stream& stream, size_t bytes) {
  queued_bytes_ += bytes;
  resume(stream);
}

// A handler begins, and may answer, while nghttp2 still reads its request.
void Http2Session::write_full_batch() {
  if (queued_bytes_ >= kFlushBytes && !receiving_) flush();
}

void Http2Session::reset(Http2Stream& stream, uint32_t error_code) {
  nghttp2_submit_rst_stream(session_, NGHTTP2_FLAG_NONE, stream.id_, error_code);
  schedule_flush();
}

void Http2Session::body_taken(Http2Stream& stream, size_t bytes) {
  if (stream.closed_) return;
  stream.unconsumed_ -= bytes;
  nghttp2_session_consume(session_, stream.id_, bytes);
  schedule_flush();
}

Result<> Http2Session::submit_head(Http2Stream& stream, const Fields& fields, bool ends) {
  std::vector<nghttp2_nv> pairs;
  pairs.reserve(fields.size());
  for (const auto& [name, value] : fields) pairs.push_back(pair_of(name, value));
  nghttp2_data_provider provider{{.ptr = &stream}, Http2Callbacks::read_output};
  nghttp2_data_provider* body = ends ? nullptr : &provider;
  int result = 0;
  if (is_server_) {
    result = nghttp2_submit_response(session_, stream.id_, pairs.data(), pairs.size(), body);
  } else {
    result = nghttp2_submit_request(session_, nullptr, pairs.data(), pairs.size(), body, nullptr);
    if (result > 0) stream.id_ = result;
  }
  if (result < 0)
    return Error(Code::kUnavailable, std::string("HTTP/2: ") + nghttp2_strerror(result));
  schedule_flush();
  return Unit{};
}

// Frames that cost us work and carry nothing, more than any honest peer sends.
void Http2Session::count_empty_frame() {
  const MonoTime at = now();
  if (at - empty_frames_since_ > kEmptyFramesWindow) {
    empty_frames_since_ = at;
    empty_frames_ = 0;
  }
  if (++empty_frames_ == kEmptyFramesPerSecond)
    nghttp2_session_terminate_session(session_, NGHTTP2_ENHANCE_YOUR_CALM);
}

// A peer that neither sends the body it promised nor takes what it asked for holds memory for
// nothing.
void Http2Session::check_stalls() {
  const MonoTime limit = now() - options_.stall_timeout;
  for (const auto& [id, stream] : streams_) {
    if (stream->last_progress_ > limit) continue;
    if (stream->output_bytes_ > 0) {
      reset(*stream, NGHTTP2_CANCEL);
    } else if (is_server_ && !stream->input_ended_ && stream->input_) {
      stream->input_->fail(Error(Code::kTimeout, "the body stopped arriving"));
    }
  }
  if (!streams_.empty()) stall_check_.set_after(options_.stall_timeout / 2);
}

void Http2Session::schedule_flush() {
  if (flush_posted_ || over_) return;
  flush_posted_ = true;
  asio::post(executor_, [weak = weak_from_this()] {
    const auto self = weak.lock();
    if (self == nullptr) return;
    self->flush_posted_ = false;
    self->flush();
  });
}

// Collects frames until there is a buffer full of them; false on an error of nghttp2.
bool Http2Session::fill(std::string& out) {
  filling_ = &out;
  bool good = true;
  while (out.size() < kFlushBytes) {
    const uint8_t* frame = nullptr;
    const ssize_t size = nghttp2_session_mem_send(session_, &frame);
    good = size >= 0;
    if (size <= 0) break;
    out.append(view(frame, static_cast<size_t>(size)));
  }
  filling_ = nullptr;
  just_closed_.clear();
  return good;
}

void Http2Session::flush() {
  if (writing_ || over_) return;
  queued_bytes_ = 0;
  thread_local std::string out;
  while (true) {
    out.clear();
    if (!fill(out)) return fail(Error(Code::kUnavailable, "HTTP/2: out of step with the peer"));
    if (out.empty()) break;
    const std::array<std::string_view, 1> pieces{out};
    const auto taken = transport_->try_write(pieces);
    if (!taken) return fail(taken.error());
    if (*taken == out.size()) continue;
    unsent_.assign(out, *taken);
    writing_ = true;
    return run_writer();
  }
  if (nghttp2_session_want_read(session_) == 0 && nghttp2_session_want_write(session_) == 0) {
    over_ = true;
    transport_->interrupt();
  }
}

// Empties a full socket's backlog, then hands over to flush() again.
Async<void> Http2Session::write_rest() {
  const auto self = shared_from_this();
  while (!unsent_.empty()) {
    write_deadline_.set_after(options_.stall_timeout);
    const auto ready = co_await transport_->wait_writable();
    if (!ready) co_return;
    const std::array<std::string_view, 1> pieces{unsent_};
    const auto taken = transport_->try_write(pieces);
    if (!taken) {
      fail(taken.error());
      co_return;
    }
    unsent_.erase(0, *taken);
  }
  unsent_ = std::string();
  write_deadline_.clear();
  writing_ = false;
  flush();
}

}  // namespace atl::net
