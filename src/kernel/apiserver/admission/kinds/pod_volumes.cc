#include <set>

#include "kernel/apiserver/admission/kinds/pod_rules.h"
#include "kernel/apiserver/contract/findings.h"

namespace atl::apiserver {
namespace {

// A path inside a volume may not leave it.
std::string_view check_local_path(std::string_view path) {
  if (path.starts_with('/')) return "must be a relative path";
  for (std::string_view rest = path;;) {
    const size_t slash = rest.find('/');
    if (rest.substr(0, slash) == "..") return "must not contain '..'";
    if (slash == std::string_view::npos) return {};
    rest = rest.substr(slash + 1);
  }
}

void check_items(const json::Value& source, const std::string& path, api::Findings& out) {
  size_t index = 0;
  for (const json::Value& item : json::array_at(source, {"items"})) {
    const std::string here = under(at(under(path, "items"), index++), "path");
    const std::string_view target = json::string_at(item, {"path"});
    if (const auto why = check_local_path(target); !why.empty())
      out.push_back(invalid_value(here, json::Value(target), why));
    else if (target.starts_with(".."))
      out.push_back(invalid_value(here, json::Value(target), "must not start with '..'"));
  }
}

void check_projected(const json::Value& projected, const std::string& path, api::Findings& out) {
  size_t index = 0;
  for (const json::Value& source : json::array_at(projected, {"sources"})) {
    const std::string here = at(under(path, "sources"), index++);
    if (!source.is_object() || source.as_object().empty())
      out.push_back(required_value(here, "must specify a source type"));
    if (source.is_object() && source.as_object().size() > 1) {
      out.push_back(forbidden_value(here, "may not specify more than 1 volume type"));
    }
    for (const std::string_view kind : {"secret", "configMap", "downwardAPI"}) {
      if (const json::Value* part = json::find(source, {kind}))
        check_items(*part, under(here, kind), out);
    }
  }
}

void check_volume(const json::Value& volume, const std::string& path, api::Findings& out) {
  if (!volume.is_object()) return;
  const std::string_view name = json::string_at(volume, {"name"});
  check_text(out, under(path, "name"), name, api::dns_label);
  size_t sources = 0;
  for (const auto& [field, source] : volume.as_object()) {
    if (field == "name") continue;
    const std::string here = under(path, field);
    if (++sources > 1)
      out.push_back(forbidden_value(here, "may not specify more than 1 volume type"));
    if (field == "configMap" && json::string_at(source, {"name"}).empty())
      out.push_back(required_value(under(here, "name")));
    if (field == "secret" && json::string_at(source, {"secretName"}).empty())
      out.push_back(required_value(under(here, "secretName")));
    if (field == "hostPath" &&
        json::string_at(source, {"path"}).find("..") != std::string_view::npos &&
        !check_local_path(json::string_at(source, {"path"}).substr(1)).empty()) {
      out.push_back(invalid_value(under(here, "path"),
                                  json::Value(json::string_at(source, {"path"})),
                                  "must not contain '..'"));
    }
    if (field == "configMap" || field == "secret" || field == "downwardAPI")
      check_items(source, here, out);
    if (field == "projected") check_projected(source, here, out);
  }
}

void check_mounts(const json::Value& container, const std::string& path,
                  const std::set<std::string>& volumes, api::Findings& out) {
  std::set<std::string> paths;
  size_t index = 0;
  for (const json::Value& mount : json::array_at(container, {"volumeMounts"})) {
    const std::string here = at(under(path, "volumeMounts"), index++);
    const std::string name(json::string_at(mount, {"name"}));
    const std::string target(json::string_at(mount, {"mountPath"}));
    if (!name.empty() && !volumes.contains(name))
      out.push_back(not_found_value(under(here, "name"), json::Value(name)));
    if (!target.empty() && !paths.insert(target).second) {
      out.push_back(invalid_value(under(here, "mountPath"), json::Value(target), "must be unique"));
    }
    for (const std::string_view field : {"subPath", "subPathExpr"}) {
      const std::string_view inside = json::string_at(mount, {field});
      if (const auto why = check_local_path(inside); !why.empty()) {
        out.push_back(invalid_value(under(here, field), json::Value(inside), why));
      }
    }
    if (!json::string_at(mount, {"subPath"}).empty() &&
        !json::string_at(mount, {"subPathExpr"}).empty()) {
      out.push_back(invalid_value(under(here, "subPathExpr"),
                                  json::Value(json::string_at(mount, {"subPathExpr"})),
                                  "subPathExpr and subPath are mutually exclusive"));
    }
  }
}

}  // namespace

void check_volumes(const json::Value& spec, std::string_view path, api::Findings& out) {
  std::set<std::string> names;
  size_t index = 0;
  for (const json::Value& volume : json::array_at(spec, {"volumes"})) {
    check_volume(volume, at(under(path, "volumes"), index++), out);
    names.emplace(json::string_at(volume, {"name"}));
  }
  for (const std::string_view list : {"initContainers", "containers", "ephemeralContainers"}) {
    size_t number = 0;
    for (const json::Value& container : json::array_at(spec, {list})) {
      check_mounts(container, at(under(path, list), number++), names, out);
    }
  }
}

}  // namespace atl::apiserver
