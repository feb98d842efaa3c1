#include "cli/complete.h"

#include <algorithm>

#include <CLI/CLI.hpp>

#include "cli/selection.h"
#include "cli/verbs.h"

namespace atl::cli {
namespace {

using Words = std::vector<std::string>;

constexpr char kNamesOnly[] = "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io";

bool takes_value(const CLI::Option& option) {
  return option.get_items_expected_max() > 0;
}

// One half-typed command line.
class Line {
 public:
  Line(const CLI::App& root, Common common)
      : root_(root), verb_(&root), common_(std::move(common)) {}

  // Everything but the word being typed.
  void read(const std::string& word) {
    if (value_of_) {
      note(*value_of_, word);
      value_of_ = nullptr;
    } else if (!options_over_ && word == "--") {
      options_over_ = true;
    } else if (!options_over_ && word.size() > 1 && word[0] == '-') {
      read_option(word);
    } else if (const CLI::App* inner = given_.empty() ? find_verb(word) : nullptr) {
      verb_ = inner;
    } else {
      given_.push_back(word);
    }
  }

  Completion offer(const std::string& typed) {
    if (value_of_) return offer_type(value_of_->get_type_name(), typed);
    const size_t equals = typed.find('=');
    if (!options_over_ && typed.starts_with("--") && equals != std::string::npos) {
      const CLI::Option* option = find_option(typed.substr(0, equals));
      if (!option) return {};
      Completion out = offer_type(option->get_type_name(), typed.substr(equals + 1));
      for (std::string& word : out.words) word.insert(0, typed, 0, equals + 1);
      return out;
    }
    if (!options_over_ && typed.starts_with("-")) return {option_names(), false};
    if (!verb_->get_subcommands({}).empty()) return {verb_names(), false};
    return offer_argument(typed);
  }

 private:
  const CLI::App* find_verb(const std::string& word) const {
    for (const CLI::App* inner : verb_->get_subcommands({})) {
      if (inner->get_name() == word) return inner;
    }
    return nullptr;
  }

  const CLI::Option* find_option(const std::string& name) const {
    const CLI::Option* own = verb_->get_option_no_throw(name);
    return own ? own : root_.get_option_no_throw(name);
  }

  void read_option(const std::string& word) {
    const size_t equals = word.find('=');
    const CLI::Option* option = find_option(word.substr(0, equals));
    if (!option || !takes_value(*option)) return;
    if (equals == std::string::npos) {
      value_of_ = option;
    } else {
      note(*option, word.substr(equals + 1));
    }
  }

  void note(const CLI::Option& option, const std::string& value) {
    if (option.check_lname("home")) common_.home = value;
    if (option.check_lname("kubeconfig")) common_.kubeconfig = value;
    if (option.check_lname("context")) common_.context = value;
    if (option.check_lname("namespace")) common_.ns = value;
  }

  Words option_names() const {
    Words out;
    for (const CLI::App* app : {verb_, &root_}) {
      for (const CLI::Option* option : app->get_options()) {
        for (const std::string& name : option->get_lnames()) out.push_back("--" + name);
        for (const std::string& name : option->get_snames()) out.push_back("-" + name);
      }
      if (verb_ == &root_) break;
    }
    return out;
  }

  Words verb_names() const {
    Words out;
    for (const CLI::App* inner : verb_->get_subcommands({})) out.push_back(inner->get_name());
    return out;
  }

  Completion offer_argument(const std::string& typed) {
    size_t left = given_.size();
    for (const CLI::Option* option : verb_->get_options()) {
      if (!option->get_positional()) continue;
      const auto most = size_t(option->get_items_expected_max());
      if (left < most) return offer_type(option->get_type_name(), typed);
      left -= most;
    }
    return {};
  }

  // `named`: the type's name, and behind a colon what may be its values.
  Completion offer_type(const std::string& named, const std::string& typed) {
    const std::string type = named.substr(0, named.find(':'));
    if (type == "FILE" || type == "DIR") return {{}, true};
    if (type == "FORMAT") return {{"table", "wide", "json", "yaml", "name"}, false};
    if (type == "SHELL") return {{"bash", "zsh", "fish"}, false};
    auto known = from_api(type, typed);
    return known ? Completion{*std::move(known), false} : Completion{};
  }

  Result<Words> from_api(const std::string& type, const std::string& typed) {
    if (type == "IMAGE") return image_names(common_);
    if (type != "OBJECT" && type != "POD" && type != "NAMESPACE" && type != "CONTAINER")
      return Words{};
    TRY(const auto session, Session::open(common_));
    if (type == "CONTAINER") return containers(*session);
    TRY(const Resources resources, Resources::discover(*session));
    if (type == "NAMESPACE") return names(*session, resources, "namespaces", "");
    const size_t slash = typed.find('/');
    if (slash != std::string::npos)
      return names(*session, resources, typed.substr(0, slash), typed.substr(0, slash + 1));
    if (type == "POD") return names(*session, resources, "pods", "");
    if (!given_.empty()) return names(*session, resources, given_[0], "");
    Words out{"all"};
    for (const ResourceType& known : resources.all()) out.push_back(known.gvr.resource);
    return out;
  }

  Result<Words> names(Session& session, const Resources& resources, const std::string& type,
                      const std::string& before) {
    TRY(const ResourceType found, resources.find(type));
    TRY(const json::Value list, session.get(path_of(found, session.ns()), kNamesOnly));
    Words out;
    for (const json::Value& item : json::array_at(list, {"items"}))
      out.push_back(before + std::string(json::string_at(item, {"metadata", "name"})));
    return out;
  }

  Result<Words> containers(Session& session) {
    if (given_.empty()) return Words{};
    TRY(const std::string name, choose_pod(session, given_[0]));
    TRY(const json::Value pod,
        session.get("/api/v1/namespaces/" + segment(session.ns()) + "/pods/" + segment(name)));
    Words out;
    for (const std::string_view field : {"initContainers", "containers"}) {
      for (const json::Value& item : json::array_at(pod, {"spec", field}))
        out.emplace_back(json::string_at(item, {"name"}));
    }
    return out;
  }

  const CLI::App& root_;
  const CLI::App* verb_;
  Common common_;
  Words given_;                            // arguments of the verb
  const CLI::Option* value_of_ = nullptr;  // whose value comes next
  bool options_over_ = false;              // "--" was seen
};

}  // namespace

Completion complete(const CLI::App& root, Common common, const std::vector<std::string>& words) {
  Line line(root, std::move(common));
  const std::string typed = words.empty() ? "" : words.back();
  for (size_t i = 0; i + 1 < words.size(); ++i) line.read(words[i]);
  Completion out = line.offer(typed);
  std::erase_if(out.words, [&](const std::string& word) { return !word.starts_with(typed); });
  std::sort(out.words.begin(), out.words.end());
  out.words.erase(std::unique(out.words.begin(), out.words.end()), out.words.end());
  return out;
}

std::string text(const Completion& completion) {
  if (completion.files) return ":files:\n";
  std::string out;
  for (const std::string& word : completion.words) out += word + "\n";
  return out;
}

}  // namespace atl::cli
