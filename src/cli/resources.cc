#include "cli/resources.h"

#include <fmt/format.h>

#include <algorithm>

#include "cli/usage.h"

namespace atl::cli {
namespace {

constexpr char kAggregated[] =
    "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";

std::string lower(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(),
                 [](unsigned char c) { return char(std::tolower(c)); });
  return out;
}

std::vector<std::string> strings(const json::Value& root, json::Path path) {
  std::vector<std::string> out;
  for (const json::Value& item : json::array_at(root, path)) {
    if (item.is_string()) out.emplace_back(item.get_string());
  }
  return out;
}

bool called(const ResourceType& type, const std::string& name) {
  return type.gvr.resource == name || type.singular == name || lower(type.kind) == name ||
         type.gvr.group_resource() == name ||
         std::find(type.short_names.begin(), type.short_names.end(), name) !=
             type.short_names.end();
}

}  // namespace

Result<Resources> Resources::discover(Session& session) {
  Resources out;
  for (const char* root : {"/api", "/apis"}) {
    TRY(const json::Value document, session.get(root, kAggregated));
    out.read(document);
  }
  return out;
}

void Resources::read(const json::Value& document) {
  for (const json::Value& group : json::array_at(document, {"items"})) {
    const std::string name(json::string_at(group, {"metadata", "name"}));
    for (const json::Value& version : json::array_at(group, {"versions"})) {
      for (const json::Value& item : json::array_at(version, {"resources"})) {
        types_.push_back({{name, std::string(json::string_at(version, {"version"})),
                           std::string(json::string_at(item, {"resource"}))},
                          std::string(json::string_at(item, {"responseKind", "kind"})),
                          std::string(json::string_at(item, {"singularResource"})),
                          strings(item, {"shortNames"}),
                          strings(item, {"categories"}),
                          json::string_at(item, {"scope"}) == "Namespaced"});
      }
    }
  }
}

Result<ResourceType> Resources::find(std::string_view name) const {
  const std::string wanted = lower(name);
  const auto it = std::find_if(types_.begin(), types_.end(),
                               [&](const ResourceType& type) { return called(type, wanted); });
  if (it != types_.end()) return *it;
  std::vector<std::string> plurals;
  for (const ResourceType& type : types_) plurals.push_back(type.gvr.resource);
  return Error(Code::kNotFound,
               fmt::format("the server has no resource \"{}\"{}", name, near_it(wanted, plurals)));
}

Result<ResourceType> Resources::find_kind(const api::Gvk& kind) const {
  const auto it = std::find_if(types_.begin(), types_.end(), [&](const ResourceType& type) {
    return type.kind == kind.kind && type.gvr.group == kind.group &&
           type.gvr.version == kind.version;
  });
  if (it != types_.end()) return *it;
  return Error(Code::kNotFound, fmt::format("the server has no kind \"{}\" in {}; if a "
                                            "CustomResourceDefinition brings it, apply that first",
                                            kind.kind, kind.group_version().text()));
}

Result<std::vector<ResourceType>> Resources::find_all(std::string_view name) const {
  std::vector<ResourceType> out;
  std::vector<std::string> seen;
  for (const ResourceType& type : types_) {
    const bool member =
        std::find(type.categories.begin(), type.categories.end(), name) != type.categories.end();
    if (!member || std::find(seen.begin(), seen.end(), type.gvr.group_resource()) != seen.end())
      continue;
    seen.push_back(type.gvr.group_resource());
    out.push_back(type);
  }
  if (!out.empty()) return out;
  TRY(ResourceType one, find(name));
  out.push_back(std::move(one));
  return out;
}

std::string path_of(const ResourceType& type, std::string_view ns, std::string_view name) {
  std::string path = type.gvr.group.empty() ? "/api/" + type.gvr.version
                                            : "/apis/" + type.gvr.group + "/" + type.gvr.version;
  if (type.namespaced && !ns.empty()) path += "/namespaces/" + segment(ns);
  path += "/" + type.gvr.resource;
  if (!name.empty()) path += "/" + segment(name);
  return path;
}

}  // namespace atl::cli
