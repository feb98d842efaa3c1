#include "kernel/apiserver/registry/registry.h"

#include "kernel/apiserver/contract/status.h"
#include "kernel/apiserver/registry/body_checks.h"

namespace atl::apiserver {

Registry::Registry(Parts parts) : parts_(parts) {}
Registry::~Registry() = default;

Task<VirtualReply> Registry::post(Call call, Body body) {
  VirtualHook* hook = parts_.hooks.virtual_hook(call.kind->gvr, call.subresource);
  if (!hook) co_return method_not_allowed();
  api::ObjectPtr parent;
  const api::Schema* schema = call.kind->schema;
  api::Gvk type = call.kind->gvk;
  if (!call.subresource.empty()) {
    CO_TRY(const CachedPtr live, find(call));
    parent = live->object;
    const api::Subresource* sub = call.kind->subresource(call.subresource);
    schema = sub ? sub->schema : nullptr;
    if (sub && !sub->kind.kind.empty()) type = sub->kind;
  }
  // An empty body is an empty object here: kubectl create token sends one.
  if (body.document.is_null()) body.document = json::Object{};
  CO_TRY_OK(check_type(type, body.document));
  CO_TRY_OK(drop_unknown(call, schema, body));
  CO_TRY_OK(check_types(*call.kind, schema, body.document));
  if (schema) api::apply_defaults(*schema, body.document);
  AdmissionRequest admission{.operation = Operation::kCreate,
                             .kind = call.kind,
                             .subresource = call.subresource,
                             .user = call.user,
                             .ns = call.key.ns,
                             .name = call.key.name,
                             .object = &body.document,
                             .dry_run = call.dry_run};
  CO_TRY_OK(co_await parts_.admission.mutate(admission));
  CO_TRY_OK(co_await parts_.admission.validate(admission));
  auto reply = co_await hook->post({.kind = *call.kind,
                                    .subresource = call.subresource,
                                    .key = call.key,
                                    .user = call.user,
                                    .dry_run = call.dry_run,
                                    .now = parts_.timer.now(),
                                    .body = body.document,
                                    .parent = std::move(parent),
                                    .registry = this});
  parts_.admission.finished(admission, reply.has_value() && !call.dry_run);
  co_return std::move(reply);
}

}  // namespace atl::apiserver
