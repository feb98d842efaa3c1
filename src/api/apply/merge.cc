#include <unordered_map>
#include <unordered_set>

#include "api/apply/typed.h"
#include "base/core/check.h"

// merge() and without(): what apply does to a document.
namespace atl::api::fields {
namespace {

bool is_empty(const json::Value& value) {
  return (value.is_object() && value.get_object().empty()) ||
         (value.is_array() && value.get_array().empty());
}

json::Value merge_members(const Typed& type, const json::Object& under, const json::Object& over) {
  json::Object out;
  out.reserve(under.size() + over.size());
  for (const auto& [key, value] : under) {
    const json::Value* wanted = over.if_contains(key);
    out.emplace(key, wanted ? merge(type.member(key), value, *wanted) : value);
  }
  for (const auto& [key, value] : over) {
    if (!under.contains(key)) out.emplace(key, value);
  }
  return out;
}

// Two lists of items with identities, walked together. Items of `over` that `under` has too
// ("shared") must come out in the order of `over`; items that only `under` has stay where they are
// between them.
class ListMerger {
 public:
  ListMerger(const Typed& type, const json::Array& under, const json::Array& over)
      : type_(type), under_(keyed(under)), over_(keyed(over)) {
    for (const Item& item : under_) {
      const auto [it, fresh] = first_under_.emplace(item.key, item.value);
      if (!fresh) it->second = nullptr;  // several: none of them is merged
    }
    for (const Item& item : over_) {
      over_keys_.insert(item.key);
      if (first_under_.contains(item.key)) shared_.push_back(item.key);
    }
  }

  json::Array run() {
    size_t left = 0;
    size_t right = 0;
    while (left < under_.size() || right < over_.size()) {
      if (left < under_.size() && right < over_.size()) {
        const std::string& key = under_[left].key;
        if (key == over_[right].key) {
          take_over(over_[right++]);
          ++left;
          ++next_shared_;
          continue;
        }
        if (over_keys_.contains(key) && next_shared_ < shared_.size() &&
            shared_[next_shared_] != key) {
          ++left;  // shared, but its turn comes with `over`
          continue;
        }
      }
      if (left < under_.size()) {
        const std::string& key = under_[left].key;
        if (!over_keys_.contains(key)) {
          out_.push_back(*under_[left++].value);
          continue;
        }
        if (taken_.contains(key)) ++left;
      }
      if (right < over_.size()) {
        const Item& item = over_[right++];
        take_over(item);
        if (next_shared_ < shared_.size() && shared_[next_shared_] == item.key) ++next_shared_;
      }
    }
    return std::move(out_);
  }

 private:
  struct Item {
    std::string key;
    const json::Value* value;
  };

  std::vector<Item> keyed(const json::Array& list) const {
    std::vector<Item> items;
    items.reserve(list.size());
    for (const json::Value& value : list) {
      auto element = item_element(type_, value);
      // An item without identity is its own: it stays where it is.
      items.push_back({element ? *std::move(element) : "?:" + json::serialize(value), &value});
    }
    return items;
  }

  void take_over(const Item& item) {
    taken_.insert(item.key);
    const auto it = first_under_.find(item.key);
    const bool known = it != first_under_.end() && it->second;
    out_.push_back(known ? merge(type_.item(), *it->second, *item.value) : *item.value);
  }

  Typed type_;
  std::vector<Item> under_, over_;
  std::unordered_map<std::string, const json::Value*> first_under_;
  std::unordered_set<std::string> over_keys_, taken_;
  std::vector<std::string> shared_;
  size_t next_shared_ = 0;
  json::Array out_;
};

void remove(const Typed& type, json::Value& value, const Node& set) {
  if (value.is_object() && type.granular_object()) {
    json::Object& object = value.get_object();
    for (const Node& child : set.children) {
      if (!child.key.starts_with("f:")) continue;
      const std::string_view key = std::string_view(child.key).substr(2);
      const auto it = object.find(key);
      if (it == object.end()) continue;
      if (child.member) {
        object.erase(it);
      } else {
        remove(type.member(key), it->value(), child);
      }
    }
  } else if (value.is_array() && type.granular_list()) {
    json::Array kept;
    for (json::Value& item : value.get_array()) {
      const auto element = item_element(type, item);
      const Node* child = element ? set.find(*element) : nullptr;
      if (child && child->member) continue;
      if (child) remove(type.item(), item, *child);
      kept.push_back(std::move(item));
    }
    value = std::move(kept);
  }
}

}  // namespace

json::Value merge(const Typed& type, const json::Value& under, const json::Value& over) {
  if (is_empty(under)) return over;
  if (under.is_object() && type.granular_object()) {
    if (over.is_null()) return under;
    if (over.is_object()) return merge_members(type, under.get_object(), over.get_object());
  } else if (under.is_array() && type.granular_list()) {
    if (over.is_null()) return under;
    if (over.is_array()) return ListMerger(type, under.get_array(), over.get_array()).run();
  }
  return over;
}

json::Value without(const Typed& type, json::Value document, const FieldSet& set) {
  remove(type, document, set.root());
  return document;
}

}  // namespace atl::api::fields
