#pragma once

#include <memory>
#include <string>

#include "base/async/blocking_pool.h"
#include "base/async/task.h"
#include "base/io/unique_fd.h"

namespace atl::oci {

// One run of atoll-unpack, fed piece by piece. Owned by the pull or load that needs it; its
// destructor ends the child. Errors: kInvalid with the child's words, kUnavailable where it cannot
// be started.
class UnpackChild {
 public:
  enum class Job : uint8_t { kLayer, kArchive };
  // `folder`: an empty folder of its own, the child's root and current folder (for archives: where
  // files go). `output`: the EROFS file (layers).
  static Result<std::unique_ptr<UnpackChild>> start(BlockingPool& pool, const std::string& program,
                                                    Job job, const std::string& folder, int output);
  ~UnpackChild();

  Task<> feed(std::string piece);
  // The same from an open file, to its end.
  Task<> feed_file(std::string path);
  // Ends the input and waits; what the child printed.
  Task<std::string> finish();

 private:
  UnpackChild(BlockingPool& pool, int pid, io::UniqueFd input, io::UniqueFd output,
              io::UniqueFd errors);

  BlockingPool& pool_;
  int pid_;
  io::UniqueFd input_, output_, errors_;
};

}  // namespace atl::oci
