#pragma once

#include <functional>
#include <list>
#include <optional>
#include <string>

#include "base/async/event.h"
#include "base/net/http.h"

namespace atl::net {

// A body between the connection that receives it and the one who reads it. Bounded by whoever
// pushes: it watches buffered() and goes on when told that bytes were taken. Shared by both; either
// may let go first. One reader at a time, one executor.
class BodyPipe final : public BodyReader {
 public:
  // Tells the pushing side that bytes were taken; called inline, so it only marks and wakes.
  using Taken = std::function<void(size_t bytes)>;

  void connect(Taken taken) { taken_ = std::move(taken); }
  // The connection goes away: it is told nothing any more.
  void disconnect() { taken_ = nullptr; }

  void push(std::string piece);
  void finish(Headers trailers = {});
  // The reader gets what was pushed before, then the error.
  void fail(Error error);

  size_t buffered() const { return buffered_; }
  bool ended() const { return finished_ || failure_.has_value(); }

  Task<std::string> read_some() override;
  Headers trailers() const override { return trailers_; }

 private:
  std::list<std::string> pieces_;
  size_t buffered_ = 0;
  bool finished_ = false;
  std::optional<Error> failure_;
  Headers trailers_;
  Event changed_;
  Taken taken_;
};

}  // namespace atl::net
