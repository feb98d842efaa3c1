#pragma once

#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/core/result.h"
#include "base/text/json.h"

// Sets of fields: what fieldsV1 of managedFields says. A path is a row of elements in their stored
// text: "f:spec" a field, "k:{\"name\":\"web\"}" an item of a list by its keys, "v:\"a\"" an item
// of a set, "i:3" an item by index. A node may be a member itself, have members below it, or both.
namespace atl::api::fields {

// One element and what is below it. Children are sorted by key, without duplicates.
struct Node {
  std::string key;
  bool member = false;
  std::vector<Node> children;

  bool empty() const { return !member && children.empty(); }
  bool operator==(const Node&) const = default;
  const Node* find(std::string_view child) const;
  Node& get(std::string_view child);  // made where missing
  // For builders that append children in any order.
  void sort();
};

using Path = std::vector<std::string>;

// A set. The root has no key and is never a member: nobody owns a whole object. Value type; the
// operations take time linear in the nodes of both sides.
class FieldSet {
 public:
  FieldSet() = default;
  explicit FieldSet(Node root) : root_(std::move(root)) { root_.member = false; }

  const Node& root() const { return root_; }
  Node& root() { return root_; }
  bool empty() const { return root_.children.empty(); }
  size_t size() const;
  bool operator==(const FieldSet&) const = default;

  void insert(std::span<const std::string> path);
  bool contains(std::span<const std::string> path) const;
  void for_each(const std::function<void(const Path&)>& visit) const;  // members, parents first

 private:
  Node root_;
};

FieldSet unite(const FieldSet& a, const FieldSet& b);
// Members of both.
FieldSet intersect(const FieldSet& a, const FieldSet& b);
// Members of `a` that are none of `b`; what is below a member of `b` stays.
FieldSet subtract(const FieldSet& a, const FieldSet& b);
// The same, and what is below a member of `b` goes as well.
FieldSet subtract_trees(const FieldSet& a, const FieldSet& b);

// ".spec.containers[name=\"web\"].image", as conflicts name a field.
std::string path_text(std::span<const std::string> path);

// fieldsV1 to a set: elements are brought into canonical text, unknown kinds of element are
// skipped. kInvalid where an element is malformed or the tree is deeper than kDepthMax.
inline constexpr size_t kDepthMax = 512;
Result<FieldSet> from_json(const json::Value& fields_v1);
json::Object to_json(const FieldSet& set);

// The two operations that every write needs, on canonical fieldsV1 in place: their cost follows
// the set, not what a manager owns.
void unite_json(json::Object& fields_v1, const Node& set);
void subtract_json(json::Object& fields_v1, const Node& set);

}  // namespace atl::api::fields
