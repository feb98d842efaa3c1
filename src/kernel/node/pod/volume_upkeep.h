#pragma once

#include "base/async/event.h"
#include "kernel/node/pod/pod_record.h"
#include "kernel/node/pod/pod_tasks.h"
#include "kernel/node/volumes/pod_volumes.h"

namespace atl::node {

// The volumes of one pod through its life: made once from the API's ConfigMaps, Secrets and tokens,
// kept fresh every minute, taken down at the end.
//
// Owned by PodWorker. One executor; files are made on the pool, one job at a time. Errors: those of
// PodVolumes and of the API, for the caller to tell.
class VolumeUpkeep {
 public:
  VolumeUpkeep(PodContext& context, PodRecord& record, PodTasks& tasks);

  // Returns at once where they are there.
  Task<> set_up();
  // Keeps files of configMaps, secrets and tokens fresh while containers run; a task of the pod's.
  Async<void> refresh();
  // Until no job is at them.
  Async<void> idle();
  Async<void> tear_down();

  // A copy, for a job of the pool.
  PodVolumes files() const { return files_; }

 private:
  Task<> make();
  Task<> fetch_tokens(std::vector<TokenRequest> wanted);

  PodContext& context_;
  PodRecord& record_;
  PodTasks& tasks_;
  PodVolumes files_;
  VolumeObjects objects_;
  WallTime token_refresh_{};
  bool ready_ = false;
  bool busy_ = false;
  Event done_;
};

}  // namespace atl::node
