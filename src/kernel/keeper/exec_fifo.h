#pragma once

#include <string>

namespace atl::keeper {

// A container that crun has created waits for a byte in <state folder>/<id>/exec.fifo; all that
// `crun start` does is to remove that file and to write the byte. Done here it costs no process.
// False where there is no such file or nobody reads it: then the command is to be run, which does
// it or says why it cannot be done. Source: libcrun_status_write_exec_fifo of crun 0.1 to 1.25.
bool release_by_fifo(const std::string& state_folder, const std::string& id);

}  // namespace atl::keeper
