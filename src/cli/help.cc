#include "cli/help.h"

#include <string>

#include <CLI/CLI.hpp>

namespace atl::cli {
namespace {

class Formatter : public CLI::Formatter {
 public:
  std::string make_help(const CLI::App* app, std::string name,
                        CLI::AppFormatMode mode) const override {
    if (mode == CLI::AppFormatMode::Sub) return make_expanded(app);
    return make_description(app) + "\n" + app->get_footer() + "\n\n" + make_usage(app, name) +
           make_positionals(app) + make_groups(app, mode) + make_subcommands(app, mode);
  }
};

}  // namespace

std::shared_ptr<CLI::FormatterBase> make_help_formatter() {
  auto formatter = std::make_shared<Formatter>();
  formatter->column_width(28);
  return formatter;
}

}  // namespace atl::cli
