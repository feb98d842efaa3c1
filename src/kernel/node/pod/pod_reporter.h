#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/async/event.h"
#include "kernel/node/pod/pod_record.h"
#include "kernel/node/pod/pod_tasks.h"

namespace atl::node {

// Tells the API about one pod: its status, its events, and at the end its removal. A status is
// written when something changed, by a task of its own, so that an API that does not answer holds
// up no container; what passes within milliseconds is not worth a write. Events are told after the
// status that belongs to them, which others wait for.
//
// Owned by PodWorker. One executor. Errors stay here: a write that fails is tried again.
class PodReporter {
 public:
  struct Hooks {
    std::function<bool()> passing;  // in a state that lasts milliseconds where all goes well
    std::function<void()> gone;     // the API has no such pod any more
  };
  PodReporter(PodContext& context, PodRecord& record, PodTasks& tasks, Hooks hooks);

  void status_changed();
  void note(api::EventLevel level, std::string reason, std::string message);
  // An event about one container of the pod.
  void note_of(const std::string& container, api::EventLevel level, std::string reason,
               std::string message);
  // Events that no status is written for any more.
  void tell_notes();

  // A new object came from the API. The server's word counts, not our memory of it: it may come
  // from a backup, or somebody wrote.
  void server_said(const PodSpec& spec);
  // Nothing is written any more: the object is gone, or says already how the pod ended.
  void object_is_gone() { removed_ = true; }
  void mark_over() { over_ = true; }

  // The task that writes; returns when the tasks stop.
  Async<void> run();
  // Until all that is due has been written, or nobody is there to hear it.
  Async<void> settled();
  // Ok where it is gone already.
  Task<> remove_object();

 private:
  Task<> write_status();

  PodContext& context_;
  PodRecord& record_;
  PodTasks& tasks_;
  Hooks hooks_;
  json::Value last_written_;  // status, as the server has it
  Revision written_revision_;
  struct Note {
    api::EventLevel level;
    std::string reason;
    std::string message;
    std::string field_path;
  };
  std::vector<Note> notes_;
  bool removed_ = false;
  bool over_ = false;
  bool due_ = false;
  MonoTime due_since_{};
  bool writing_ = false;
  bool told_while_writing_ = false;
  Event news_;  // due, or written
};

}  // namespace atl::node
