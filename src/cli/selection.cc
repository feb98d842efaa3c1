#include "cli/selection.h"

#include <fmt/format.h>

namespace atl::cli {
namespace {

// "a=b,c=d" from spec.selector of a workload or a Service.
std::string selector_of(const json::Value& object) {
  const json::Object& labels = json::find(object, {"spec", "selector", "matchLabels"})
                                   ? json::object_at(object, {"spec", "selector", "matchLabels"})
                                   : json::object_at(object, {"spec", "selector"});
  std::string out;
  for (const auto& [key, value] : labels) {
    if (value.is_string())
      out += (out.empty() ? "" : ",") + std::string(key) + "=" + std::string(value.get_string());
  }
  return out;
}

bool is_ready(const json::Value& pod) {
  for (const json::Value& condition : json::array_at(pod, {"status", "conditions"})) {
    if (json::string_at(condition, {"type"}) == "Ready")
      return json::string_at(condition, {"status"}) == "True";
  }
  return false;
}

// An empty name, which a script's unset variable leaves, must not become all objects of the type.
Result<> check_names(const std::vector<std::string>& names, std::string_view type) {
  for (const std::string& name : names) {
    if (name.empty())
      return Error(Code::kInvalid, fmt::format("there is an empty name after \"{}\"", type));
  }
  return Unit{};
}

}  // namespace

Result<std::vector<Selection>> select(const Resources& resources,
                                      const std::vector<std::string>& words) {
  std::vector<Selection> out;
  const bool slashes = words.front().find('/') != std::string::npos;
  if (slashes) {
    for (const std::string& word : words) {
      const size_t slash = word.find('/');
      if (slash == std::string::npos)
        return Error(Code::kInvalid,
                     "name every object as TYPE/NAME, or give one type and its names");
      const std::vector<std::string> name{word.substr(slash + 1)};
      TRY_OK(check_names(name, word));
      TRY(ResourceType type, resources.find(word.substr(0, slash)));
      out.push_back({std::move(type), name});
    }
    return out;
  }
  const std::vector<std::string> names(words.begin() + 1, words.end());
  TRY_OK(check_names(names, words.front()));
  for (size_t from = 0; from <= words[0].size();) {
    const size_t comma = std::min(words[0].find(',', from), words[0].size());
    TRY(auto types, resources.find_all(words[0].substr(from, comma - from)));
    for (ResourceType& type : types) out.push_back({std::move(type), names});
    from = comma + 1;
  }
  return out;
}

Result<std::string> choose_pod(Session& session, const std::string& word) {
  const size_t slash = word.find('/');
  TRY_OK(check_names({slash == std::string::npos ? word : word.substr(slash + 1)}, word));
  if (slash == std::string::npos) return word;
  TRY(const Resources resources, Resources::discover(session));
  TRY(const ResourceType type, resources.find(word.substr(0, slash)));
  if (type.gvr.resource == "pods") return word.substr(slash + 1);
  TRY(const json::Value owner, session.get(path_of(type, session.ns(), word.substr(slash + 1))));
  const std::string selector = selector_of(owner);
  if (selector.empty()) return Error(Code::kInvalid, word + " selects no pods");
  TRY(const json::Value pods,
      session.get(fmt::format("/api/v1/namespaces/{}/pods?labelSelector={}", segment(session.ns()),
                              net::percent_encode(selector))));
  const json::Array& items = json::array_at(pods, {"items"});
  if (items.empty())
    return Error(Code::kNotFound, word + " has no pods; look with: atoll get pods -l " + selector);
  for (const json::Value& pod : items) {
    if (is_ready(pod)) return std::string(json::string_at(pod, {"metadata", "name"}));
  }
  return std::string(json::string_at(items[0], {"metadata", "name"}));
}

}  // namespace atl::cli
