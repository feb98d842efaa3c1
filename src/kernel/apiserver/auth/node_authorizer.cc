#include "kernel/apiserver/auth/node_authorizer.h"

#include <fmt/format.h>

#include <algorithm>

#include "api/select/select.h"
#include "kernel/apiserver/auth/service_account_name.h"

namespace atl::apiserver {
namespace {

using Sort = NodeGraph::Sort;
using Words = std::initializer_list<std::string_view>;

Decision yes() {
  return {.allowed = true};
}
Decision no(std::string why) {
  return {.reason = std::move(why)};
}

bool one_of(std::string_view word, Words words) {
  return std::ranges::find(words, word) != words.end();
}

bool reads(const Attributes& a) {
  return one_of(a.verb, {"get", "list", "watch"});
}

// Does the field selector name the node's own value?
bool selects(const Attributes& a, std::string_view field, std::string_view node) {
  const auto selector = api::FieldSelector::parse(a.field_selector);
  if (!selector) return false;
  const std::string* value = selector->exact(field);
  return value != nullptr && *value == node;
}

Decision decide_node(std::string_view node, const Attributes& a) {
  if (a.subresource == "status") {
    return one_of(a.verb, {"update", "patch"}) ? yes() : Decision();
  }
  if (!a.subresource.empty()) return {};
  if (one_of(a.verb, {"create", "update", "patch"})) return yes();  // admission: only its own
  if (!reads(a)) return {};
  if (a.name == node) return yes();
  return no(fmt::format("node '{}' cannot read {}, only its own Node object", node,
                        a.name.empty() ? "all nodes" : "'" + a.name + "'"));
}

// Leases and CSINodes: one of the node's own name.
Decision decide_own(std::string_view node, const Attributes& a, std::string_view what) {
  if (!a.subresource.empty() || !one_of(a.verb, {"get", "create", "update", "patch", "delete"})) {
    return no(fmt::format("can only get, create, update, patch, or delete a {}", what));
  }
  // The name is not known on create; admission checks it then.
  if (a.verb == "create" || a.name == node) return yes();
  return no(fmt::format("can only access {} with the same name as the requesting node", what));
}

Decision decide_lease(std::string_view node, const Attributes& a) {
  if (a.ns != "kube-node-lease") {
    return no("can only access leases in the \"kube-node-lease\" system namespace");
  }
  return decide_own(node, a, "node lease");
}

}  // namespace

Task<Decision> NodeAuthorizer::authorize(Attributes attributes) {
  const UserInfo& user = *attributes.user;
  if (!user.name.starts_with(kNodePrefix) || !user.in_group(kNodesGroup)) {
    co_return co_await next_.authorize(std::move(attributes));
  }
  Decision own = decide(std::string_view(user.name).substr(kNodePrefix.size()), attributes);
  if (own.allowed) co_return own;
  CO_TRY(Decision other, co_await next_.authorize(std::move(attributes)));
  if (!other.allowed && !own.reason.empty()) {
    other.reason = other.reason.empty() ? own.reason : own.reason + ", " + other.reason;
  }
  co_return std::move(other);
}

Decision NodeAuthorizer::decide(std::string_view node, const Attributes& a) const {
  if (node.empty()) return no(fmt::format("unknown node for user \"{}\"", a.user->name));
  return a.is_resource ? decide_resource(node, a) : rules_allow(a);
}

Decision NodeAuthorizer::decide_resource(std::string_view node, const Attributes& a) const {
  const std::string_view resource = a.resource;
  if (a.group.empty()) {
    if (resource == "secrets" || resource == "configmaps") {
      if (!reads(a) || !a.subresource.empty() || a.ns.empty()) {
        return no("can only read namespaced objects of this type");
      }
      return related(node, resource == "secrets" ? Sort::kSecret : Sort::kConfigMap, a);
    }
    if (resource == "pods") return decide_pod(node, a);
    if (resource == "nodes") return decide_node(node, a);
    if (resource == "serviceaccounts") return decide_service_account(node, a);
    if (resource == "persistentvolumeclaims") return decide_claim(node, a);
  }
  if (a.group == "coordination.k8s.io" && resource == "leases") return decide_lease(node, a);
  if (a.group == "storage.k8s.io" && resource == "csinodes") {
    return decide_own(node, a, "CSINode");
  }
  if (one_of(resource, {"persistentvolumes", "volumeattachments", "resourceclaims"})) {
    return decide_storage(node, a);
  }
  return rules_allow(a);
}

Decision NodeAuthorizer::rules_allow(const Attributes& a) const {
  return {.allowed =
              std::ranges::any_of(rules_, [&](const RbacRule& rule) { return rule.allows(a); })};
}

Decision NodeAuthorizer::related(std::string_view node, Sort sort, const Attributes& a) const {
  if (a.name.empty()) return no("No Object name found");
  if (graph_.uses(node, sort, {a.ns, a.name})) return yes();
  return no(fmt::format("no relationship found between node '{}' and this object", node));
}

Decision NodeAuthorizer::decide_pod(std::string_view node, const Attributes& a) const {
  const std::string_view sub = a.subresource;
  if (sub == "status") return one_of(a.verb, {"update", "patch"}) ? yes() : Decision();
  if (sub == "eviction") return a.verb == "create" ? yes() : Decision();
  if (!sub.empty()) return {};
  if (one_of(a.verb, {"create", "delete"})) return yes();  // admission: mirror pods, its own pods
  if (a.verb == "get") return related(node, Sort::kPod, a);
  if (!reads(a)) return {};
  if (selects(a, "spec.nodeName", node)) return yes();
  if (!a.name.empty()) return related(node, Sort::kPod, a);
  return no("can only list/watch pods with spec.nodeName field selector");
}

Decision NodeAuthorizer::decide_service_account(std::string_view node, const Attributes& a) const {
  const bool object = a.verb == "get" && a.subresource.empty();
  const bool token = a.verb == "create" && a.subresource == "token";
  if (object || token) return related(node, Sort::kServiceAccount, a);
  return no("can only create tokens for individual service accounts");
}

Decision NodeAuthorizer::decide_claim(std::string_view node, const Attributes& a) const {
  const bool object = a.verb == "get" && a.subresource.empty();
  const bool status = one_of(a.verb, {"get", "update", "patch"}) && a.subresource == "status";
  if (object || status) return related(node, Sort::kVolumeClaim, a);
  return no("can only get individual resources of this type");
}

// Objects that say themselves whom they serve: read when they are asked for.
Decision NodeAuthorizer::decide_storage(std::string_view node, const Attributes& a) const {
  if (a.verb != "get" || !a.subresource.empty()) {
    return no("can only get individual resources of this type");
  }
  if (a.name.empty()) return no("No Object name found");
  bool its_own = false;
  if (a.group.empty() && a.resource == "persistentvolumes") {
    its_own = claims(node, {"", a.name});
  } else if (a.group == "storage.k8s.io") {
    const api::ObjectPtr attachment = reader_.get(a.group, a.resource, {"", a.name});
    its_own = attachment && json::string_at(attachment->parse(), {"spec", "nodeName"}) == node;
  }
  if (its_own) return yes();
  return no(fmt::format("no relationship found between node '{}' and this object", node));
}

bool NodeAuthorizer::claims(std::string_view node, const api::ObjectKey& volume) const {
  const api::ObjectPtr stored = reader_.get("", "persistentvolumes", volume);
  if (!stored) return false;
  const json::Value document = stored->parse();
  return graph_.uses(node, Sort::kVolumeClaim,
                     {std::string(json::string_at(document, {"spec", "claimRef", "namespace"})),
                      std::string(json::string_at(document, {"spec", "claimRef", "name"}))});
}

}  // namespace atl::apiserver
