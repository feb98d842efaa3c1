#pragma once

#include <memory>

namespace CLI {
class FormatterBase;
}

namespace atl::cli {

// Help as people read it: what the verb does, examples, and only then usage and options. What a
// verb's description in app.cc calls its footer are the examples.
std::shared_ptr<CLI::FormatterBase> make_help_formatter();

}  // namespace atl::cli
