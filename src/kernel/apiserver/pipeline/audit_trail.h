#pragma once

#include <memory>
#include <string>

#include "base/io/unique_fd.h"
#include "kernel/apiserver/pipeline/exchange.h"

namespace atl::apiserver {

// The file that tells who changed what: a JSON line for each write, each connect to a container,
// and each request that was refused for want of identity or rights. No bodies and no secrets. Lines
// are gathered and written by flush(), which the server calls each second, or once there are 64 KiB
// of them; a crash loses that second. Refusals beyond kRefusedMax between two flushes are only
// counted, so that nobody washes the trail away. Owned by main(), outlives the server; one
// executor.
class AuditTrail {
 public:
  struct Options {
    std::string file;  // and file.1, file.2 ...: older
    uint64_t rotate_bytes = 16 << 20;
    int files = 3;
  };
  static constexpr size_t kRefusedMax = 100;

  // As errno_error where the file cannot be written.
  static Result<std::unique_ptr<AuditTrail>> open(Options options);

  // Does nothing for requests that leave no trail.
  void note(const Exchange& exchange, WallTime now);
  // What cannot be written is lost, and told in the log.
  void flush();

 private:
  explicit AuditTrail(Options options) : options_(std::move(options)) {}
  Result<> reopen();
  Result<> rotate();
  Result<> write_out();

  const Options options_;
  io::UniqueFd file_;
  uint64_t size_ = 0;
  std::string lines_;
  size_t refused_ = 0;  // since the last flush
};

}  // namespace atl::apiserver
