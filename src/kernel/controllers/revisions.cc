#include "kernel/controllers/revisions.h"

#include <algorithm>

#include "kernel/controllers/pod_template.h"
#include "kernel/controllers/resources.h"

namespace atl::controllers {
namespace {

constexpr std::string_view kHashLabel = "controller.kubernetes.io/hash";
constexpr size_t kNameMax = 223;

TemplateRevision view_revision(const api::Object& object) {
  const json::Value document = object.parse();
  TemplateRevision out;
  out.name = object.name();
  out.hash = out.name.substr(out.name.rfind('-') + 1);
  out.number = json::int_at(document, {"revision"});
  out.pod_template = json::object_at(document, {"data", "spec", "template"});
  json::erase(out.pod_template, {"$patch"});
  return out;
}

// kubectl rollout undo applies `data` as a strategic merge patch: the template is replaced whole.
json::Value data_of(json::Value pod_template) {
  pod_template.as_object()["$patch"] = "replace";
  return json::Object{{"spec", json::Object{{"template", std::move(pod_template)}}}};
}

}  // namespace

Revisions::Revisions(Deps deps) : deps_(deps), informer_(deps.informers.get(kControllerRevisions)) {
  informer_.index_owners();
}

std::vector<TemplateRevision> Revisions::of(const api::Object& owner) const {
  std::vector<TemplateRevision> out;
  for (const api::ObjectPtr& object : informer_.owned_by(owner.uid()))
    out.push_back(view_revision(*object));
  std::sort(out.begin(), out.end(), [](const TemplateRevision& a, const TemplateRevision& b) {
    return std::tie(a.number, a.name) < std::tie(b.number, b.name);
  });
  return out;
}

Task<TemplateRevision> Revisions::current(api::ObjectPtr owner, json::Value pod_template) {
  const std::vector<TemplateRevision> known = of(*owner);
  const int64_t newest = known.empty() ? 0 : known.back().number;
  const auto same =
      std::find_if(known.rbegin(), known.rend(), [&](const TemplateRevision& revision) {
        return same_template(revision.pod_template, pod_template);
      });
  if (same == known.rend()) co_return co_await create(owner, std::move(pod_template), newest + 1);
  TemplateRevision found = *same;
  if (found.number == newest) co_return found;
  // An older template came back: it is the newest again.
  const api::ObjectPtr object = informer_.get({owner->ns(), found.name});
  if (!object) co_return Error(Code::kConflict, "revision " + found.name + " went meanwhile");
  json::Value document = object->parse();
  document.as_object()["revision"] = found.number = newest + 1;
  CO_TRY_OK(co_await deps_.client.update(kControllerRevisions, object->key(), std::move(document)));
  co_return found;
}

Task<TemplateRevision> Revisions::create(api::ObjectPtr owner, json::Value pod_template,
                                         int64_t number) {
  for (int collisions = 0; collisions < kCollisionsMax; ++collisions) {
    const std::string hash = template_hash(pod_template, collisions);
    json::Object labels;
    for (const auto& [key, value] : json::object_at(pod_template, {"metadata", "labels"}))
      labels[key] = value;
    labels[kHashLabel] = hash;
    const api::ObjectKey key{owner->ns(), owner->name().substr(0, kNameMax) + "-" + hash};
    json::Object metadata{{"name", key.name},
                          {"namespace", key.ns},
                          {"labels", std::move(labels)},
                          {"ownerReferences", json::Array{controller_ref(*owner)}}};
    json::Object document{{"apiVersion", "apps/v1"},
                          {"kind", "ControllerRevision"},
                          {"metadata", std::move(metadata)},
                          {"data", data_of(pod_template)},
                          {"revision", number}};
    Result<api::ObjectPtr> made =
        co_await deps_.client.create(kControllerRevisions, key.ns, std::move(document));
    if (made) co_return view_revision(**made);
    if (made.error().code() != Code::kExists) co_return made.error();
    CO_TRY(const api::ObjectPtr there, co_await deps_.client.get(kControllerRevisions, key));
    TemplateRevision view = view_revision(*there);
    if (controller_uid(*there) == owner->uid() && same_template(view.pod_template, pod_template))
      co_return view;
  }
  co_return Error(Code::kConflict, "every name for a revision of " + owner->name() + " is taken");
}

Task<> Revisions::truncate(api::ObjectPtr owner, std::set<std::string> in_use, int64_t limit) {
  std::vector<TemplateRevision> unused = of(*owner);
  std::erase_if(unused,
                [&](const TemplateRevision& revision) { return in_use.contains(revision.name); });
  for (size_t i = 0; i + size_t(limit) < unused.size(); ++i) {
    const Result<> removed =
        co_await deps_.client.remove(kControllerRevisions, {owner->ns(), unused[i].name});
    if (!removed && removed.error().code() != Code::kNotFound) co_return removed.error();
  }
  co_return Unit{};
}

}  // namespace atl::controllers
