#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "base/async/task.h"
#include "base/async/timer.h"
#include "kernel/node/logs/container_log.h"

namespace atl::node {

// v1.PodLogOptions, as far as they concern one file.
struct LogQuery {
  bool follow = false;
  bool timestamps = false;
  std::optional<int64_t> tail_lines;
  std::optional<WallTime> since;
  std::optional<int64_t> limit_bytes;
};

// Writes the lines of a log file, as the container wrote them, to `sink` until the end of the file;
// with follow, until the log is finished or the sink fails. `log` is null for a run that is over.
// kNotFound: there is no such file; else what the sink says.
Task<> read_log(std::string file, ContainerLogPtr log, LogQuery query, Timer& timer,
                std::function<Task<>(std::string piece)> sink);

// The offset from which the last `lines` lines of the file start.
Result<int64_t> tail_offset(int fd, int64_t lines);

}  // namespace atl::node
