#include "kernel/controllers/owner_graph.h"

#include <algorithm>

namespace atl::controllers {
namespace {

void read_finalizers(const api::Object& object, OwnedNode& node) {
  const json::Value document = object.parse();
  for (const json::Value& finalizer : json::array_at(document, {"metadata", "finalizers"})) {
    if (!finalizer.is_string()) continue;
    node.waits_for_dependents |= finalizer.get_string() == "foregroundDeletion";
    node.orphans_dependents |= finalizer.get_string() == "orphan";
  }
}

}  // namespace

const OwnedNode* OwnerGraph::find(const std::string& uid) const {
  const auto it = nodes_.find(uid);
  return it == nodes_.end() ? nullptr : &it->second;
}

std::vector<std::string> OwnerGraph::dependents(const std::string& uid) const {
  const auto it = dependents_.find(uid);
  if (it == dependents_.end()) return {};
  return {it->second.begin(), it->second.end()};
}

std::vector<std::string> OwnerGraph::put(const api::Gvr& resource, const api::Object& object) {
  const api::Header& header = object.header();
  OwnedNode node{resource, header.gvk, header.key, header.owners, header.deleting, false, false};
  // Only on the way out do finalizers matter: nothing else is parsed.
  if (header.deleting) read_finalizers(object, node);
  std::vector<std::string> dropped;
  if (const auto old = nodes_.find(header.uid); old != nodes_.end()) {
    for (const api::OwnerRef& owner : old->second.owners) {
      const bool still =
          std::any_of(node.owners.begin(), node.owners.end(),
                      [&](const api::OwnerRef& now) { return now.uid == owner.uid; });
      if (!still) dropped.push_back(owner.uid);
    }
    unlink(header.uid, old->second);
  }
  link(header.uid, node);
  nodes_[header.uid] = std::move(node);
  return dropped;
}

void OwnerGraph::remove(const std::string& uid) {
  const auto it = nodes_.find(uid);
  if (it == nodes_.end()) return;
  unlink(uid, it->second);
  nodes_.erase(it);
}

void OwnerGraph::link(const std::string& uid, const OwnedNode& node) {
  for (const api::OwnerRef& owner : node.owners) dependents_[owner.uid].insert(uid);
}

void OwnerGraph::unlink(const std::string& uid, const OwnedNode& node) {
  for (const api::OwnerRef& owner : node.owners) {
    const auto it = dependents_.find(owner.uid);
    if (it == dependents_.end()) continue;
    it->second.erase(uid);
    if (it->second.empty()) dependents_.erase(it);
  }
}

OwnerVerdict judge(const OwnedNode& object, const std::vector<OwnerState>& owners,
                   bool has_dependents) {
  OwnerVerdict verdict;
  if (owners.empty()) return verdict;
  const bool solid = std::find(owners.begin(), owners.end(), OwnerState::kSolid) != owners.end();
  const bool waiting =
      std::find(owners.begin(), owners.end(), OwnerState::kWaiting) != owners.end();
  if (solid) {
    // Somebody keeps it; references to owners that are gone or going hold nothing up.
    for (size_t i = 0; i < owners.size(); ++i) {
      if (owners[i] != OwnerState::kSolid) verdict.drop.push_back(object.owners[i].uid);
    }
    if (!verdict.drop.empty()) verdict.act = OwnerVerdict::Act::kDropReferences;
    return verdict;
  }
  verdict.act = OwnerVerdict::Act::kDelete;
  verdict.propagation = "Background";
  // An owner that waits for everything below it needs the whole tree to go bottom up.
  if (waiting && has_dependents) verdict.propagation = "Foreground";
  if (object.orphans_dependents) verdict.propagation = "Orphan";
  if (object.waits_for_dependents) verdict.propagation = "Foreground";
  return verdict;
}

}  // namespace atl::controllers
