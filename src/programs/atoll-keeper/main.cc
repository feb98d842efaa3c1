// The parent of every container's first process; docs/ARCHITECTURE.md, kernel/keeper/README.md.
//
//   atoll-keeper [--home DIR]                     the keeper of an instance
//   atoll-keeper [--home DIR] --resume FD         after an upgrade by execve in place
//   atoll-keeper --legacy-cgroups COMMAND [ARG…]  runs a command where only cgroup v1 is visible

#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "base/core/clock.h"
#include "base/io/files.h"
#include "base/io/layout.h"
#include "kernel/keeper/keeper.h"
#include "kernel/keeper/launch.h"

namespace {

int fail(const atl::Error& error) {
  std::fprintf(stderr, "atoll-keeper: %s\n", error.message().c_str());
  return 1;
}

int run_legacy(char** command) {
  if (auto ready = atl::keeper::enter_legacy_view(); !ready) return fail(ready.error());
  ::execvp(command[0], command);
  std::fprintf(stderr, "atoll-keeper: %s: %s\n", command[0], std::strerror(errno));
  return 127;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc > 2 && std::string_view(argv[1]) == "--legacy-cgroups") return run_legacy(argv + 2);
  std::string home;
  int resume = -1;
  std::vector<std::string> again = {argv[0]};
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string_view option = argv[i];
    if (option == "--home") {
      home = argv[i + 1];
      again.insert(again.end(), {argv[i], argv[i + 1]});
    } else if (option == "--resume") {
      resume = std::atoi(argv[i + 1]);
    } else {
      std::fprintf(stderr, "atoll-keeper: unknown option %s\n", argv[i]);
      return 2;
    }
  }
  const atl::io::Layout layout = atl::io::Layout::of(home);
  if (auto made = atl::io::make_folders(layout.keeper_data(), 0700); !made)
    return fail(made.error());
  if (auto made = atl::io::make_folders(layout.run, 0755); !made) return fail(made.error());
  const atl::SystemClock clock;
  auto keeper = atl::keeper::Keeper::open(
      {layout.keeper_socket(), layout.keeper_data() + "/containers.journal", layout.run, again},
      clock, resume);
  if (!keeper) return fail(keeper.error());
  if (auto done = (*keeper)->run(); !done) return fail(done.error());
  return 0;
}
