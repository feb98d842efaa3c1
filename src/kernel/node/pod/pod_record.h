#pragma once

#include <string>

#include "kernel/node/pod/environment.h"
#include "kernel/node/pod/pod_context.h"
#include "kernel/node/pod/pod_spec.h"
#include "kernel/node/pod/pod_state.h"

namespace atl::node {

// What this node knows of one pod: its object as the API has it, what has become of it (PodState),
// and where its files lie. Keeps both documents in <run folder>/{pod.json,state.json}, from which
// the next agent goes on.
//
// Owned by PodWorker, whose parts hold references; nothing here waits. One executor: a job of the
// pool takes spec_ptr() with it. Errors: what the file system says about a file that is kept.
class PodRecord {
 public:
  PodRecord(PodContext& context, PodSpecPtr spec);
  PodRecord(const PodRecord&) = delete;

  // Replaced by update(): never held over a wait; spec_ptr() is.
  const PodSpec& spec() const { return *spec_; }
  const PodSpecPtr& spec_ptr() const { return spec_; }
  void update(PodSpecPtr spec) { spec_ = std::move(spec); }
  PodState& state() { return state_; }
  const PodState& state() const { return state_; }

  // What the last agent knew. False where there is nothing on disk.
  bool recover();
  // Of a pod that ran here before the machine went: from the API's status.
  void recover_from_status();
  // Without state.json: from the status too, and the network counts as made where that knows its
  // IP.
  void recover_without_state();

  // Both documents where they changed. A status that is all that changed of the object may wait
  // until save_due(), which is MonoTime{} where nothing waits.
  Result<> save();
  Result<> save_spec();
  MonoTime save_due() const { return spec_save_; }
  // Before an attempt is made: who comes after us must know whose it is.
  Result<> on_record();

  std::string folder() const { return context_.pod_folder(spec_->uid); }
  std::string run_folder() const { return context_.pod_run_folder(spec_->uid); }
  // Of one run: what the runtime is told, in memory; what the container may write, on disk.
  std::string bundle_of(const std::string& container, int attempt) const;
  std::string scratch_of(const std::string& container, int attempt) const;
  std::string log_of(const std::string& container, int attempt) const;
  std::string id_of(const std::string& container, int attempt) const;

  std::string pod_ip() const;
  PodFacts facts() const;

 private:
  PodContext& context_;
  PodSpecPtr spec_;
  PodState state_;
  std::string last_saved_;
  PodSpecPtr saved_spec_;
  MonoTime spec_save_{};
};

}  // namespace atl::node
