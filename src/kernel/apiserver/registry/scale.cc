#include <fmt/format.h>

#include "api/apply/apply.h"
#include "api/apply/scale_owners.h"
#include "api/patch/patch.h"
#include "api/validate/validate.h"
#include "kernel/apiserver/contract/status.h"
#include "kernel/apiserver/registry/body_checks.h"
#include "kernel/apiserver/registry/registry.h"

namespace atl::apiserver {
namespace {

const api::Gvk kScale{"autoscaling", "v1", "Scale"};

// ".spec.replicas" → {"spec", "replicas"}
std::vector<std::string> steps(std::string_view path) {
  std::vector<std::string> out;
  while (!path.empty()) {
    if (path.starts_with('.')) path.remove_prefix(1);
    const size_t end = std::min(path.find('.'), path.size());
    out.emplace_back(path.substr(0, end));
    path.remove_prefix(end);
  }
  return out;
}

const json::Value* at_path(const json::Value& document, std::string_view path) {
  const json::Value* at = &document;
  for (const std::string& step : steps(path)) {
    at = json::find(*at, {step});
    if (!at) return nullptr;
  }
  return at;
}

void set_path(json::Value& document, std::string_view path, json::Value value) {
  json::Value* at = &document;
  const auto parts = steps(path);
  for (size_t i = 0; i + 1 < parts.size(); ++i) at = &json::ensure(*at, {parts[i]});
  json::set(*at, {parts.back()}, std::move(value));
}

int64_t number_at(const json::Value& document, std::string_view path) {
  const json::Value* at = path.empty() ? nullptr : at_path(document, path);
  return at && at->is_int64() ? at->get_int64() : 0;
}

// A selector in a document: text, a LabelSelector, or a plain map.
std::string selector_text(const json::Value* value) {
  if (!value) return {};
  if (value->is_string()) return std::string(value->get_string());
  if (!value->is_object()) return {};
  if (json::find(*value, {"matchLabels"}) || json::find(*value, {"matchExpressions"})) {
    const auto selector = api::LabelSelector::from_document(*value);
    return selector ? selector->text() : std::string();
  }
  return api::LabelSelector::from_map(value->get_object()).text();
}

json::Value scale_of(const api::Kind& kind, const json::Value& parent) {
  json::Object metadata;
  for (const std::string_view field :
       {"name", "namespace", "uid", "resourceVersion", "creationTimestamp"}) {
    if (const json::Value* at = json::find(parent, {"metadata", field})) metadata[field] = *at;
  }
  json::Object status{{"replicas", number_at(parent, kind.scale_status_path)}};
  const std::string selector = kind.scale_selector_path.empty()
                                   ? std::string()
                                   : selector_text(at_path(parent, kind.scale_selector_path));
  if (!selector.empty()) status["selector"] = selector;
  return json::Object{{"kind", kScale.kind},
                      {"apiVersion", kScale.group_version().text()},
                      {"metadata", std::move(metadata)},
                      {"spec", json::Object{{"replicas", number_at(parent, kind.scale_spec_path)}}},
                      {"status", std::move(status)}};
}

Result<int64_t> wished_replicas(const Call& call, const json::Value& scale) {
  const json::Value* at = json::find(scale, {"spec", "replicas"});
  if (!at || at->is_null()) return 0;
  const int64_t* number = at->if_int64();
  if (!number) return Error(Code::kBadRequest, "Scale: spec.replicas: must be an integer");
  if (*number < 0 || *number > INT32_MAX) {
    return api::invalid(
        kScale, call.key.name,
        {{"FieldValueInvalid",
          fmt::format("Invalid value: {}: must be greater than or equal to 0", *number),
          "spec.replicas"}});
  }
  return *number;
}

// ".spec.replicas" as managedFields write it.
api::fields::Path owned_place(std::string_view path) {
  api::fields::Path place;
  for (const std::string& step : steps(path)) place.push_back("f:" + step);
  return place;
}

// The parent as the wished Scale wants it.
Result<json::Value> rescaled(const Call& call, const json::Value& parent,
                             const json::Value& scale) {
  TRY(const int64_t replicas, wished_replicas(call, scale));
  json::Value next = parent;
  set_path(next, call.kind->scale_spec_path, json::Value(replicas));
  const json::Value* revision = json::find(scale, {"metadata", "resourceVersion"});
  if (revision && !revision->is_null()) json::set(next, {"metadata", "resourceVersion"}, *revision);
  const std::string_view uid = json::string_at(scale, {"metadata", "uid"});
  if (!uid.empty()) json::set(next, {"metadata", "uid"}, json::Value(uid));
  return next;
}

}  // namespace

Task<json::Value> Registry::get_scale(Call call) {
  CO_TRY(const CachedPtr live, find(call));
  CO_TRY(const json::Value document, document_for(call, *live));
  co_return scale_of(*call.kind, document);
}

Task<json::Value> Registry::update_scale(Call call, Body body) {
  CO_TRY_OK(check_type(kScale, body.document));
  CO_TRY_OK(check_address(call, body.document, NameInBody::kOptional));
  const api::Subresource* sub = call.kind->subresource("scale");
  CO_TRY_OK(drop_unknown(call, sub ? sub->schema : nullptr, body));
  const Maker make = [&](const json::Value* live) { return rescaled(call, *live, body.document); };
  CO_TRY(const Written written, co_await replace(call, make, {}));
  co_return scale_of(*call.kind, written.object->parse());
}

// Applied to the Scale, whose one field has the owners that the number has in the object.
Task<json::Value> Registry::apply_scale(Call call, PatchBody patch) {
  const api::Schema* schema = parts_.kinds.schema_of(kScale);
  if (!schema) co_return Error(Code::kInternal, "the kind Scale has no schema");
  json::Value& config = patch.body.document;
  CO_TRY_OK(check_apply(call, kScale, config));
  CO_TRY_OK(check_type(kScale, config));
  CO_TRY_OK(check_address(call, config, NameInBody::kOptional));
  CO_TRY_OK(drop_unknown(call, schema, patch.body));
  const Maker make = [&](const json::Value* live) -> Result<json::Value> {
    const api::fields::Path place = owned_place(call.kind->scale_spec_path);
    const std::string version = call.kind->gvk.group_version().text();
    const json::Value* owners = json::find(*live, {"metadata", "managedFields"});
    json::Value scale = scale_of(*call.kind, *live);
    json::set(scale, {"metadata", "managedFields"}, api::scale_owners(owners, place));
    TRY(const api::Applied applied,
        api::apply(*schema, &scale, config,
                   {call.manager, kScale.group_version().text(), call.subresource}, patch.force,
                   parts_.timer.now()));
    TRY(json::Value next, rescaled(call, *live, applied.document));
    const json::Value* now = json::find(applied.document, {"metadata", "managedFields"});
    json::set(next, {"metadata", "managedFields"}, api::object_owners(owners, now, place, version));
    return next;
  };
  CO_TRY(const Written written, co_await replace(call, make, {.ownership = Ownership::kWritten}));
  co_return scale_of(*call.kind, written.object->parse());
}

Task<json::Value> Registry::patch_scale(Call call, PatchBody patch) {
  if (patch.type == api::PatchType::kApply) {
    co_return co_await apply_scale(std::move(call), std::move(patch));
  }
  const Maker make = [&](const json::Value* live) -> Result<json::Value> {
    json::Value scale = scale_of(*call.kind, *live);
    if (patch.type == api::PatchType::kJson) {
      TRY(scale, api::json_patch(std::move(scale), patch.body.document));
    } else {
      scale = api::merge_patch(std::move(scale), patch.body.document);
    }
    TRY_OK(check_type(kScale, scale));
    return rescaled(call, *live, scale);
  };
  CO_TRY(const Written written, co_await replace(call, make, {}));
  co_return scale_of(*call.kind, written.object->parse());
}

}  // namespace atl::apiserver
