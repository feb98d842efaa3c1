#include "kernel/apiserver/custom/definition.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <tuple>

namespace atl::apiserver {
namespace {

std::string text_at(const json::Value& value, json::Path path) {
  return std::string(json::string_at(value, path));
}

std::vector<std::string> strings_at(const json::Value& value, json::Path path) {
  std::vector<std::string> out;
  for (const json::Value& item : json::array_at(value, path)) {
    if (item.is_string()) out.emplace_back(item.get_string());
  }
  return out;
}

// 3 for GA, 2 for beta, 1 for alpha, 0 for names of another form; then the numbers.
std::tuple<int, int, int> version_rank(std::string_view version) {
  if (!version.starts_with('v')) return {};
  version.remove_prefix(1);
  int major = 0, minor = 0;
  auto at = std::from_chars(version.data(), version.data() + version.size(), major);
  if (at.ec != std::errc() || major == 0) return {};
  version.remove_prefix(size_t(at.ptr - version.data()));
  if (version.empty()) return {3, major, 0};
  const int level = version.starts_with("beta") ? 2 : version.starts_with("alpha") ? 1 : 0;
  if (level == 0) return {};
  version.remove_prefix(level == 2 ? 4 : 5);
  at = std::from_chars(version.data(), version.data() + version.size(), minor);
  if (at.ec != std::errc() || at.ptr != version.data() + version.size()) return {};
  return {level, major, minor};
}

std::vector<api::Column> columns_of(const json::Value& version) {
  std::vector<api::Column> columns{
      {.name = "Name", .type = "string", .format = "name", .json_path = ".metadata.name"}};
  for (const json::Value& item : json::array_at(version, {"additionalPrinterColumns"})) {
    columns.push_back({.name = text_at(item, {"name"}),
                       .type = text_at(item, {"type"}),
                       .format = text_at(item, {"format"}),
                       .description = text_at(item, {"description"}),
                       .json_path = text_at(item, {"jsonPath"}),
                       .priority = int(json::int_at(item, {"priority"}))});
  }
  if (columns.size() == 1) {
    columns.push_back({.name = "Age", .type = "date", .json_path = ".metadata.creationTimestamp"});
  }
  return columns;
}

void read_subresources(const json::Value& version, api::Kind& kind) {
  if (json::find(version, {"subresources", "status"})) {
    kind.subresources.push_back({.name = "status",
                                 .kind = kind.gvk,
                                 .schema = kind.schema,
                                 .verbs = {"get", "patch", "update"}});
  }
  const json::Value* scale = json::find(version, {"subresources", "scale"});
  if (!scale || !scale->is_object()) return;
  kind.subresources.push_back({.name = "scale",
                               .kind = {"autoscaling", "v1", "Scale"},
                               .verbs = {"get", "patch", "update"}});
  kind.scale_spec_path = text_at(*scale, {"specReplicasPath"});
  kind.scale_status_path = text_at(*scale, {"statusReplicasPath"});
  kind.scale_selector_path = text_at(*scale, {"labelSelectorPath"});
}

// ".spec.color" → "spec.color", as a field selector names it.
std::vector<std::string> selectable_of(const json::Value& version) {
  std::vector<std::string> out;
  for (const json::Value& item : json::array_at(version, {"selectableFields"})) {
    std::string path = text_at(item, {"jsonPath"});
    if (path.starts_with('.')) path.erase(0, 1);
    if (!path.empty()) out.push_back(std::move(path));
  }
  return out;
}

// What callers of a version are told with each answer; empty where it is current.
std::string deprecation_of(const json::Value& definition, const json::Value& version,
                           const api::Gvk& gvk) {
  if (!json::bool_at(version, {"deprecated"})) return {};
  if (const json::Value* said = json::find(version, {"deprecationWarning"});
      said && said->is_string())
    return std::string(said->get_string());
  std::string better;  // the best of the newer versions that are served
  for (const json::Value& other : json::array_at(definition, {"spec", "versions"})) {
    const std::string name = text_at(other, {"name"});
    const bool current = json::bool_at(other, {"served"}) && !json::bool_at(other, {"deprecated"});
    if (current && version_before(name, better.empty() ? gvk.version : better)) better = name;
  }
  const std::string use =
      better.empty() ? "" : fmt::format("; use {}/{} {}", gvk.group, better, gvk.kind);
  return fmt::format("{}/{} {} is deprecated{}", gvk.group, gvk.version, gvk.kind, use);
}

const json::Value& names_of(const json::Value& definition) {
  static const json::Value none{json::Object{}};
  const json::Value* accepted = json::find(definition, {"status", "acceptedNames"});
  if (accepted && !json::string_at(*accepted, {"plural"}).empty()) return *accepted;
  const json::Value* wished = json::find(definition, {"spec", "names"});
  return wished ? *wished : none;
}

Result<api::KindPtr> kind_of(const json::Value& definition, const json::Value& version,
                             size_t index) {
  auto kind = std::make_shared<api::Kind>();
  const json::Value& names = names_of(definition);
  kind->gvk = {text_at(definition, {"spec", "group"}), text_at(version, {"name"}),
               text_at(names, {"kind"})};
  kind->gvr = {kind->gvk.group, kind->gvk.version, text_at(names, {"plural"})};
  kind->list_kind = text_at(names, {"listKind"});
  kind->singular = text_at(names, {"singular"});
  kind->short_names = strings_at(names, {"shortNames"});
  kind->categories = strings_at(names, {"categories"});
  kind->namespaced = json::string_at(definition, {"spec", "scope"}) == "Namespaced";
  kind->custom = true;
  kind->storage = json::bool_at(version, {"storage"});
  kind->deprecation = deprecation_of(definition, version, kind->gvk);
  kind->verbs = {"create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"};
  kind->columns = columns_of(version);
  kind->selectable_fields = selectable_of(version);
  kind->unconditional_update = false;
  kind->has_generation = true;
  kind->schemas = std::make_shared<api::SchemaSet>();
  static const json::Value kAnything{
      json::Object{{"type", "object"}, {"x-kubernetes-preserve-unknown-fields", true}}};
  const json::Value* schema = json::find(version, {"schema", "openAPIV3Schema"});
  TRY(kind->schema,
      api::parse_structural(*kind->schemas, schema ? *schema : kAnything,
                            fmt::format("spec.versions[{}].schema.openAPIV3Schema", index)));
  read_subresources(version, *kind);
  return api::KindPtr(std::move(kind));
}

}  // namespace

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = c >= 'A' && c <= 'Z' ? char(c + 32) : c;
  return out;
}

void default_definition(json::Value& definition) {
  json::Value& names = json::ensure(definition, {"spec", "names"});
  const std::string kind = text_at(names, {"kind"});
  if (json::string_at(names, {"singular"}).empty())
    json::set(names, {"singular"}, json::Value(lower(kind)));
  if (json::string_at(names, {"listKind"}).empty())
    json::set(names, {"listKind"}, json::Value(kind + "List"));
  if (json::string_at(definition, {"spec", "conversion", "strategy"}).empty()) {
    json::set(definition, {"spec", "conversion", "strategy"}, json::Value("None"));
  }
}

std::vector<std::string> versions_left_out(const json::Value& definition) {
  std::vector<std::string> out;
  if (json::string_at(definition, {"spec", "conversion", "strategy"}) != "Webhook") return out;
  for (const json::Value& version : json::array_at(definition, {"spec", "versions"})) {
    if (json::bool_at(version, {"served"}) && !json::bool_at(version, {"storage"}))
      out.push_back(text_at(version, {"name"}));
  }
  return out;
}

Result<std::vector<api::KindPtr>> kinds_of(const json::Value& definition) {
  std::vector<api::KindPtr> kinds;
  const std::vector<std::string> left_out = versions_left_out(definition);
  const json::Array& versions = json::array_at(definition, {"spec", "versions"});
  for (size_t i = 0; i < versions.size(); ++i) {
    // The stored version is needed to read what is stored, even where nobody is served in it.
    const bool served = json::bool_at(versions[i], {"served"}) &&
                        std::ranges::count(left_out, text_at(versions[i], {"name"})) == 0;
    if (!served && !json::bool_at(versions[i], {"storage"})) continue;
    TRY(api::KindPtr kind, kind_of(definition, versions[i], i));
    if (!served) {
      auto hidden = std::make_shared<api::Kind>(*kind);
      hidden->verbs.clear();
      kind = std::move(hidden);
    }
    kinds.push_back(std::move(kind));
  }
  std::sort(kinds.begin(), kinds.end(), [](const api::KindPtr& a, const api::KindPtr& b) {
    return version_before(a->gvk.version, b->gvk.version);
  });
  return kinds;
}

bool version_before(std::string_view a, std::string_view b) {
  const auto left = version_rank(a), right = version_rank(b);
  return left != right ? left > right : a < b;
}

void set_condition(json::Value& definition, std::string_view type, bool status,
                   std::string_view reason, std::string_view message, WallTime now) {
  json::Value& holder = json::ensure(definition, {"status"});
  if (!json::find(holder, {"conditions"}) || !json::find(holder, {"conditions"})->is_array()) {
    json::set(holder, {"conditions"}, json::Array{});
  }
  json::Array& conditions = json::find(holder, {"conditions"})->get_array();
  const std::string_view text = status ? "True" : "False";
  json::Value* found = nullptr;
  for (json::Value& condition : conditions) {
    if (json::string_at(condition, {"type"}) == type) found = &condition;
  }
  if (!found) found = &conditions.emplace_back(json::Object{{"type", type}});
  if (json::string_at(*found, {"status"}) != text) {
    json::set(*found, {"lastTransitionTime"}, json::Value(rfc3339(now)));
  }
  json::set(*found, {"status"}, json::Value(text));
  json::set(*found, {"reason"}, json::Value(reason));
  json::set(*found, {"message"}, json::Value(message));
}

bool condition_is(const json::Value& definition, std::string_view type, std::string_view status) {
  for (const json::Value& condition : json::array_at(definition, {"status", "conditions"})) {
    if (json::string_at(condition, {"type"}) == type)
      return json::string_at(condition, {"status"}) == status;
  }
  return false;
}

std::string name_conflict(const json::Value& definition, const std::vector<api::KindPtr>& others) {
  const json::Value* names = json::find(definition, {"spec", "names"});
  if (!names) return "spec.names is missing";
  const std::string group = text_at(definition, {"spec", "group"});
  const std::string plural = text_at(*names, {"plural"});
  std::vector<std::string> own = strings_at(*names, {"shortNames"});
  own.push_back(text_at(*names, {"singular"}));
  own.push_back(plural);
  const std::string kind = text_at(*names, {"kind"}), list_kind = text_at(*names, {"listKind"});
  for (const api::KindPtr& other : others) {
    if (other->gvr.group != group || (other->custom && other->gvr.resource == plural)) continue;
    std::vector<std::string> taken = other->short_names;
    taken.push_back(other->singular);
    taken.push_back(other->gvr.resource);
    for (const std::string& name : own) {
      if (std::find(taken.begin(), taken.end(), name) != taken.end()) {
        return fmt::format("\"{}\" is already in use", name);
      }
    }
    for (const std::string& name : {kind, list_kind}) {
      if (name == other->gvk.kind || name == other->list_kind)
        return fmt::format("\"{}\" is already in use", name);
    }
  }
  return {};
}

}  // namespace atl::apiserver
