#include "kernel/controllers/claim.h"

namespace atl::controllers {
namespace {

// A patch of metadata.ownerReferences that fails if the child has changed since.
json::Value owners_patch(const api::Object& child, json::Array owners) {
  return json::Object{
      {"metadata", json::Object{{"uid", child.uid()},
                                {"resourceVersion", std::to_string(child.revision().value)},
                                {"ownerReferences", std::move(owners)}}}};
}

Task<api::ObjectPtr> adopt(Deps deps, api::Gvr resource, api::ObjectPtr owner,
                           api::ObjectPtr child) {
  const json::Value document = child->parse();
  json::Array owners = json::array_at(document, {"metadata", "ownerReferences"});
  owners.push_back(controller_ref(*owner));
  co_return co_await deps.client.patch(resource, child->key(), api::PatchType::kMerge,
                                       owners_patch(*child, std::move(owners)));
}

Task<> release(Deps deps, api::Gvr resource, api::ObjectPtr owner, api::ObjectPtr child) {
  json::Array others;
  const json::Value document = child->parse();
  for (const json::Value& entry : json::array_at(document, {"metadata", "ownerReferences"})) {
    if (json::string_at(entry, {"uid"}) != owner->uid()) others.push_back(entry);
  }
  const Result<api::ObjectPtr> patched = co_await deps.client.patch(
      resource, child->key(), api::PatchType::kMerge, owners_patch(*child, std::move(others)));
  if (!patched && patched.error().code() != Code::kNotFound) co_return patched.error();
  co_return Unit{};
}

}  // namespace

Claim plan_claim(const api::Object& owner, const api::LabelSelector& selector,
                 const std::vector<api::ObjectPtr>& owned,
                 const std::vector<api::ObjectPtr>& orphans) {
  Claim claim;
  for (const api::ObjectPtr& child : owned) {
    if (controller_uid(*child) != owner.uid()) continue;
    if (selector.matches(child->header().labels)) {
      claim.mine.push_back(child);
    } else if (!owner.header().deleting) {
      claim.release.push_back(child);
    }
  }
  if (owner.header().deleting || selector.everything()) return claim;
  for (const api::ObjectPtr& child : orphans) {
    if (!child->header().deleting && selector.matches(child->header().labels))
      claim.adopt.push_back(child);
  }
  return claim;
}

Children::Children(api::Informer& informer)
    : informer_(informer),
      orphans_(informer.add_index("orphan",
                                  [](const api::Object& object, std::vector<std::string>& values) {
                                    if (!object.header().controller())
                                      values.push_back(object.ns());
                                  })) {
  informer_.index_owners();
}

Task<std::vector<api::ObjectPtr>> Children::claim(Deps deps, api::Gvr owner_resource,
                                                  api::ObjectPtr owner,
                                                  api::LabelSelector selector) const {
  Claim claim = plan_claim(*owner, selector, owned_by(owner->uid()), orphans(owner->ns()));
  for (const api::ObjectPtr& child : claim.release) {
    CO_TRY_OK(co_await release(deps, informer_.resource(), owner, child));
  }
  if (!claim.adopt.empty()) {
    CO_TRY(const api::ObjectPtr fresh, co_await deps.client.get(owner_resource, owner->key()));
    if (fresh->uid() != owner->uid() || fresh->header().deleting) {
      co_return Error(Code::kConflict, owner->key().text() + " was deleted meanwhile");
    }
  }
  for (const api::ObjectPtr& child : claim.adopt) {
    const Result<api::ObjectPtr> adopted = co_await adopt(deps, informer_.resource(), owner, child);
    if (adopted) {
      claim.mine.push_back(*adopted);
    } else if (adopted.error().code() != Code::kNotFound) {
      co_return adopted.error();
    }
  }
  co_return std::move(claim.mine);
}

json::Object controller_ref(const api::Object& owner) {
  const api::Gvk& gvk = owner.header().gvk;
  return json::Object{{"apiVersion", gvk.group_version().text()},
                      {"kind", gvk.kind},
                      {"name", owner.name()},
                      {"uid", owner.uid()},
                      {"controller", true},
                      {"blockOwnerDeletion", true}};
}

std::string controller_uid(const api::Object& child) {
  const api::OwnerRef* controller = child.header().controller();
  return controller ? controller->uid : std::string();
}

void for_controller(const api::ObjectPtr& child, std::string_view kind,
                    const std::function<void(const api::ObjectKey&)>& wake) {
  if (!child) return;
  const api::OwnerRef* controller = child->header().controller();
  if (controller && controller->kind == kind) wake({child->ns(), controller->name});
}

void wake_owners(api::Informer& children, api::Informer& owners, std::string owner_kind,
                 std::function<void(const api::ObjectKey&)> wake) {
  children.add_handler(
      [&owners, owner_kind = std::move(owner_kind), wake = std::move(wake)](
          const api::ObjectKey& key, const api::ObjectPtr& before, const api::ObjectPtr& now) {
        for_controller(before, owner_kind, wake);
        for_controller(now, owner_kind, wake);
        if (!now || now->header().controller() || now->header().deleting) return;
        for (const api::ObjectPtr& owner : owners.list(key.ns)) {
          const json::Value document = owner->parse();
          const json::Value* spec = json::find(document, {"spec", "selector"});
          if (!spec) continue;
          const Result<api::LabelSelector> selector = api::LabelSelector::from_document(*spec);
          if (selector && !selector->everything() && selector->matches(now->header().labels))
            wake(owner->key());
        }
      });
}

}  // namespace atl::controllers
