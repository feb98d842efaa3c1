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
  // What the pushing side wants to know; called inline, so it only marks and wakes.
  struct Hooks {
    std::function<void(size_t bytes)> taken;
    std::function<void()> dropped;  // the reader let go of an unfinished body
  };

  BodyPipe() = default;
  ~BodyPipe() override;

  void connect(Hooks hooks) { hooks_ = std::move(hooks); }
  // The connection goes away: no hook is called any more.
  void disconnect() { hooks_ = {}; }

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
  Hooks hooks_;
};

}  // namespace atl::net
