#include "kernel/node/logs/log_stage.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

namespace atl::node {
namespace {

// The file's head, in the machine's byte order; the batch follows until the end of the file.
struct Head {
  uint64_t inode;
  uint64_t size;
  uint64_t stream;
};
constexpr off_t kHeadBytes = sizeof(Head);

}  // namespace

LogStage::LogStage(std::string file) : file_(std::move(file)) {}

// Not in the constructor: most containers say nothing.
bool LogStage::open() {
  if (!fd_) fd_.reset(::open(file_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  return bool(fd_);
}

std::optional<LogStage::Batch> LogStage::take_left(Place log_now) {
  fd_.reset(::open(file_.c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW));
  if (!fd_) return std::nullopt;
  Head head{};
  struct stat about{};
  const bool ours = ::fstat(fd_.get(), &about) == 0 && about.st_size > kHeadBytes &&
                    about.st_size <= kHeadBytes + off_t(kBatchBytes) &&
                    ::pread(fd_.get(), &head, sizeof head, 0) == kHeadBytes &&
                    Place{head.inode, head.size} == log_now;
  Batch out{head.stream == 0 ? LogStream::kStdout : LogStream::kStderr, {}};
  if (ours) out.bytes.resize(size_t(about.st_size - kHeadBytes));
  if (ours && ::pread(fd_.get(), out.bytes.data(), out.bytes.size(), kHeadBytes) ==
                  ssize_t(out.bytes.size()))
    return out;
  logged();
  return std::nullopt;
}

LogStage::Pipe LogStage::take(int pipe, LogStream stream, Place before, std::string& bytes) {
  const Head head{before.inode, before.size, uint64_t(stream)};
  if (!open() || ::pwrite(fd_.get(), &head, sizeof head, 0) != kHeadBytes) return Pipe::kUnfit;
  loff_t at = kHeadBytes;
  ssize_t n = 0;
  do {
    n = ::splice(pipe, nullptr, fd_.get(), &at, kBatchBytes, SPLICE_F_NONBLOCK);
  } while (n < 0 && errno == EINTR);
  if (n == 0) return Pipe::kEnded;
  if (n < 0) return errno == EAGAIN ? Pipe::kEmpty : Pipe::kUnfit;
  bytes.resize(size_t(n));
  const ssize_t back = ::pread(fd_.get(), bytes.data(), bytes.size(), kHeadBytes);
  bytes.resize(back > 0 ? size_t(back) : 0);
  return Pipe::kBatch;
}

void LogStage::logged() {
  (void)!::ftruncate(fd_.get(), 0);
}

void LogStage::remove() {
  fd_.reset();
  ::unlink(file_.c_str());
}

}  // namespace atl::node
