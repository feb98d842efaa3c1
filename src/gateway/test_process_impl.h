#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <string>
#include <utility>
#include <vector>

extern char** environ;

// The machine around a gateway under test.
namespace atl::gateway {

// A network of our own, so that fixed ports are free: the whole process moves there once.
inline bool in_private_network() {
  static const bool moved = [] {
    if (::unshare(CLONE_NEWNET) != 0) return false;
    const int fd = ::socket(AF_INET, SOCK_DGRAM, 0);
    ifreq request{};
    request.ifr_name[0] = 'l', request.ifr_name[1] = 'o';
    request.ifr_flags = IFF_UP;
    const bool up = ::ioctl(fd, SIOCSIFFLAGS, &request) == 0;
    ::close(fd);
    return up;
  }();
  return moved;
}

// A program of a test; ended with it.
class Process {
 public:
  Process() = default;
  Process(std::vector<std::string> argv, const std::string& log) {
    std::vector<char*> raw;
    for (std::string& argument : argv) raw.push_back(argument.data());
    raw.push_back(nullptr);
    posix_spawn_file_actions_t files;
    ::posix_spawn_file_actions_init(&files);
    ::posix_spawn_file_actions_addopen(&files, 1, log.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
    ::posix_spawn_file_actions_adddup2(&files, 1, 2);
    ::posix_spawn_file_actions_addclosefrom_np(&files, 3);  // no listener of ours lives on in it
    EXPECT_EQ(::posix_spawn(&pid_, raw[0], &files, nullptr, raw.data(), environ), 0) << raw[0];
    ::posix_spawn_file_actions_destroy(&files);
  }
  Process(Process&& other) noexcept : pid_(std::exchange(other.pid_, -1)) {}
  Process& operator=(Process&& other) noexcept {
    end(SIGKILL);
    pid_ = std::exchange(other.pid_, -1);
    return *this;
  }
  ~Process() { end(SIGKILL); }
  void end(int signal) {
    if (pid_ <= 0) return;
    ::kill(pid_, signal);
    ::waitpid(pid_, nullptr, 0);
    pid_ = -1;
  }
  bool ended() { return pid_ > 0 && ::waitpid(pid_, nullptr, WNOHANG) == pid_ && (pid_ = -1); }

 private:
  pid_t pid_ = -1;
};

}  // namespace atl::gateway
