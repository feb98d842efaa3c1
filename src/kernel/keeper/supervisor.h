#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/core/clock.h"
#include "base/core/result.h"
#include "base/io/unique_fd.h"
#include "kernel/keeper/service.h"

namespace atl::keeper {

struct SupervisorOptions {
  std::string lock_file;
  std::string control_socket;
  std::string keeper_socket;          // asked to end containers on stop, and to upgrade in place on
                                      // "restart keeper"
  std::vector<ServiceSpec> services;  // in starting order; the keeper's is named "keeper"
  uint32_t control_uid = 0;  // this user may ask for status, reload and restart of `control_may`
  std::string control_may;
  uint64_t log_limit_bytes = 16 << 20;
  int log_files = 4;
};

// Keeps the services of one instance running where there is no systemd: starts them, restarts them
// with back-off, rotates their logs, answers on a control socket. Services live in sessions of
// their own and do not die with it; the next supervisor takes them over by pid file, start time and
// pidfd. One per instance (lock file). One thread, one epoll; sleeps until something happens (logs
// are looked at once a minute).
//
// Control lines, each answered by lines and the end of the stream:
//   status            NAME STATE PID RESTARTS for each service
//   reload NAME       the service's reload signal
//   restart NAME      SIGTERM, grace, SIGKILL, start; the keeper is replaced in place
//   detach            leaves; services go on
//   stop              ends services and containers, then leaves
class Supervisor {
 public:
  // kConflict where another supervisor holds the lock.
  static Result<std::unique_ptr<Supervisor>> open(SupervisorOptions options, const Clock& clock);
  ~Supervisor();
  Supervisor(const Supervisor&) = delete;

  // Until "stop", "detach" or SIGTERM (which is "stop").
  Result<> run();

 private:
  enum class Phase : uint8_t { kDown, kUp, kStopping };
  struct Service {
    ServiceSpec spec;
    Phase phase = Phase::kDown;
    ServiceProcess process;
    MonoTime since{};     // of the phase
    MonoTime start_at{};  // kDown: not before
    MonoTime kill_at{};   // kStopping
    int quick_ends = 0;
    int restarts = 0;
    bool waiting_for_file = false;
  };

  Supervisor(SupervisorOptions options, const Clock& clock);
  Result<> lock();
  Result<> listen();
  Result<> set_up_loop();
  void adopt(size_t index, ServiceProcess process);
  void start_due();
  void try_start(size_t index);
  void ended(size_t index);
  void kill_overdue();
  void begin_stop(Service& service);
  int next_timeout_ms() const;
  void rotate_logs();

  void serve_control();
  bool known(uint32_t uid) const;
  std::string read_line(int peer) const;
  std::string answer(const std::string& line, uint32_t uid);
  std::string status() const;
  std::string restart(Service& service);
  Service* find(std::string_view name);
  void stop_everything();
  void stop_containers();
  bool step(int timeout_ms);

  SupervisorOptions options_;
  const Clock& clock_;
  io::UniqueFd lock_;
  io::UniqueFd epoll_;
  io::UniqueFd signals_;
  io::UniqueFd control_;
  std::vector<Service> services_;
  MonoTime rotate_at_{};
  bool leaving_ = false;   // leave now
  bool stopping_ = false;  // nothing is started any more
};

}  // namespace atl::keeper
