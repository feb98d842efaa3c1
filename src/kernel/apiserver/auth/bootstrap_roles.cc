#include "kernel/apiserver/auth/bootstrap_roles.h"

#include <algorithm>
#include <map>

#include "kernel/apiserver/auth/rbac_rule.h"

namespace atl::apiserver {
namespace {

constexpr std::string_view kGroup = "rbac.authorization.k8s.io";
constexpr std::string_view kGroupVersion = "rbac.authorization.k8s.io/v1";
constexpr std::string_view kAutoUpdate = "rbac.authorization.kubernetes.io/autoupdate";

// Bindings that once had a subject which must not have the role any more: what a node may do is
// decided by what its pods use (node_authorizer.h), not by a role.
constexpr std::pair<std::string_view, std::string_view> kRetired[] = {
    {"system:node", "Group//system:nodes"}, {"system:node-proxier", "Group//system:nodes"}};

json::Object skeleton(std::string_view kind, const json::Value& entry) {
  json::Object labels{{"kubernetes.io/bootstrapping", "rbac-defaults"}};
  for (const auto& [key, value] : json::object_at(entry, {"labels"})) labels[key] = value;
  json::Object metadata{{"name", json::string_at(entry, {"name"})},
                        {"labels", std::move(labels)},
                        {"annotations", json::Object{{kAutoUpdate, "true"}}}};
  if (const auto ns = json::string_at(entry, {"namespace"}); !ns.empty())
    metadata["namespace"] = ns;
  return {{"apiVersion", kGroupVersion}, {"kind", kind}, {"metadata", std::move(metadata)}};
}

json::Value role_of(std::string_view kind, const json::Value& entry) {
  json::Object out = skeleton(kind, entry);
  json::Array selectors;
  for (const json::Value& labels : json::array_at(entry, {"aggregate"})) {
    selectors.push_back(json::Object{{"matchLabels", labels}});
  }
  if (!selectors.empty())
    out["aggregationRule"] = json::Object{{"clusterRoleSelectors", std::move(selectors)}};
  out["rules"] = json::array_at(entry, {"rules"});
  return out;
}

// "User/x", "Group/x", "ServiceAccount/ns/x".
Result<json::Value> subject_of(std::string_view text) {
  const size_t slash = text.find('/');
  const std::string_view kind = text.substr(0, slash);
  const std::string_view rest =
      slash == std::string_view::npos ? std::string_view() : text.substr(slash + 1);
  if (kind == "User" || kind == "Group") {
    return json::Value(json::Object{{"apiGroup", kGroup}, {"kind", kind}, {"name", rest}});
  }
  const size_t split = rest.find('/');
  if (kind != "ServiceAccount" || split == std::string_view::npos) {
    return Error(Code::kInvalid, "subject \"" + std::string(text) +
                                     "\" is none of User/, Group/, ServiceAccount/ns/");
  }
  return json::Value(json::Object{
      {"kind", kind}, {"namespace", rest.substr(0, split)}, {"name", rest.substr(split + 1)}});
}

Result<json::Value> binding_of(std::string_view kind, const json::Value& entry) {
  json::Object out = skeleton(kind, entry);
  const std::string_view role = json::string_at(entry, {"role"});
  const size_t slash = role.find('/');
  if (slash == std::string_view::npos)
    return Error(Code::kInvalid, "role must be Role/name or ClusterRole/name");
  out["roleRef"] = json::Object{
      {"apiGroup", kGroup}, {"kind", role.substr(0, slash)}, {"name", role.substr(slash + 1)}};
  json::Array subjects;
  for (const json::Value& text : json::array_at(entry, {"subjects"})) {
    if (!text.is_string()) return Error(Code::kInvalid, "subjects must be texts");
    TRY(json::Value subject, subject_of(text.as_string()));
    subjects.push_back(std::move(subject));
  }
  out["subjects"] = std::move(subjects);
  return json::Value(std::move(out));
}

// Adds the members of wanted.<map> that stored lacks; never changes one that is there.
void add_metadata(json::Value& stored, const json::Value& wanted, std::string_view map) {
  for (const auto& [key, value] : json::object_at(wanted, {"metadata", map})) {
    json::Value& into = json::ensure(stored, {"metadata", map});
    if (!into.as_object().contains(key)) into.as_object()[key] = value;
  }
}

// Two subjects are the same whether or not the API group is spelled out.
std::string subject_text(const json::Value& subject) {
  std::string text(json::string_at(subject, {"kind"}));
  return text.append("/")
      .append(json::string_at(subject, {"namespace"}))
      .append("/")
      .append(json::string_at(subject, {"name"}));
}

void add_subjects(json::Value& stored, const json::Value& wanted) {
  for (const json::Value& subject : json::array_at(wanted, {"subjects"})) {
    const json::Array& held = json::array_at(stored, {"subjects"});
    const bool there = std::ranges::any_of(held, [&](const json::Value& other) {
      return subject_text(other) == subject_text(subject);
    });
    if (there) continue;
    json::Array more = held;
    more.push_back(subject);
    json::set(stored, {"subjects"}, std::move(more));
  }
}

void drop_retired_subjects(json::Value& stored) {
  const std::string_view name = json::string_at(stored, {"metadata", "name"});
  json::Array kept;
  for (const json::Value& subject : json::array_at(stored, {"subjects"})) {
    const std::string text = subject_text(subject);
    const bool retired = std::ranges::any_of(
        kRetired, [&](const auto& row) { return row.first == name && row.second == text; });
    if (!retired) kept.push_back(subject);
  }
  if (kept.size() < json::array_at(stored, {"subjects"}).size())
    json::set(stored, {"subjects"}, std::move(kept));
}

void add_rules(json::Value& stored, const json::Value& wanted) {
  const auto missing = rules_beyond(rules_from_document(stored), rules_from_document(wanted));
  if (!missing || missing->empty()) return;
  json::Array rules = json::array_at(stored, {"rules"});
  for (const RbacRule& rule : *missing) rules.push_back(rule.document());
  json::set(stored, {"rules"}, std::move(rules));
}

std::string_view resource_of(std::string_view kind) {
  if (kind == "ClusterRole") return "clusterroles";
  if (kind == "ClusterRoleBinding") return "clusterrolebindings";
  return kind == "Role" ? "roles" : "rolebindings";
}

Task<> reconcile_kind(api::Client& client, std::string kind,
                      std::vector<const json::Value*> wanted) {
  const api::Gvr resource{std::string(kGroup), "v1", std::string(resource_of(kind))};
  CO_TRY(const api::ObjectList list, co_await client.list(resource, {}));
  std::map<api::ObjectKey, api::ObjectPtr> stored;
  for (const api::ObjectPtr& object : list.items) stored[object->key()] = object;
  for (const json::Value* document : wanted) {
    const api::ObjectKey key{std::string(json::string_at(*document, {"metadata", "namespace"})),
                             std::string(json::string_at(*document, {"metadata", "name"}))};
    const auto at = stored.find(key);
    if (at == stored.end()) {
      CO_TRY_OK(co_await client.create(resource, key.ns, *document));
      continue;
    }
    auto mended = reconciled(at->second->parse(), *document);
    if (mended) CO_TRY_OK(co_await client.update(resource, key, *std::move(mended)));
  }
  co_return Unit{};
}

}  // namespace

Result<std::vector<json::Value>> read_bootstrap_roles(std::string_view text) {
  TRY(const json::Value document, json::parse(text));
  std::vector<json::Value> out;
  for (const json::Value& entry : json::array_at(document, {"clusterRoles"}))
    out.push_back(role_of("ClusterRole", entry));
  for (const json::Value& entry : json::array_at(document, {"roles"}))
    out.push_back(role_of("Role", entry));
  for (const json::Value& entry : json::array_at(document, {"clusterRoleBindings"})) {
    TRY(json::Value binding, binding_of("ClusterRoleBinding", entry));
    out.push_back(std::move(binding));
  }
  for (const json::Value& entry : json::array_at(document, {"roleBindings"})) {
    TRY(json::Value binding, binding_of("RoleBinding", entry));
    out.push_back(std::move(binding));
  }
  return out;
}

Result<RbacRules> bootstrap_rules(std::string_view cluster_role) {
  TRY(const std::vector<json::Value> roles, bootstrap_roles());
  for (const json::Value& role : roles) {
    if (json::string_at(role, {"kind"}) == "ClusterRole" &&
        json::string_at(role, {"metadata", "name"}) == cluster_role) {
      return rules_from_document(role);
    }
  }
  return Error(Code::kInternal, "no bootstrap role \"" + std::string(cluster_role) + "\"");
}

std::optional<json::Value> reconciled(const json::Value& stored, const json::Value& wanted) {
  if (json::string_at(stored, {"metadata", "annotations", kAutoUpdate}) == "false")
    return std::nullopt;
  json::Value out = stored;
  add_metadata(out, wanted, "labels");
  add_metadata(out, wanted, "annotations");
  // A binding to another role cannot be mended by an update: roleRef never changes. It is left
  // alone.
  if (json::find(wanted, {"roleRef"}) != nullptr) {
    if (json::equal(json::object_at(stored, {"roleRef"}), json::object_at(wanted, {"roleRef"}))) {
      drop_retired_subjects(out);
      add_subjects(out, wanted);
    }
  } else if (json::find(wanted, {"aggregationRule"}) != nullptr) {
    // The rules of these are collected, not given.
    if (json::find(stored, {"aggregationRule"}) == nullptr) {
      json::set(out, {"aggregationRule"}, json::object_at(wanted, {"aggregationRule"}));
    }
  } else {
    add_rules(out, wanted);
  }
  if (json::equal(out, stored)) return std::nullopt;
  return out;
}

Task<> reconcile_bootstrap_roles(api::Client& client, std::vector<json::Value> wanted) {
  // Roles first: a binding may be refused while its role is missing.
  for (const std::string_view kind : {"ClusterRole", "Role", "ClusterRoleBinding", "RoleBinding"}) {
    std::vector<const json::Value*> of_kind;
    for (const json::Value& document : wanted) {
      if (json::string_at(document, {"kind"}) == kind) of_kind.push_back(&document);
    }
    if (!of_kind.empty())
      CO_TRY_OK(co_await reconcile_kind(client, std::string(kind), std::move(of_kind)));
  }
  co_return Unit{};
}

}  // namespace atl::apiserver
