#include "kernel/apiserver/registry/versions.h"

#include "kernel/apiserver/registry/conversions.h"

namespace atl::apiserver {
namespace {

// What a reader of `kind` sees of a document of another version.
void dress(const api::Kind& kind, json::Value& document) {
  json::set(document, {"apiVersion"}, json::Value(kind.gvk.group_version().text()));
  json::set(document, {"kind"}, json::Value(kind.gvk.kind));
  if (!kind.custom || !kind.schema) return;
  api::prune(*kind.schema, document);
  api::apply_defaults(*kind.schema, document);
}

}  // namespace

Versions::Versions(const api::KindSet& kinds) : kinds_(kinds) {
  add_builtin_conversions(*this);
}

void Versions::store_as(api::Gvk kind, api::Gvk stored, Converter converter) {
  rules_[std::move(kind)] = {std::move(stored), std::move(converter)};
}

api::KindPtr Versions::stored(const api::KindPtr& kind) const {
  if (const auto rule = rules_.find(kind->gvk); rule != rules_.end()) {
    if (api::KindPtr target = kinds_.find(rule->second.stored)) return target;
  }
  if (kind->storage) return kind;
  for (const api::KindPtr& other : kinds_.versions(kind->gvr.group, kind->gvr.resource)) {
    if (other->storage) return other;
  }
  return kind;
}

void Versions::to_stored(const api::Kind& kind, const api::Kind& stored,
                         json::Value& document) const {
  if (kind.gvk == stored.gvk) return;
  if (const auto rule = rules_.find(kind.gvk); rule != rules_.end())
    rule->second.converter.to_stored(document);
  dress(stored, document);
}

void Versions::from_stored(const api::Kind& stored, const api::Kind& kind,
                           json::Value& document) const {
  if (kind.gvk == stored.gvk) return;
  if (const auto rule = rules_.find(kind.gvk); rule != rules_.end()) {
    rule->second.converter.from_stored(document);
  }
  dress(kind, document);
}

api::FieldSelector Versions::stored_fields(const api::Kind& kind,
                                           const api::FieldSelector& fields) const {
  const auto rule = rules_.find(kind.gvk);
  if (rule == rules_.end() || fields.everything()) return fields;
  const auto& names = rule->second.converter.fields;
  std::vector<api::FieldSelector::Term> terms = fields.terms();
  for (auto& term : terms) {
    if (const auto at = names.find(term.field); at != names.end()) term.field = at->second;
  }
  return api::FieldSelector(std::move(terms));
}

}  // namespace atl::apiserver
