#include "base/net/body_pipe_impl.h"

namespace atl::net {

Task<std::string> BodyReader::read_all(size_t limit) {
  std::string all;
  while (true) {
    CO_TRY(std::string piece, co_await read_some());
    if (piece.empty()) co_return all;
    if (piece.size() > limit - all.size()) {
      co_return Error(Code::kTooLarge,
                      "the body is larger than " + std::to_string(limit) + " bytes");
    }
    if (all.empty()) {
      all = std::move(piece);
    } else {
      all += piece;
    }
  }
}

void BodyPipe::push(std::string piece) {
  if (piece.empty() || ended()) return;
  buffered_ += piece.size();
  pieces_.push_back(std::move(piece));
  changed_.notify();
}

void BodyPipe::finish(Headers trailers) {
  if (ended()) return;
  finished_ = true;
  trailers_ = std::move(trailers);
  changed_.notify();
}

void BodyPipe::fail(Error error) {
  if (ended()) return;
  failure_ = std::move(error);
  changed_.notify();
}

Task<std::string> BodyPipe::read_some() {
  while (pieces_.empty()) {
    if (failure_) co_return *failure_;
    if (finished_) co_return std::string();
    co_await changed_.wait();
  }
  std::string piece = std::move(pieces_.front());
  pieces_.pop_front();
  buffered_ -= piece.size();
  if (taken_) taken_(piece.size());
  co_return piece;
}

}  // namespace atl::net
