#include "api/patch/patch.h"

#include <fmt/format.h>

#include "api/apply/apply.h"
#include "api/validate/validate.h"
#include "kernel/apiserver/contract/status.h"
#include "kernel/apiserver/registry/body_checks.h"
#include "kernel/apiserver/registry/registry.h"

namespace atl::apiserver {
namespace {

Result<json::Value> patched(const Call& call, const PatchBody& patch, const json::Value& live) {
  switch (patch.type) {
    case api::PatchType::kJson:
      return api::json_patch(live, patch.body.document);
    case api::PatchType::kMerge:
      if (!patch.body.document.is_object()) {
        return Error(Code::kBadRequest, "a merge patch must be an object");
      }
      return api::merge_patch(live, patch.body.document);
    case api::PatchType::kStrategic:
      if (!patch.body.document.is_object()) {
        return Error(Code::kBadRequest, "a strategic merge patch must be an object");
      }
      if (call.kind->custom || !call.kind->schema) {
        return Error(
            Code::kUnsupportedMedia,
            "the body of the request was in an unknown format - accepted media types include: "
            "application/json-patch+json, application/merge-patch+json, "
            "application/apply-patch+yaml");
      }
      return api::strategic_patch(*call.kind->schema, live, patch.body.document);
    case api::PatchType::kApply:
      break;
  }
  return Error(Code::kInternal, "apply is not a patch of the live object");
}

// What a write to the call's path does not reach, its manager does not own either: the status on
// the main path, everything but the status on that of the status.
void drop_out_of_reach(const HookTable& hooks, const Call& call, json::Value& config) {
  if (call.subresource.empty()) {
    if (call.kind->has_status()) json::erase(config, {"status"});
    return;
  }
  const std::vector<std::string>* part = hooks.part(call.kind->gvr, call.subresource);
  const std::string reached = part ? part->front() : call.subresource;
  json::Object kept;
  for (auto& [key, value] : config.get_object()) {
    const std::string_view field = key;
    if (field == reached || field == "apiVersion" || field == "kind" || field == "metadata")
      kept.emplace(field, std::move(value));
  }
  config = std::move(kept);
}

}  // namespace

Result<> check_apply(const Call& call, const api::Gvk& wanted, const json::Value& config) {
  if (call.manager.empty()) {
    return Error(Code::kInvalid,
                 "PatchOptions.meta.k8s.io \"\" is invalid: fieldManager: Required value: is "
                 "required for apply patch")
        .with_cause(
            {"FieldValueRequired", "Required value: is required for apply patch", "fieldManager"});
  }
  const std::string version = wanted.group_version().text();
  const json::Value* given = json::find(config, {"apiVersion"});
  if (!given || *given != json::Value(version)) {
    return Error(Code::kBadRequest,
                 fmt::format("Incorrect version specified in apply patch. Specified patch version: "
                             "{}, expected: {}",
                             json::string_at(config, {"apiVersion"}), version));
  }
  const json::Value* managed = json::find(config, {"metadata", "managedFields"});
  if (managed && !managed->is_null()) {
    return Error(Code::kBadRequest, "metadata.managedFields must be nil");
  }
  return Unit{};
}

Task<Written> Registry::patch(Call call, PatchBody patch) {
  if (patch.type != api::PatchType::kApply) {
    const Maker make = [&call, &patch](const json::Value* live) -> Result<json::Value> {
      TRY(json::Value document, patched(call, patch, *live));
      Body body{std::move(document), patch.body.strictness};
      TRY_OK(accept_object(call, body, NameInBody::kRequired));
      return std::move(body.document);
    };
    co_return co_await replace(call, make, {});
  }
  if (!call.kind->schema) {
    co_return Error(Code::kUnsupportedMedia,
                    "this resource has no schema to apply a configuration by");
  }
  // The fields of the configuration are what the manager owns: defaults are added after the merge.
  CO_TRY_OK(check_apply(call, call.kind->gvk, patch.body.document));
  CO_TRY_OK(check_type(call.kind->gvk, patch.body.document));
  CO_TRY_OK(check_address(call, patch.body.document, NameInBody::kOptional));
  CO_TRY_OK(drop_unknown(call, call.kind->schema, patch.body));
  CO_TRY_OK(check_types(*call.kind, call.kind->schema, patch.body.document));
  drop_out_of_reach(parts_.hooks, call, patch.body.document);
  const Maker make = [this, &call, &patch](const json::Value* live) -> Result<json::Value> {
    const api::ManagerId manager{call.manager, call.kind->gvk.group_version().text(),
                                 call.subresource};
    TRY(api::Applied applied, api::apply(*call.kind->schema, live, patch.body.document, manager,
                                         patch.force, parts_.timer.now()));
    const std::string_view uid = json::string_at(applied.document, {"metadata", "uid"});
    if (!live && !uid.empty()) {
      return conflict(call.kind->gvr.group_resource(), call.key.name,
                      fmt::format("uid mismatch: the provided object specified uid {}, and no "
                                  "existing object was found",
                                  uid));
    }
    TRY_OK(check_types(*call.kind, call.kind->schema, applied.document));
    api::apply_defaults(*call.kind->schema, applied.document);
    return std::move(applied.document);
  };
  co_return co_await replace(
      call, make, {.may_create = call.subresource.empty(), .ownership = Ownership::kWritten});
}

}  // namespace atl::apiserver
