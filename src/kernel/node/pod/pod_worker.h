#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/async/event.h"
#include "base/async/task_group.h"
#include "kernel/node/pod/container_run.h"
#include "kernel/node/pod/pod_access.h"
#include "kernel/node/pod/pod_context.h"
#include "kernel/node/pod/pod_plan.h"
#include "kernel/node/probe/prober.h"
#include "kernel/node/volumes/pod_volumes.h"

namespace atl::node {

// Runs one pod from its first sight to its last: level-triggered, it compares what is wanted with
// what is, does what the plan says, writes the status, and waits for news. Everything it must know
// after a restart of the agent is in <folder>/<uid>/{pod.json,state.json} and in the keeper.
//
// Owned by the agent; stop() before it is destroyed. One executor. stop() leaves containers
// running. Errors never leave it: they stand in the pod's status and events, and are tried again
// with back-off.
class PodWorker {
 public:
  PodWorker(PodContext& context, PodSpecPtr spec);
  ~PodWorker();
  PodWorker(const PodWorker&) = delete;

  // What the last agent knew; before start(). False where there is nothing on disk.
  bool recover();
  // Of a pod that ran here before the machine went: from the API's status. Before
  // settle_recovery().
  void recover_from_status();
  // Without state.json: from the status too, and the network counts as made where that knows its
  // IP.
  void recover_without_state();
  // A container of this pod that the keeper holds; before start(). What runs is never removed.
  void adopt(LiveContainer container);
  // After every adopt(): what is on record as running and the keeper does not know ended unseen.
  void settle_recovery();

  // The keeper holds no namespace for it any more: a new one is made.
  void lost_network() { state_.network_ready = false; }

  // The pod ended before this node knew it: nothing is run, only its deletion is carried out.
  void mark_over();

  void start();
  Async<void> stop();

  void update(PodSpecPtr spec);
  // The object is gone from the API (or was never there): end everything at once.
  void remove_now();
  void container_exited(const std::string& id, const ExitStatus& exit);

  // Everything is gone, the API object too: the agent may forget the worker.
  bool finished() const { return finished_; }
  void on_finished(std::function<void()> handler) { on_finished_ = std::move(handler); }

  const PodSpec& spec() const { return *spec_; }
  const PodState& state() const { return state_; }
  std::vector<std::string> container_ids() const;
  std::string pod_ip() const;
  network::PodRef network_ref() const;
  // Whether a container of the runtime belongs to this pod's present.
  bool knows(const std::string& id) const;

  using Access = PodAccess;
  // kNotFound where the pod has no such container; kBadRequest in kubelet's words where it has not
  // run yet.
  Result<Access> access(const std::string& container, bool previous) const;
  void close_stdin(const std::string& container);

 private:
  using Run = ContainerRun;
  using RunPtr = std::shared_ptr<Run>;

  // pod_worker.cc: the loop
  Async<void> loop();
  Async<void> step();
  void carry_out(const PodPlan& plan);
  void restart_changed();
  void poke();
  bool cleaning() const;
  Async<void> tear_down();
  Async<void> detach_network();
  // A task of its own, so that an API that does not answer holds up no container.
  Async<void> report();
  Task<> write_status();
  void status_changed();
  bool passing() const;
  Task<> delete_from_api();
  Task<> set_up_network();
  void prepare_start();
  void expect_attach();
  Async<void> forget();
  void fail_pod(std::string reason, std::string message);
  // Before an attempt is made: who comes after us must know whose it is.
  Result<> on_record();
  Result<> save();
  Result<> save_spec();
  // Told after the status that belongs to it, which others wait for.
  void note(api::EventLevel level, std::string reason, std::string message);
  void tell_notes();
  // What a task throws is told as FailedSync, and it runs again.
  void spawn(const std::string& name, std::function<Async<void>()> body);
  void tell_fault(const std::string& task, const std::string& message);

  // pod_start.cc: from nothing to a running container
  Async<void> start_container(std::string name);
  Task<> try_start(std::string name);
  Task<oci::Image> pull(ContainerSpec spec);
  Task<std::vector<oci::Credentials>> pull_credentials();
  Task<EnvironmentSources> fetch(std::vector<std::string> config_maps,
                                 std::vector<std::string> secrets, DataParts parts);
  Task<> set_up_volumes();
  Task<> make_volumes();
  Task<ContainerPlan> make_plan(ContainerSpec spec, oci::Image image,
                                std::vector<std::string> layers, int attempt);
  Task<> launch(std::string name, ContainerPlan plan, std::vector<std::string> layers);
  Result<std::vector<Mount>> file_mounts(const json::Value& container, const std::string& folder,
                                         const Environment& env);
  Result<std::vector<Mount>> make_files(const ContainerSpec& spec, int attempt,
                                        const Environment& env, const std::string& cwd);
  void wait_with(const std::string& name, std::string reason, std::string message, Duration pause);
  void pull_failed(const std::string& name, const std::string& image, const Error& error);
  void start_failed(const std::string& name, const Error& error);
  Async<void> refresh_volumes();
  PodFacts facts() const;

  // pod_runs.cc: running containers, their probes, their end
  void begin_run(const std::string& name, LiveContainer live);
  void begin_probes(const std::string& name, const RunPtr& run);
  void begin_regular_probes(const std::string& name, const RunPtr& run);
  void add_probe(const std::string& name, const RunPtr& run, ProbeKind kind);
  void condemn(const std::string& name, const RunPtr& run, std::string reason,
               std::optional<Duration> grace);
  Async<void> post_start(std::string name, RunPtr run);
  Async<void> stop_container(std::string name, RunPtr run, std::string reason);
  Async<bool> wait_for_exit(RunPtr run, Duration limit);
  Async<void> after_exit(std::string name, RunPtr run);
  void record_exit(const std::string& name, const ExitStatus& exit);
  std::string termination_message(const std::string& name, const ContainerState& c) const;

  std::string folder() const { return context_.pod_folder(spec_->uid); }
  std::string run_folder() const { return context_.pod_run_folder(spec_->uid); }
  // Of one run: what the runtime is told, in memory; what the container may write, on disk.
  std::string bundle_of(const std::string& container, int attempt) const;
  std::string scratch_of(const std::string& container, int attempt) const;
  std::string log_of(const std::string& container, int attempt) const;
  std::string id_of(const std::string& container, int attempt) const;
  RunPtr run_of(const std::string& container) const;
  const ContainerSpec* spec_of_live(const LiveContainer& live) const;

  PodContext& context_;
  PodSpecPtr spec_;
  PodState state_;
  PodVolumes volumes_;
  std::map<std::string, RunPtr> runs_;        // of each container's newest run
  std::map<std::string, std::string> by_id_;  // run id → container
  VolumeObjects volume_objects_;
  WallTime token_refresh_{};
  bool volumes_ready_ = false;
  bool volumes_busy_ = false;
  Event volumes_done_;
  WallTime network_retry_{};
  int network_failures_ = 0;
  bool removed_ = false;  // the API object is gone
  bool drained_ = false;
  bool detaching_ = false;
  Event detached_;
  bool over_ = false;  // mark_over()
  bool finished_ = false;
  bool poked_ = true;
  std::string last_saved_;
  PodSpecPtr saved_spec_;
  MonoTime spec_save_{};      // when a status that is all that changed is saved
  json::Value last_written_;  // status, as the server has it
  Revision written_revision_;
  struct Note {
    api::EventLevel level;
    std::string reason;
    std::string message;
  };
  std::vector<Note> notes_;
  bool status_due_ = false;
  MonoTime status_due_since_{};
  bool reporting_ = false;
  bool told_while_reporting_ = false;
  Event status_news_;  // due, or written
  std::function<void()> on_finished_;
  Event news_;
  TaskGroup tasks_;
};

}  // namespace atl::node
