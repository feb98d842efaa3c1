#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/io/unique_fd.h"

namespace atl::node {

enum class LogStream : uint8_t { kStdout, kStderr };

// Where bytes stand between a container's pipe and its log, so that an agent killed at any moment
// neither loses nor doubles a line. The kernel moves them from the pipe into this file in one step
// (splice); the file's head says after which byte of which log they belong. An agent that finds
// something here looks at the log: has it grown, the batch is in it; else it is written now.
// Owned by the container's log; one executor. Nothing is synced: with the machine the pipe ends
// too.
class LogStage {
 public:
  // Of the log, before the batch.
  struct Place {
    uint64_t inode = 0;
    uint64_t size = 0;
    bool operator==(const Place&) const = default;
  };
  struct Batch {
    LogStream stream = LogStream::kStdout;
    std::string bytes;
  };
  enum class Pipe : uint8_t { kEmpty, kEnded, kBatch, kUnfit };  // unfit: not a pipe, or no room

  explicit LogStage(std::string file);

  // What a killed agent took from a pipe and did not log: logged() follows. Nothing: it is empty
  // now.
  std::optional<Batch> take_left(Place log_now);

  // Moves what `pipe` (non-blocking) holds into the stage, kBatchBytes at most; `bytes` is set with
  // kBatch. After kBatch comes logged(), before anything else.
  Pipe take(int pipe, LogStream stream, Place before, std::string& bytes);
  void logged();

  // No pipe feeds it any more.
  void remove();

  static constexpr size_t kBatchBytes = 64 * 1024;

 private:
  bool open();

  std::string file_;
  io::UniqueFd fd_;
};

}  // namespace atl::node
