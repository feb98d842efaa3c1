#pragma once

#include <string>
#include <string_view>

#include "base/core/result.h"

namespace atl::gateway {

// HAProxy's command line on its Unix socket: one command a connection. Blocking (it answers within
// microseconds, and is given five seconds); used on the blocking pool.
class AdminSocket {
 public:
  explicit AdminSocket(std::string path) : path_(std::move(path)) {}

  // What it answers, without the last newline. kUnavailable: HAProxy does not run, or does not
  // answer. What it thinks of the command is in the answer's words.
  Result<std::string> ask(std::string_view command) const;
  // Commands that answer nothing when they succeed. kInvalid with HAProxy's words otherwise.
  Result<> run(std::string_view command) const;
  // The process id: another one means that it was restarted.
  Result<int> process() const;

 private:
  std::string path_;
};

}  // namespace atl::gateway
