#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/async/event.h"
#include "base/core/clock.h"
#include "base/io/unique_fd.h"
#include "kernel/node/logs/log_stage.h"

namespace atl::node {

struct LogLimits {
  uint64_t file_bytes = 10 << 20;
  int files = 5;
};

// The log file of one run of a container, in the CRI format: "<time> <stdout|stderr> <F|P> <text>".
// What comes without a line's end is written at once as a partial line (P), and what comes from a
// pipe goes through FILE.stage, so that an agent killed at any moment loses and doubles nothing.
// Rotated by size: FILE.1 is the youngest of the old ones.
// Readers and attached clients are told of every write. Owned by the pod's worker, shared with
// readers. One executor; writes go to the page cache.
class ContainerLog {
 public:
  ContainerLog(std::string file, const Clock& clock, LogLimits limits = {});

  void write(LogStream stream, std::string_view bytes);
  // Logs what a pipe or terminal (non-blocking) holds, a block at most.
  enum class Source : uint8_t { kEmpty, kEnded, kMore };
  Source take(LogStream stream, int fd);
  // Nothing more will come: readers that follow end.
  void finish();
  bool finished() const { return finished_; }

  const std::string& file() const { return file_; }
  // Grows with each rotation.
  uint64_t generation() const { return generation_; }
  Event& changed() { return changed_; }

  using Listener = std::function<void(LogStream stream, std::string_view bytes)>;
  uint64_t listen(Listener listener);
  void forget(uint64_t listener) { listeners_.erase(listener); }

 private:
  void open();
  void rotate();
  LogStage::Place place() const { return {inode_, size_}; }
  Source read(LogStream stream, int fd);

  std::string file_;
  const Clock& clock_;
  LogLimits limits_;
  io::UniqueFd fd_;
  uint64_t inode_ = 0;
  uint64_t size_ = 0;
  LogStage stage_;
  uint64_t generation_ = 0;
  bool finished_ = false;
  Event changed_;
  std::map<uint64_t, Listener> listeners_;
  uint64_t next_listener_ = 1;
};
using ContainerLogPtr = std::shared_ptr<ContainerLog>;

struct LogLine {
  std::string_view time;
  LogStream stream = LogStream::kStdout;
  bool partial = false;
  std::string_view text;  // without the line's end
};
// Nothing where the line is not in the CRI format.
std::optional<LogLine> parse_log_line(std::string_view line);

}  // namespace atl::node
