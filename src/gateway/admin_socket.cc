#include "gateway/admin_socket.h"

#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

#include <cerrno>
#include <charconv>
#include <cstring>

#include "base/io/files.h"
#include "base/io/unique_fd.h"

namespace atl::gateway {
namespace {

constexpr timeval kPatience = {.tv_sec = 5, .tv_usec = 0};
constexpr size_t kMostAnswerBytes = 64 << 20;

Error silent(int error) {
  return Error(Code::kUnavailable,
               fmt::format("HAProxy does not answer: {}", std::strerror(error)));
}

}  // namespace

Result<std::string> AdminSocket::ask(std::string_view command) const {
  const io::UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd) return io::errno_error("open a socket", errno);
  ::setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &kPatience, sizeof(kPatience));
  ::setsockopt(fd.get(), SOL_SOCKET, SO_SNDTIMEO, &kPatience, sizeof(kPatience));
  sockaddr_un address{.sun_family = AF_UNIX};
  if (path_.size() >= sizeof(address.sun_path)) {
    return Error(Code::kInvalid, path_ + " is too long for a socket");
  }
  path_.copy(address.sun_path, sizeof(address.sun_path) - 1);
  if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
    return silent(errno);
  }
  std::string line(command);
  line += '\n';
  for (std::string_view left = line; !left.empty();) {
    const ssize_t sent = ::send(fd.get(), left.data(), left.size(), MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0) return silent(errno);
    left.remove_prefix(size_t(sent));
  }
  std::string answer;
  char buffer[16 * 1024];
  for (;;) {
    const ssize_t got = ::recv(fd.get(), buffer, sizeof(buffer), 0);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return silent(errno);
    if (got == 0) break;
    answer.append(buffer, size_t(got));
    if (answer.size() > kMostAnswerBytes)
      return Error(Code::kTooLarge, "HAProxy's answer has no end");
  }
  while (!answer.empty() && answer.back() == '\n') answer.pop_back();
  return answer;
}

Result<> AdminSocket::run(std::string_view command) const {
  TRY(const std::string answer, ask(command));
  if (answer.empty()) return Unit{};
  return Error(Code::kInvalid, "HAProxy: " + answer);
}

Result<int> AdminSocket::process() const {
  TRY(const std::string info, ask("show info"));
  const std::string text = "\n" + info;
  const size_t at = text.find("\nPid: ");
  int pid = 0;
  if (at != std::string::npos) {
    std::from_chars(text.data() + at + 6, text.data() + text.size(), pid);
  }
  if (pid <= 0) return Error(Code::kUnavailable, "HAProxy does not say which process it is");
  return pid;
}

}  // namespace atl::gateway
