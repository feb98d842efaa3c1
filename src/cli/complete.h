#pragma once

#include <string>
#include <vector>

#include "cli/options.h"

namespace CLI {
class App;
}

namespace atl::cli {

// What may stand where the cursor is. Value type.
struct Completion {
  std::vector<std::string> words;
  bool files = false;  // the shell's own completion of paths
};

// Completes a half-typed command line: `words` stand after "atoll", the last one is being typed
// (and may be empty). Verbs and options come from the command line's own description, what an
// argument is from its type name there; types, names and images from the API. Where that does not
// answer, there is nothing to offer. `common` gives what the environment says.
Completion complete(const CLI::App& root, Common common, const std::vector<std::string>& words);

// One candidate a line, or the line ":files:"; what the scripts of `atoll completion` read.
std::string text(const Completion& completion);

}  // namespace atl::cli
