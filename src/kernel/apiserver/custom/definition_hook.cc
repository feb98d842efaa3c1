#include "kernel/apiserver/custom/definition_hook.h"

#include <algorithm>

#include "kernel/apiserver/custom/definition.h"
#include "kernel/apiserver/custom/definition_rules.h"

namespace atl::apiserver {
namespace {

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
  if (write.subresource == "status") return {};
  api::Findings out = check_definition(object, write.old);
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
