#include <fcntl.h>

#include <csignal>

#include "cli/app.h"

int main(int argc, char** argv) {
  // Where a caller closed one of these, what is opened next must not take its number: a table would
  // be written into a connection.
  for (int fd = 0; fd <= 2; ++fd) {
    if (::fcntl(fd, F_GETFD) < 0 && ::open("/dev/null", O_RDONLY) < 0) return 1;
  }
  std::signal(SIGPIPE, SIG_DFL);  // `atoll get pods | head` ends quietly
  return atl::cli::run_app(argc, argv);
}
