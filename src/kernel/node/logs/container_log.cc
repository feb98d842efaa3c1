#include "kernel/node/logs/container_log.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

namespace atl::node {

ContainerLog::ContainerLog(std::string file, const Clock& clock, LogLimits limits)
    : file_(std::move(file)), clock_(clock), limits_(limits), stage_(file_ + ".stage") {
  open();
  if (auto left = stage_.take_left(place())) {
    write(left->stream, left->bytes);
    stage_.logged();
  }
}

void ContainerLog::open() {
  fd_.reset(::open(file_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0640));
  struct stat about{};
  const bool known = fd_ && ::fstat(fd_.get(), &about) == 0;
  inode_ = known ? uint64_t(about.st_ino) : 0;
  size_ = known ? uint64_t(about.st_size) : 0;
}

void ContainerLog::rotate() {
  for (int i = limits_.files - 2; i >= 1; --i) {
    std::rename((file_ + "." + std::to_string(i)).c_str(),
                (file_ + "." + std::to_string(i + 1)).c_str());
  }
  std::rename(file_.c_str(), (file_ + ".1").c_str());
  ++generation_;
  open();
}

void ContainerLog::write(LogStream stream, std::string_view bytes) {
  const std::string head =
      rfc3339_nano(clock_.now()) + (stream == LogStream::kStdout ? " stdout " : " stderr ");
  std::string out;
  for (std::string_view rest = bytes; !rest.empty();) {
    const size_t end = rest.find('\n');
    const bool full = end != std::string_view::npos;
    out += head;
    out += full ? "F " : "P ";
    out.append(rest.substr(0, end)).push_back('\n');
    rest.remove_prefix(full ? end + 1 : rest.size());
  }
  // A full disk loses lines, never the container: its pipe has to be drained.
  if (const ssize_t n = fd_ ? ::write(fd_.get(), out.data(), out.size()) : 0; n > 0)
    size_ += uint64_t(n);
  if (size_ >= limits_.file_bytes) rotate();
  for (auto it = listeners_.begin(); it != listeners_.end();) (it++)->second(stream, bytes);
  changed_.notify();
}

ContainerLog::Source ContainerLog::take(LogStream stream, int fd) {
  std::string bytes;
  switch (stage_.take(fd, stream, place(), bytes)) {
    case LogStage::Pipe::kEmpty:
      return Source::kEmpty;
    case LogStage::Pipe::kEnded:
      return Source::kEnded;
    case LogStage::Pipe::kUnfit:
      return read(stream, fd);
    case LogStage::Pipe::kBatch:
      break;
  }
  write(stream, bytes);
  stage_.logged();
  return Source::kMore;
}

// From a terminal, or onto a full disk: what was read and not written goes with the agent.
ContainerLog::Source ContainerLog::read(LogStream stream, int fd) {
  std::string bytes(LogStage::kBatchBytes, '\0');
  ssize_t n = 0;
  do {
    n = ::read(fd, bytes.data(), bytes.size());
  } while (n < 0 && errno == EINTR);
  if (n < 0 && errno == EAGAIN) return Source::kEmpty;
  if (n <= 0) return Source::kEnded;  // EIO: the terminal's other side closed
  write(stream, std::string_view(bytes).substr(0, size_t(n)));
  return Source::kMore;
}

void ContainerLog::finish() {
  finished_ = true;
  stage_.remove();
  changed_.notify();
}

uint64_t ContainerLog::listen(Listener listener) {
  listeners_[next_listener_] = std::move(listener);
  return next_listener_++;
}

std::optional<LogLine> parse_log_line(std::string_view line) {
  LogLine out;
  const size_t first = line.find(' ');
  if (first == std::string_view::npos) return std::nullopt;
  const size_t second = line.find(' ', first + 1);
  if (second == std::string_view::npos) return std::nullopt;
  const std::string_view stream = line.substr(first + 1, second - first - 1);
  if (stream != "stdout" && stream != "stderr") return std::nullopt;
  const std::string_view tag = line.substr(second + 1, 2);
  if (tag != "F " && tag != "P ") return std::nullopt;
  out.time = line.substr(0, first);
  out.stream = stream == "stderr" ? LogStream::kStderr : LogStream::kStdout;
  out.partial = tag[0] == 'P';
  out.text = line.substr(second + 3);
  return out;
}

}  // namespace atl::node
