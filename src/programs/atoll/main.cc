#include <csignal>

#include "cli/app.h"

int main(int argc, char** argv) {
  std::signal(SIGPIPE, SIG_DFL);  // `atoll get pods | head` ends quietly
  return atl::cli::run_app(argc, argv);
}
