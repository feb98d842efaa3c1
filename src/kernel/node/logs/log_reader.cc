#include "kernel/node/logs/log_reader.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "base/io/files.h"

namespace atl::node {
namespace {

constexpr size_t kBlock = 64 * 1024;
constexpr Duration kLook = std::chrono::seconds(10);  // a safety net; writes wake the reader

// Turns CRI lines into what the container wrote.
class Formatter {
 public:
  explicit Formatter(const LogQuery& query)
      : query_(query), left_(query.limit_bytes.value_or(INT64_MAX)) {}

  bool exhausted() const { return left_ <= 0; }

  std::string take(std::string_view bytes) {
    pending_.append(bytes);
    std::string out;
    size_t from = 0;
    for (size_t end = 0; (end = pending_.find('\n', from)) != std::string::npos; from = end + 1) {
      add(std::string_view(pending_).substr(from, end - from), out);
    }
    pending_.erase(0, from);
    if (int64_t(out.size()) > left_) out.resize(size_t(std::max<int64_t>(left_, 0)));
    left_ -= int64_t(out.size());
    return out;
  }

 private:
  void add(std::string_view raw, std::string& out) {
    const auto line = parse_log_line(raw);
    if (!line) return;
    if (query_.since && !started_) {
      const auto at = parse_rfc3339(line->time);
      if (at && *at < *query_.since) return;
      started_ = true;
    }
    if (query_.timestamps && at_start_) out.append(line->time).push_back(' ');
    out.append(line->text);
    if (!line->partial) out.push_back('\n');
    at_start_ = !line->partial;
  }

  const LogQuery& query_;
  int64_t left_;
  std::string pending_;
  bool started_ = false;
  bool at_start_ = true;
};

}  // namespace

Result<int64_t> tail_offset(int fd, int64_t lines) {
  struct stat about{};
  if (::fstat(fd, &about) < 0) return io::errno_error("stat log", errno);
  int64_t end = about.st_size;
  if (lines <= 0) return end;
  int64_t found = 0;
  std::string block;
  for (int64_t at = end; at > 0;) {
    const int64_t from = std::max<int64_t>(0, at - int64_t(kBlock));
    block.resize(size_t(at - from));
    if (::pread(fd, block.data(), block.size(), from) != ssize_t(block.size()))
      return io::errno_error("read log", errno);
    for (int64_t i = at - from - 1; i >= 0; --i) {
      // The line's end that closes the file ends the last line.
      if (block[size_t(i)] == '\n' && from + i != end - 1 && ++found == lines) return from + i + 1;
    }
    at = from;
  }
  return 0;
}

Task<> read_log(std::string file, ContainerLogPtr log, LogQuery query, Timer& timer,
                std::function<Task<>(std::string piece)> sink) {
  io::UniqueFd fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!fd) co_return io::errno_error("open log", errno);
  uint64_t generation = log ? log->generation() : 0;
  if (query.tail_lines) {
    CO_TRY(const int64_t from, tail_offset(fd.get(), *query.tail_lines));
    ::lseek(fd.get(), from, SEEK_SET);
  }
  Formatter formatter(query);
  std::string block(kBlock, '\0');
  while (!formatter.exhausted()) {
    // Looked at before the read: what is written after it wakes us.
    const bool over = !query.follow || !log || log->finished();
    const uint64_t now = log ? log->generation() : 0;
    const ssize_t n = ::read(fd.get(), block.data(), block.size());
    if (n < 0) co_return io::errno_error("read log", errno);
    if (n > 0) {
      std::string piece = formatter.take(std::string_view(block.data(), size_t(n)));
      if (!piece.empty()) CO_TRY_OK(co_await sink(std::move(piece)));
      continue;
    }
    if (now != generation) {  // the old file is read to its end
      fd.reset(::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
      if (!fd) co_return io::errno_error("open log", errno);
      generation = now;
      continue;
    }
    if (over) break;
    co_await log->changed().wait_for(timer, kLook);
  }
  co_return Unit{};
}

}  // namespace atl::node
