#include "api/apply/field_set.h"

#include <algorithm>

namespace atl::api::fields {
namespace {

bool before(const Node& node, std::string_view key) {
  return node.key < key;
}

size_t count(const Node& node) {
  size_t members = node.member ? 1 : 0;
  for (const Node& child : node.children) members += count(child);
  return members;
}

void walk(const Node& node, Path& path, const std::function<void(const Path&)>& visit) {
  for (const Node& child : node.children) {
    path.push_back(child.key);
    if (child.member) visit(path);
    walk(child, path, visit);
    path.pop_back();
  }
}

// Walks two sorted rows of children together; either side may be null.
template <class Visit>
void zip(const Node& a, const Node& b, const Visit& visit) {
  auto left = a.children.begin();
  auto right = b.children.begin();
  while (left != a.children.end() || right != b.children.end()) {
    int order = 0;
    if (left == a.children.end()) {
      order = 1;
    } else if (right == b.children.end()) {
      order = -1;
    } else {
      order = left->key.compare(right->key);
    }
    visit(order <= 0 ? &*left : nullptr, order >= 0 ? &*right : nullptr);
    if (order <= 0) ++left;
    if (order >= 0) ++right;
  }
}

Node unite_nodes(const Node& a, const Node& b) {
  Node out{a.key, a.member || b.member, {}};
  out.children.reserve(std::max(a.children.size(), b.children.size()));
  zip(a, b, [&](const Node* left, const Node* right) {
    if (left && right) {
      out.children.push_back(unite_nodes(*left, *right));
    } else {
      out.children.push_back(left ? *left : *right);
    }
  });
  return out;
}

Node intersect_nodes(const Node& a, const Node& b) {
  Node out{a.key, a.member && b.member, {}};
  zip(a, b, [&](const Node* left, const Node* right) {
    if (!left || !right) return;
    Node child = intersect_nodes(*left, *right);
    if (!child.empty()) out.children.push_back(std::move(child));
  });
  return out;
}

enum class Below : uint8_t { kStays, kGoes };

Node subtract_nodes(const Node& a, const Node& b, Below below) {
  Node out{a.key, a.member && !b.member, {}};
  zip(a, b, [&](const Node* left, const Node* right) {
    if (!left) return;
    if (!right) {
      out.children.push_back(*left);
      return;
    }
    if (right->member && below == Below::kGoes) return;
    Node child = subtract_nodes(*left, *right, below);
    if (!child.empty()) out.children.push_back(std::move(child));
  });
  return out;
}

}  // namespace

const Node* Node::find(std::string_view child) const {
  const auto it = std::lower_bound(children.begin(), children.end(), child, before);
  return it != children.end() && it->key == child ? &*it : nullptr;
}

Node& Node::get(std::string_view child) {
  const auto it = std::lower_bound(children.begin(), children.end(), child, before);
  if (it != children.end() && it->key == child) return *it;
  return *children.insert(it, Node{std::string(child), false, {}});
}

void Node::sort() {
  const auto by_key = [](const Node& a, const Node& b) { return a.key < b.key; };
  if (!std::is_sorted(children.begin(), children.end(), by_key))
    std::sort(children.begin(), children.end(), by_key);
}

size_t FieldSet::size() const {
  return count(root_);
}

void FieldSet::insert(std::span<const std::string> path) {
  if (path.empty()) return;
  Node* node = &root_;
  for (const std::string& key : path) node = &node->get(key);
  node->member = true;
}

bool FieldSet::contains(std::span<const std::string> path) const {
  const Node* node = &root_;
  for (const std::string& key : path) {
    node = node->find(key);
    if (!node) return false;
  }
  return node->member;
}

void FieldSet::for_each(const std::function<void(const Path&)>& visit) const {
  Path path;
  walk(root_, path, visit);
}

FieldSet unite(const FieldSet& a, const FieldSet& b) {
  return FieldSet(unite_nodes(a.root(), b.root()));
}
FieldSet intersect(const FieldSet& a, const FieldSet& b) {
  return FieldSet(intersect_nodes(a.root(), b.root()));
}
FieldSet subtract(const FieldSet& a, const FieldSet& b) {
  return FieldSet(subtract_nodes(a.root(), b.root(), Below::kStays));
}
FieldSet subtract_trees(const FieldSet& a, const FieldSet& b) {
  return FieldSet(subtract_nodes(a.root(), b.root(), Below::kGoes));
}

}  // namespace atl::api::fields
