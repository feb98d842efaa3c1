#pragma once

namespace atl::cli {

// The whole command: reads the arguments, runs the verb, and gives the process's exit code.
int run_app(int argc, char** argv);

}  // namespace atl::cli
