#pragma once

#include <string>

#include "kernel/node/pod/pod_spec.h"
#include "kernel/node/pod/pod_state.h"
#include "kernel/node/runtime/runtime.h"

// The end of a container's run, as it stands in the pod's state.
namespace atl::node {

// Files in which a message about the end may stand.
struct ExitFiles {
  std::string termination_log;
  std::string log;
};
// What terminationMessagePath holds, or where asked for the last lines of a failed run's log.
std::string termination_message(const ContainerSpec& spec, const ExitFiles& files, int exit_code);

enum class AfterExit : uint8_t {
  kSettled,   // it stays ended, or starts again at once
  kBacksOff,  // it will be started again after a pause
};
// Notes the end and when the next start may be. Pure.
AfterExit note_exit(ContainerState& state, const PodSpec& pod, const ContainerSpec& spec,
                    const ExitStatus& exit, WallTime now);
// A command that cannot be executed counts as a run that ended at once. Pure.
void note_start_failure(ContainerState& state, const std::string& message, WallTime now);
// On record as running, and nobody knows it: it ended unseen. Pure.
void note_lost(ContainerState& state, WallTime now);

}  // namespace atl::node
