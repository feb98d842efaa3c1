#include "oci/unpack_child.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>

#include "base/io/files.h"

namespace atl::oci {
namespace {

constexpr size_t kOutputMax = 16 << 20;
constexpr size_t kPieceBytes = 256 * 1024;

// A socket, so that a child that ended early is EPIPE and never a signal.
Result<> send_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return io::errno_error("feed the unpacker", errno);
    bytes.remove_prefix(size_t(n));
  }
  return Unit{};
}

std::string read_all(int fd) {
  std::string out;
  char buffer[16384];
  for (;;) {
    const ssize_t n = ::read(fd, buffer, sizeof buffer);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0 || out.size() > kOutputMax) return out;
    out.append(buffer, size_t(n));
  }
}

struct Pair {
  io::UniqueFd ours, theirs;
};

Result<Pair> make_pipe() {
  int fds[2];
  if (::pipe2(fds, O_CLOEXEC) != 0) return io::errno_error("make a pipe", errno);
  return Pair{io::UniqueFd(fds[0]), io::UniqueFd(fds[1])};
}

Result<Pair> make_socket() {
  int fds[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) != 0)
    return io::errno_error("make a socket", errno);
  return Pair{io::UniqueFd(fds[0]), io::UniqueFd(fds[1])};
}

}  // namespace

UnpackChild::UnpackChild(BlockingPool& pool, int pid, io::UniqueFd input, io::UniqueFd output,
                         io::UniqueFd errors)
    : pool_(pool),
      pid_(pid),
      input_(std::move(input)),
      output_(std::move(output)),
      errors_(std::move(errors)) {}

UnpackChild::~UnpackChild() {
  if (pid_ <= 0) return;
  ::kill(pid_, SIGKILL);
  while (::waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
  }
}

Result<std::unique_ptr<UnpackChild>> UnpackChild::start(BlockingPool& pool,
                                                        const std::string& program, Job job,
                                                        const std::string& folder, int output) {
  TRY(Pair in, make_socket());
  TRY(Pair out, make_pipe());
  TRY(Pair err, make_pipe());
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_adddup2(&actions, in.theirs.get(), STDIN_FILENO);
  ::posix_spawn_file_actions_adddup2(&actions, out.theirs.get(), STDOUT_FILENO);
  ::posix_spawn_file_actions_adddup2(&actions, err.theirs.get(), STDERR_FILENO);
  if (output >= 0) ::posix_spawn_file_actions_adddup2(&actions, output, 3);
  ::posix_spawn_file_actions_addchdir_np(&actions, folder.c_str());
  ::posix_spawn_file_actions_addclosefrom_np(&actions, output >= 0 ? 4 : 3);
  std::string name = "atoll-unpack", verb = job == Job::kLayer ? "layer" : "archive";
  char* arguments[] = {name.data(), verb.data(), nullptr};
  char* environment[] = {nullptr};
  pid_t pid = -1;
  const int error = ::posix_spawn(&pid, program.c_str(), &actions, nullptr, arguments, environment);
  ::posix_spawn_file_actions_destroy(&actions);
  if (error != 0) return io::errno_error("start " + program, error);
  return std::unique_ptr<UnpackChild>(
      new UnpackChild(pool, pid, std::move(in.ours), std::move(out.ours), std::move(err.ours)));
}

Task<> UnpackChild::feed(std::string piece) {
  auto sent = co_await pool_.run(
      [this, bytes = std::move(piece)] { return send_all(input_.get(), bytes); });
  if (sent) co_return Unit{};
  // The child said why before it left.
  const auto why = co_await finish();
  co_return why ? std::move(sent).error() : why.error();
}

Task<> UnpackChild::feed_file(std::string path) {
  const io::UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!file) co_return io::errno_error("open " + path, errno);
  for (;;) {
    std::string piece(kPieceBytes, '\0');
    const ssize_t n = ::read(file.get(), piece.data(), piece.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) co_return io::errno_error("read " + path, errno);
    if (n == 0) co_return Unit{};
    piece.resize(size_t(n));
    CO_TRY_OK(co_await feed(std::move(piece)));
  }
}

Task<std::string> UnpackChild::finish() {
  input_.reset();
  struct Outcome {
    std::string printed, errors;
    int status = 0;
  };
  const Outcome outcome = co_await pool_.run([this] {
    Outcome o{read_all(output_.get()), read_all(errors_.get()), 0};
    while (::waitpid(pid_, &o.status, 0) < 0 && errno == EINTR) {
    }
    return o;
  });
  pid_ = -1;
  if (WIFEXITED(outcome.status) && WEXITSTATUS(outcome.status) == 0) co_return outcome.printed;
  if (WIFSIGNALED(outcome.status)) {
    co_return Error(Code::kInvalid, "the archive made the unpacker end by signal " +
                                        std::to_string(WTERMSIG(outcome.status)));
  }
  std::string text = outcome.errors.empty() ? "the archive cannot be unpacked" : outcome.errors;
  while (!text.empty() && text.back() == '\n') text.pop_back();
  const bool full = text.find("No space left") != std::string::npos;
  co_return Error(full ? Code::kExhausted : Code::kInvalid, std::move(text));
}

}  // namespace atl::oci
