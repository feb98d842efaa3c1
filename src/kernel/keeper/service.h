#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/core/clock.h"
#include "base/core/result.h"
#include "base/io/unique_fd.h"

namespace atl::keeper {

// One program that the supervisor keeps running.
struct ServiceSpec {
  std::string name;               // "server": names pid file and log
  std::vector<std::string> argv;  // argv[0] absolute
  std::string user;               // empty: stays root
  std::string log_file;
  std::string pid_file;
  std::string wait_for_file;                  // not started before this exists; may be empty
  bool low_ports = false;                     // keeps CAP_NET_BIND_SERVICE after dropping root
  int reload_signal = 0;                      // 0: cannot reload
  Duration grace = std::chrono::seconds(10);  // between SIGTERM and SIGKILL
};

// A live process of a service, ours or one that a supervisor before us started.
struct ServiceProcess {
  int pid = 0;
  io::UniqueFd pidfd;
};

// Starts the program in a session of its own. The child writes the pid file itself before it execs,
// so a process that runs is always on record. kNotFound where the user or program is missing.
Result<ServiceProcess> start_service(const ServiceSpec& spec);

// The process on record, if it still is the same one: pid and start time.
std::optional<ServiceProcess> find_service(const ServiceSpec& spec);

// How long to wait before the next start, after so many ends in short order: 0, 100 ms, 200 ms … 10
// s.
Duration restart_delay(int quick_ends);

}  // namespace atl::keeper
