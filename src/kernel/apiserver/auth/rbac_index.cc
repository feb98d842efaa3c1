#include "kernel/apiserver/auth/rbac_index.h"

#include <algorithm>

#include "kernel/apiserver/auth/service_account_name.h"

namespace atl::apiserver {
namespace {

constexpr std::string_view kGroup = "rbac.authorization.k8s.io";

// "User/x", "Group/x" or "ServiceAccount/ns/x"; empty for a subject of no known kind.
std::string subject_key(const json::Value& subject, std::string_view binding_ns) {
  const std::string_view kind = json::string_at(subject, {"kind"});
  const std::string name(json::string_at(subject, {"name"}));
  if (kind == "User" || kind == "Group") return std::string(kind) + "/" + name;
  if (kind != "ServiceAccount") return {};
  const std::string ns(json::string_at(subject, {"namespace"}, binding_ns));
  return ns.empty() ? std::string() : "ServiceAccount/" + ns + "/" + name;
}

void add_missing(RbacRules& into, const RbacRules& rules) {
  for (const RbacRule& rule : rules) {
    if (std::ranges::find(into, rule) == into.end()) into.push_back(rule);
  }
}

}  // namespace

RbacIndex::RbacIndex(Reader& reader) {
  follow(reader, "roles", &RbacIndex::change_role);
  follow(reader, "clusterroles", &RbacIndex::change_cluster_role);
  follow(reader, "rolebindings", &RbacIndex::change_binding);
  follow(reader, "clusterrolebindings", &RbacIndex::change_binding);
}

void RbacIndex::follow(Reader& reader, std::string_view resource,
                       void (RbacIndex::*change)(const api::ObjectPtr&, const api::ObjectPtr&)) {
  listeners_.push_back(reader.listen(
      kGroup, resource, [this, change](const api::ObjectPtr& now, const api::ObjectPtr& before) {
        (this->*change)(now, before);
      }));
  reader.each(kGroup, resource, "", [&](const api::ObjectPtr& object) {
    (this->*change)(object, nullptr);
    return true;
  });
}

void RbacIndex::change_role(const api::ObjectPtr& now, const api::ObjectPtr& before) {
  if (now) {
    roles_[now->key()] = rules_from_document(now->parse());
  } else if (before) {
    roles_.erase(before->key());
  }
}

void RbacIndex::change_cluster_role(const api::ObjectPtr& now, const api::ObjectPtr& before) {
  for (auto& [_, role] : cluster_roles_) role.effective.reset();
  if (!now) {
    if (before) cluster_roles_.erase(before->name());
    return;
  }
  const json::Value document = now->parse();
  ClusterRole role{.labels = now->header().labels, .rules = rules_from_document(document)};
  for (const json::Value& selector :
       json::array_at(document, {"aggregationRule", "clusterRoleSelectors"})) {
    auto parsed = api::LabelSelector::from_document(selector);
    // An empty selector would collect every role there is; like an invalid one it collects none.
    if (parsed && !parsed->everything()) role.selectors.push_back(*std::move(parsed));
  }
  cluster_roles_[now->name()] = std::move(role);
}

void RbacIndex::change_binding(const api::ObjectPtr& now, const api::ObjectPtr& before) {
  if (before) {
    for (const json::Value& subject : json::array_at(before->parse(), {"subjects"})) {
      const auto at = grants_.find(subject_key(subject, before->ns()));
      if (at == grants_.end()) continue;
      const auto in_ns = at->second.find(before->ns());
      if (in_ns == at->second.end()) continue;
      in_ns->second.erase(before->name());
      if (in_ns->second.empty()) at->second.erase(in_ns);
      if (at->second.empty()) grants_.erase(at);
    }
  }
  if (!now) return;
  const json::Value document = now->parse();
  const RoleRef role{std::string(json::string_at(document, {"roleRef", "kind"})),
                     std::string(json::string_at(document, {"roleRef", "name"}))};
  for (const json::Value& subject : json::array_at(document, {"subjects"})) {
    const std::string key = subject_key(subject, now->ns());
    if (!key.empty()) grants_[key][now->ns()][now->name()] = role;
  }
}

bool RbacIndex::each_subject(const std::string& subject, std::string_view ns,
                             const std::function<bool(const Grant&)>& visit) const {
  const auto at = grants_.find(subject);
  if (at == grants_.end()) return true;
  const auto in_ns = at->second.find(ns);
  if (in_ns == at->second.end()) return true;
  return std::ranges::all_of(in_ns->second, [&](const auto& binding) {
    return visit({std::string(ns), binding.first, binding.second});
  });
}

void RbacIndex::each_grant(const UserInfo& user, std::string_view ns,
                           const std::function<bool(const Grant&)>& visit) const {
  std::vector<std::string> subjects{"User/" + user.name};
  if (const auto account = parse_service_account_user(user.name)) {
    subjects.push_back("ServiceAccount/" + account->ns + "/" + account->name);
  }
  for (const std::string& group : user.groups) subjects.push_back("Group/" + group);
  for (const std::string& subject : subjects) {
    if (!each_subject(subject, "", visit)) return;
  }
  if (ns.empty()) return;
  for (const std::string& subject : subjects) {
    if (!each_subject(subject, ns, visit)) return;
  }
}

void RbacIndex::collect(const std::string& name, std::set<std::string>& seen,
                        RbacRules& into) const {
  const auto at = cluster_roles_.find(name);
  if (at == cluster_roles_.end() || !seen.insert(name).second) return;
  const std::vector<api::LabelSelector>& selectors = at->second.selectors;
  if (selectors.empty()) return;
  for (const auto& [other, role] : cluster_roles_) {
    const bool chosen = std::ranges::any_of(selectors, [&](const api::LabelSelector& selector) {
      return selector.matches(role.labels);
    });
    if (!chosen || other == name) continue;
    if (role.selectors.empty()) {
      add_missing(into, role.rules);
    } else {
      collect(other, seen, into);
    }
  }
}

RbacRules RbacIndex::collected(std::string_view cluster_role) const {
  RbacRules out;
  std::set<std::string> seen;
  collect(std::string(cluster_role), seen, out);
  return out;
}

std::vector<std::string> RbacIndex::aggregated() const {
  std::vector<std::string> out;
  for (const auto& [name, role] : cluster_roles_) {
    if (!role.selectors.empty()) out.push_back(name);
  }
  return out;
}

const RbacRules* RbacIndex::rules(const RoleRef& role, std::string_view ns) const {
  if (role.kind == "Role") {
    const auto at = roles_.find(api::ObjectKey{std::string(ns), role.name});
    return at == roles_.end() ? nullptr : &at->second;
  }
  const auto at = cluster_roles_.find(role.name);
  if (at == cluster_roles_.end()) return nullptr;
  ClusterRole& found = at->second;
  if (found.selectors.empty()) return &found.rules;
  if (!found.effective) found.effective = collected(role.name);
  return &*found.effective;
}

RbacRules RbacIndex::rules_of(const UserInfo& user, std::string_view ns) const {
  RbacRules out;
  each_grant(user, ns, [&](const Grant& grant) {
    if (const RbacRules* granted = rules(grant.role, grant.binding_ns))
      out.insert(out.end(), granted->begin(), granted->end());
    return true;
  });
  return out;
}

std::vector<std::string> RbacIndex::dangling(const UserInfo& user, std::string_view ns) const {
  std::vector<std::string> out;
  each_grant(user, ns, [&](const Grant& grant) {
    if (rules(grant.role, grant.binding_ns) == nullptr) out.push_back(grant.role.name);
    return true;
  });
  return out;
}

}  // namespace atl::apiserver
