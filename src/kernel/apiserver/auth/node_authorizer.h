#pragma once

#include "kernel/apiserver/auth/node_graph.h"
#include "kernel/apiserver/auth/rbac_rule.h"
#include "kernel/apiserver/contract/authorizer.h"
#include "kernel/apiserver/contract/reader.h"

namespace atl::apiserver {

// Decides what nodes (system:node:<name> in system:nodes) may do, before roles are asked: secrets,
// config maps, claims, volumes and service accounts only where a pod bound to the node refers to
// them, pods only where they are bound to it, and of nodes, leases and CSINodes only its own. What
// is not divided by node follows `node_rules`. Where it has nothing to allow, and for everybody
// else, `next` decides; its own reason goes into the refusal.
//
// What a node writes is checked further by admission (node_restriction.h), which sees the object.
// Owned by main(), which also owns `reader` and `next`; both outlive it. The Reader's executor.
class NodeAuthorizer final : public Authorizer {
 public:
  NodeAuthorizer(Reader& reader, RbacRules node_rules, Authorizer& next)
      : reader_(reader), graph_(reader), rules_(std::move(node_rules)), next_(next) {}
  Task<Decision> authorize(Attributes attributes) override;

  // What this one alone says about a node's request.
  Decision decide(std::string_view node, const Attributes& attributes) const;

 private:
  Decision decide_resource(std::string_view node, const Attributes& a) const;
  Decision decide_storage(std::string_view node, const Attributes& a) const;
  Decision decide_pod(std::string_view node, const Attributes& a) const;
  Decision decide_service_account(std::string_view node, const Attributes& a) const;
  Decision decide_claim(std::string_view node, const Attributes& a) const;
  Decision related(std::string_view node, NodeGraph::Sort sort, const Attributes& a) const;
  Decision rules_allow(const Attributes& a) const;
  bool claims(std::string_view node, const api::ObjectKey& volume) const;

  const Reader& reader_;
  const NodeGraph graph_;
  const RbacRules rules_;
  Authorizer& next_;
};

}  // namespace atl::apiserver
