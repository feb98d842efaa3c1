#include "cli/usage.h"

#include <fmt/format.h>

#include <algorithm>

#include <CLI/CLI.hpp>

namespace atl::cli {
namespace {

// Verbs that people know from kubectl and this command leaves to it.
constexpr std::string_view kKubectlHas[] = {
    "annotate", "api-resources", "api-versions", "attach",  "auth",     "autoscale", "certificate",
    "config",   "cordon",        "cp",           "create",  "debug",    "describe",  "diff",
    "drain",    "edit",          "events",       "explain", "expose",   "label",     "patch",
    "proxy",    "port-forward",  "replace",      "rollout", "run",      "scale",     "set",
    "taint",    "top",           "uncordon",     "wait",    "kustomize"};

// Optimal string alignment: insertions, deletions, changes and swaps of neighbours.
size_t distance(std::string_view a, std::string_view b) {
  std::vector<std::vector<size_t>> d(a.size() + 1, std::vector<size_t>(b.size() + 1));
  for (size_t i = 0; i <= a.size(); ++i) d[i][0] = i;
  for (size_t j = 0; j <= b.size(); ++j) d[0][j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    for (size_t j = 1; j <= b.size(); ++j) {
      d[i][j] =
          std::min({d[i - 1][j] + 1, d[i][j - 1] + 1, d[i - 1][j - 1] + (a[i - 1] != b[j - 1])});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
        d[i][j] = std::min(d[i][j], d[i - 2][j - 2] + 1);
    }
  }
  return d[a.size()][b.size()];
}

const CLI::App& deepest(const CLI::App& app) {
  const CLI::App* at = &app;
  for (auto parsed = at->get_subcommands(); !parsed.empty(); parsed = at->get_subcommands())
    at = parsed.front();
  return *at;
}

std::string command(const CLI::App& at) {
  const std::string name = at.get_name();
  return at.get_parent() ? command(*at.get_parent()) + " " + name : name;
}

std::vector<std::string> verbs(const CLI::App& at) {
  std::vector<std::string> out;
  for (const CLI::App* verb : at.get_subcommands([](const CLI::App*) { return true; }))
    out.push_back(verb->get_name());
  return out;
}

std::vector<std::string> options(const CLI::App& at) {
  std::vector<std::string> out;
  for (const CLI::Option* option : at.get_options())
    for (const std::string& name : option->get_lnames()) out.push_back("--" + name);
  if (at.get_parent()) {
    for (std::string& name : options(*at.get_parent())) out.push_back(std::move(name));
  }
  return out;
}

// The first line below "Examples:".
std::string example(const CLI::App& at) {
  constexpr std::string_view kHead = "Examples:\n  ";
  const std::string footer = at.get_footer();
  if (!footer.starts_with(kHead)) return {};
  return footer.substr(kHead.size(), footer.find('\n', kHead.size()) - kHead.size());
}

bool is(const CLI::ParseError& error, CLI::ExitCodes code) {
  return error.get_exit_code() == int(code);
}

std::string no_verb(const CLI::App& at, const std::string& typed, const std::string& kubeconfig) {
  if (typed.starts_with('-')) {
    const std::string name = typed.substr(0, typed.find('='));
    return fmt::format("{} has no option {}{}", command(at), name, near_it(name, options(at)));
  }
  if (!at.get_parent() && std::ranges::find(kKubectlHas, typed) != std::end(kKubectlHas)) {
    return fmt::format("{} has no verb \"{}\"; kubectl has it: KUBECONFIG={} kubectl {}",
                       command(at), typed, kubeconfig, typed);
  }
  return fmt::format("{} has no verb \"{}\"{}", command(at), typed, near_it(typed, verbs(at)));
}

std::string unexpected(const CLI::App& at, const std::string& typed) {
  if (!typed.starts_with('-')) return fmt::format("{} does not take \"{}\"", command(at), typed);
  const std::string name = typed.substr(0, typed.find('='));
  return fmt::format("{} has no option {}{}", command(at), name, near_it(name, options(at)));
}

}  // namespace

std::vector<std::string> near_words(std::string_view typed, const std::vector<std::string>& words) {
  constexpr size_t kMost = 3, kLettersMax = 64;
  std::vector<std::pair<size_t, std::string>> found;
  const size_t letters = typed.size() - std::min(typed.find_first_not_of('-'), typed.size());
  const size_t may_differ = std::max<size_t>(1, letters / 3);
  for (const std::string& word : words) {
    if (typed.size() < 2 || typed.size() > kLettersMax || word.size() > kLettersMax) continue;
    const size_t differs = distance(typed, word);
    if (differs <= may_differ) found.emplace_back(differs, word);
  }
  std::ranges::sort(found);
  std::vector<std::string> out;
  for (auto& [differs, word] : found) {
    if (out.size() < kMost && std::ranges::find(out, word) == out.end())
      out.push_back(std::move(word));
  }
  return out;
}

std::string near_it(std::string_view typed, const std::vector<std::string>& words) {
  std::string out;
  for (const std::string& word : near_words(typed, words))
    out += (out.empty() ? "; near it: " : ", ") + word;
  return out;
}

std::string usage_error(const CLI::App& app, const CLI::ParseError& error,
                        const std::string& kubeconfig) {
  const CLI::App& at = deepest(app);
  const bool wants_verb = !verbs(at).empty();
  const std::vector<std::string> unknown = app.remaining(true);
  if (wants_verb && unknown.empty() && is(error, CLI::ExitCodes::RequiredError)) return app.help();
  std::string what = error.what();
  if (wants_verb && !unknown.empty()) {
    what = no_verb(at, unknown.front(), kubeconfig);
  } else if (is(error, CLI::ExitCodes::ExtrasError) && !unknown.empty()) {
    what = unexpected(at, unknown.front());
  }
  const std::string shown = wants_verb ? std::string() : example(at);
  return fmt::format("{}{}\n{} --help says more.\n", what, shown.empty() ? "" : ", as in: " + shown,
                     command(at));
}

}  // namespace atl::cli
