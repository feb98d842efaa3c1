#pragma once

#include <map>
#include <memory>
#include <string>

#include "base/async/timer.h"
#include "kernel/node/runtime/cgroups.h"
#include "kernel/node/runtime/keeper_link.h"
#include "kernel/node/runtime/runtime.h"

namespace atl::node {

struct CrunOptions {
  std::string program = "/usr/bin/crun";
  std::string state_folder;    // crun --root
  std::string run_folder;      // console sockets of exec: short
  std::string keeper_program;  // put before `crun exec` on hybrid cgroups
  std::string keeper_socket;
};

// Containers by crun below the keeper. Ids are "<pod uid>_<container>_<attempt>"; the cgroup
// follows from them.
class CrunRuntime final : public Runtime {
 public:
  CrunRuntime(Executor executor, Timer& timer, const Cgroups& cgroups, CrunOptions options);
  ~CrunRuntime() override;

  void start_link() { link_.start(); }
  Async<void> stop() { return link_.stop(); }
  Async<bool> connected(Duration limit) { return link_.connected(limit); }

  Task<std::vector<LiveContainer>> list() override;
  Task<LiveContainer> create(CreateRequest request) override;
  Task<> start(std::string id) override;
  Task<> signal(std::string id, int number) override;
  Task<> remove(std::string id) override;
  Task<> close_stdin(std::string id) override;
  Task<std::unique_ptr<ExecSession>> exec(ExecRequest request) override;
  Task<> hold(std::string key, int fd) override;
  Task<> drop(std::string key) override;
  Task<std::vector<Held>> held() override;
  void on_exit(std::function<void(const std::string&, const ExitStatus&)> handler) override;
  void on_reconnect(std::function<void()> handler) override {
    link_.on_reconnect(std::move(handler));
  }

 private:
  bool legacy_cgroups() const { return cgroups_.layout() == Cgroups::Layout::kLegacy; }
  ExitStatus exit_of(const keeper::ContainerInfo& info) const;
  LiveContainer live(keeper::ContainerView view) const;
  // crun compiles linux.seccomp anew at every start; a program that is compiled already spares it
  // the longest step.
  void compile_seccomp_of(json::Value& spec);
  void bound_by_host(json::Value& spec) const;

  Executor executor_;
  Timer& timer_;
  const Cgroups& cgroups_;
  CrunOptions options_;
  KeeperLink link_;
  const int64_t lowest_oom_score_;
  const uint64_t capabilities_;  // that this process may pass on, by number
  uint64_t next_exec_ = 1;
  std::map<std::string, std::string> filters_;  // linux.seccomp → its program in base64
};

}  // namespace atl::node
