#include "kernel/apiserver/custom/definition_hook.h"

#include <fmt/format.h>

#include <algorithm>

#include "kernel/apiserver/custom/definition.h"

namespace atl::apiserver {
namespace {

constexpr size_t kSelectableFieldsMax = 8;

void invalid_value(api::Findings& out, std::string field, std::string_view value,
                   std::string_view why) {
  out.push_back({"FieldValueInvalid", fmt::format("Invalid value: \"{}\": {}", value, why),
                 std::move(field)});
}

void check_names(const json::Value& object, api::Findings& out) {
  const std::string_view plural = json::string_at(object, {"spec", "names", "plural"});
  const std::string_view group = json::string_at(object, {"spec", "group"});
  const std::string wanted = fmt::format("{}.{}", plural, group);
  if (json::string_at(object, {"metadata", "name"}) != wanted) {
    invalid_value(out, "metadata.name", json::string_at(object, {"metadata", "name"}),
                  fmt::format("must be spec.names.plural+\".\"+spec.group"));
  }
  if (group.find('.') == std::string_view::npos) {
    invalid_value(out, "spec.group", group, "should be a domain with at least one dot");
  }
  const std::string_view kind = json::string_at(object, {"spec", "names", "kind"});
  if (kind == json::string_at(object, {"spec", "names", "listKind"})) {
    invalid_value(out, "spec.names.listKind", kind, "kind and listKind may not be the same");
  }
  const std::string_view scope = json::string_at(object, {"spec", "scope"});
  if (scope != "Cluster" && scope != "Namespaced") {
    out.push_back(
        {"FieldValueNotSupported",
         fmt::format("Unsupported value: \"{}\": supported values: \"Cluster\", \"Namespaced\"",
                     scope),
         "spec.scope"});
  }
}

void check_version(const json::Value& version, const std::string& path, api::Findings& out) {
  if (!json::find(version, {"schema", "openAPIV3Schema"})) {
    out.push_back({"FieldValueRequired", "Required value: schemas are required",
                   path + ".schema.openAPIV3Schema"});
  }
  if (json::array_at(version, {"selectableFields"}).size() > kSelectableFieldsMax) {
    out.push_back({"FieldValueTooMany",
                   fmt::format("Too many: must have at most {} items", kSelectableFieldsMax),
                   path + ".selectableFields"});
  }
  const json::Value* scale = json::find(version, {"subresources", "scale"});
  if (!scale) return;
  for (const std::string_view field : {"specReplicasPath", "statusReplicasPath"}) {
    const std::string_view value = json::string_at(*scale, {field});
    const std::string_view root = field.starts_with("spec") ? ".spec." : ".status.";
    if (!value.starts_with(root)) {
      invalid_value(out, fmt::format("{}.subresources.scale.{}", path, field), value,
                    fmt::format("should be a json path under {}", root.substr(0, root.size() - 1)));
    }
  }
}

void check_versions(const json::Value& object, api::Findings& out) {
  const json::Array& versions = json::array_at(object, {"spec", "versions"});
  int stored = 0;
  std::vector<std::string_view> seen;
  for (size_t i = 0; i < versions.size(); ++i) {
    const std::string path = fmt::format("spec.versions[{}]", i);
    const std::string_view version = json::string_at(versions[i], {"name"});
    if (std::find(seen.begin(), seen.end(), version) != seen.end()) {
      out.push_back(
          {"FieldValueDuplicate", fmt::format("Duplicate value: \"{}\"", version), path + ".name"});
    }
    seen.push_back(version);
    stored += json::bool_at(versions[i], {"storage"});
    check_version(versions[i], path, out);
  }
  if (stored != 1) {
    out.push_back({"FieldValueInvalid",
                   "Invalid value: must have exactly one version marked as storage version",
                   "spec.versions"});
  }
  // A version that objects may still be stored in cannot go.
  for (const json::Value& item : json::array_at(object, {"status", "storedVersions"})) {
    if (!item.is_string() ||
        std::find(seen.begin(), seen.end(), std::string_view(item.get_string())) != seen.end())
      continue;
    invalid_value(out, "status.storedVersions", item.get_string(), "must appear in spec.versions");
  }
}

void check_fixed(const json::Value& old, const json::Value& object, api::Findings& out) {
  static constexpr std::string_view kFixed[] = {"group", "scope"};
  for (const std::string_view field : kFixed) {
    const std::string_view now = json::string_at(object, {"spec", field});
    if (now != json::string_at(old, {"spec", field})) {
      invalid_value(out, fmt::format("spec.{}", field), now, "field is immutable");
    }
  }
  if (!condition_is(old, "Established", "True")) return;
  for (const std::string_view field : {"plural", "kind"}) {
    const std::string_view now = json::string_at(object, {"spec", "names", field});
    if (now != json::string_at(old, {"spec", "names", field})) {
      invalid_value(out, fmt::format("spec.names.{}", field), now, "field is immutable");
    }
  }
}

std::string_view storage_version(const json::Value& object) {
  for (const json::Value& version : json::array_at(object, {"spec", "versions"})) {
    if (json::bool_at(version, {"storage"})) return json::string_at(version, {"name"});
  }
  return {};
}

}  // namespace

Result<> DefinitionHook::prepare(WriteContext& write) const {
  json::Value& object = *write.object;
  if (!write.subresource.empty()) return Unit{};
  default_definition(object);
  // What has ever been the stored version stays listed until somebody says that nothing is left of
  // it.
  const std::string stored(storage_version(object));
  json::Array versions = json::array_at(object, {"status", "storedVersions"});
  const json::Value name(stored);
  if (!stored.empty() && std::find(versions.begin(), versions.end(), name) == versions.end()) {
    versions.push_back(name);
    json::set(object, {"status", "storedVersions"}, std::move(versions));
  }
  return Unit{};
}

api::Findings DefinitionHook::validate(const WriteContext& write) const {
  const json::Value& object = *write.object;
  api::Findings out;
  if (write.subresource == "status") return out;
  check_names(object, out);
  check_versions(object, out);
  if (write.old) check_fixed(*write.old, object, out);
  if (json::bool_at(object, {"spec", "preserveUnknownFields"})) {
    invalid_value(out, "spec.preserveUnknownFields", "true",
                  "must be false: use x-kubernetes-preserve-unknown-fields in the schema");
  }
  if (!out.empty()) return out;
  const auto kinds = kinds_of(object);
  if (!kinds) {
    out = kinds.error().causes();
    if (out.empty()) out.push_back({"FieldValueInvalid", kinds.error().message(), "spec.versions"});
  }
  return out;
}

bool DefinitionHook::holds_deletion(json::Value& object) const {
  if (json::find(object, {"metadata", "deletionTimestamp"})) return false;
  json::Array finalizers = json::array_at(object, {"metadata", "finalizers"});
  const json::Value name(kCleanupFinalizer);
  if (std::find(finalizers.begin(), finalizers.end(), name) == finalizers.end())
    finalizers.push_back(name);
  json::set(object, {"metadata", "finalizers"}, std::move(finalizers));
  return true;
}

}  // namespace atl::apiserver
