#include <algorithm>

#include "base/net/fields_impl.h"
#include "base/net/http2_session_impl.h"
#include "base/net/http2_stream_impl.h"

namespace atl::net {
namespace {

constexpr size_t kFieldOverheadBytes = 32;  // RFC 9113 6.5.2 counts each field with it

}  // namespace

void Http2Stream::add_field(std::string_view name, std::string_view value, size_t limit) {
  header_bytes_ += name.size() + value.size() + kFieldOverheadBytes;
  if (header_bytes_ > limit) head_too_large_ = true;
  if (head_too_large_) return;
  if (head_done_) {
    trailers_in_.add(std::string(name), std::string(value));
  } else if (name == "cookie" && headers_.has("cookie")) {
    // HTTP/2 may send a cookie in crumbs; HTTP has one field for it (RFC 9113 8.2.3).
    headers_.set("cookie", std::string(headers_.get("cookie")) + "; " + std::string(value));
  } else if (!name.starts_with(':')) {
    headers_.add(std::string(name), std::string(value));
  } else if (name == ":method") {
    method_ = value;
  } else if (name == ":path") {
    path_ = value;
  } else if (name == ":authority") {
    authority_ = value;
  } else if (name == ":status") {
    status_ = value;
  }
}

void Http2Stream::push_body(std::string_view piece) {
  last_progress_ = session_.now();
  unconsumed_ += piece.size();
  if (input_ && !input_->ended()) {
    input_->push(std::string(piece));
  } else {
    session_.body_taken(*this, piece.size());
  }
}

void Http2Stream::end_of_input() {
  input_ended_ = true;
  if (input_) input_->finish(std::move(trailers_in_));
}

Result<> Http2Stream::queue(std::vector<SharedBytes> pieces) {
  if (closed_) return Error(Code::kUnavailable, "the peer closed the stream");
  if (output_finished_) return Error(Code::kInternal, "the stream has been finished already");
  if (output_bytes_ == 0) last_progress_ = session_.now();
  std::erase_if(pieces, [](const SharedBytes& piece) { return piece->empty(); });
  size_t size = 0;
  for (const SharedBytes& piece : pieces) size += piece->size();
  output_bytes_ += size;
  if (output_.empty()) {
    output_ = std::move(pieces);
  } else {
    output_.insert(output_.end(), std::make_move_iterator(pieces.begin()),
                   std::make_move_iterator(pieces.end()));
  }
  session_.output_queued(*this, size);
  return Unit{};
}

Task<> Http2Stream::wait_for_room(size_t limit) {
  const auto self = shared_from_this();
  if (!closed_) session_.write_full_batch();
  while (!closed_ && output_bytes_ > limit) co_await changed_.wait();
  if (closed_ && output_bytes_ > 0)
    co_return Error(Code::kUnavailable, "the peer closed the stream");
  co_return Unit{};
}

Result<> Http2Stream::finish(Headers trailers) {
  if (closed_) return Error(Code::kUnavailable, "the peer closed the stream");
  if (output_finished_) return Error(Code::kInternal, "the stream has been finished already");
  TRY_OK(check_outgoing(trailers));
  trailers_out_ = std::move(trailers);
  output_finished_ = true;
  session_.resume(*this);
  return Unit{};
}

void Http2Stream::reset(uint32_t error_code) {
  if (!closed_) session_.reset(*this, error_code);
}

void Http2Stream::take_output(size_t length, std::string& into) {
  last_progress_ = session_.now();
  output_bytes_ -= length;
  while (length > 0) {
    const std::string_view rest =
        std::string_view(*output_[output_first_]).substr(output_offset_, length);
    into.append(rest);
    length -= rest.size();
    output_offset_ += rest.size();
    if (output_offset_ < output_[output_first_]->size()) continue;
    output_[output_first_].reset();
    output_offset_ = 0;
    if (++output_first_ < output_.size()) continue;
    output_.clear();
    output_first_ = 0;
  }
  changed_.notify();
}

}  // namespace atl::net
