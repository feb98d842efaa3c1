#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace CLI {
class App;
class ParseError;
}  // namespace CLI

namespace atl::cli {

// Which of the words a person may have meant, nearest first, at most three: a letter too many, too
// few, wrong or swapped, for each three letters.
std::vector<std::string> near_words(std::string_view typed, const std::vector<std::string>& words);

// The same as the end of a sentence, "; near it: pods, pod"; empty where none is near.
std::string near_it(std::string_view typed, const std::vector<std::string>& words);

// What is said of a command line that cannot be understood: what is wrong, what is near it, an
// example and where to read on; the help where a verb is missing. `kubeconfig` is the file that
// kubectl is shown for verbs which it alone has.
std::string usage_error(const CLI::App& app, const CLI::ParseError& error,
                        const std::string& kubeconfig);

}  // namespace atl::cli
