#include <algorithm>
#include <span>

#include "api/apply/typed.h"

// compare(): which fields changed between two documents. It runs on every write, so it leaves equal
// parts by one look and builds nodes only for what differs.
//
// The typed form that Kubernetes compares holds more than the text: structs that are no pointers
// stand there empty, lists without omitempty stand there as null. So such a container never appears
// or vanishes, only its content does: "f:spec" of a new Deployment is nobody's, though all in it is
// owned.
namespace atl::api::fields {
namespace {

const json::Value kEmptyObject = json::Object();
const json::Value kNothing = nullptr;

// What stands for an absent member of an existing object, null where nothing does.
const json::Value* implied(const Typed& type, std::string_view key) {
  const Property* property = type.schema ? type.schema->property(key) : nullptr;
  if (type.place == Place::kObject && key == "metadata") return &kEmptyObject;
  if (!property || property->number == 0) return nullptr;
  const json::Value* fallback = property->fallback();
  if (fallback && fallback->is_object() && fallback->get_object().empty()) return &kEmptyObject;
  const bool container = property->schema && (property->schema->type == SchemaType::kArray ||
                                              property->schema->additional);
  return container && !property->omit_empty ? &kNothing : nullptr;
}

bool is_empty(const json::Value& value) {
  return value.is_null() || (value.is_object() && value.get_object().empty()) ||
         (value.is_array() && value.get_array().empty());
}

class Comparer {
 public:
  // Both sides exist.
  void both(const Typed& type, const json::Value& before, const json::Value& after, Node& set,
            Node& removed) {
    // Null takes the shape of the other side; two empty values are a leaf, whatever their shape.
    const json::Value& shape = before.is_null() ? after : before;
    const bool leaf = is_empty(before) && is_empty(after);
    if (!leaf && !after.is_null() && container_kind(after) != container_kind(shape)) {
      set.member =
          true;  // another kind of value: all inside the old goes, all inside the new comes
      contents(type, before, removed);
      contents(type, after, set);
    } else if (!leaf && shape.is_object() && type.granular_object()) {
      members(type, object_of(before), object_of(after), set, removed);
    } else if (!leaf && shape.is_array() && type.granular_list()) {
      if (!items(type, array_of(before), array_of(after), set, removed))
        set.member = !json::equal(before, after);
    } else if (!json::equal(before, after)) {
      set.member = true;
    }
  }

  // One side only: the value and all in it.
  void whole(const Typed& type, const json::Value& value, Node& node) {
    node.member = true;
    contents(type, value, node);
  }

 private:
  using Keyed = std::vector<std::pair<std::string, const json::Value*>>;

  // All that is in a container, without itself.
  void contents(const Typed& type, const json::Value& value, Node& node) {
    if (const json::Object* object = value.if_object(); object && type.granular_object()) {
      node.children.reserve(object->size());
      for (const auto& [key, member] : *object) {
        node.children.push_back({field(key), false, {}});
        whole(type.member(key), member, node.children.back());
      }
      node.sort();
    } else if (const json::Array* array = value.if_array(); array && type.granular_list()) {
      Keyed known;
      if (!index(type, *array, known)) return;
      for (size_t i = 0; i < known.size(); i = run_end(known, i)) {
        node.children.push_back({known[i].first, true, {}});
        if (run_end(known, i) - i == 1) whole(type.item(), *known[i].second, node.children.back());
      }
    }
  }

  static int container_kind(const json::Value& value) {
    return value.is_object() ? 1 : value.is_array() ? 2 : 0;
  }
  static const json::Object& object_of(const json::Value& value) {
    return value.is_object() ? value.get_object() : kEmptyObject.get_object();
  }
  static const json::Array& array_of(const json::Value& value) {
    static const json::Array kEmpty;
    return value.is_array() ? value.get_array() : kEmpty;
  }
  static std::string field(std::string_view key) {
    std::string out = "f:";
    out += key;
    return out;
  }

  // apiVersion, kind and the server's own metadata never have an owner.
  static bool skipped(const Typed& type, std::string_view key) {
    if (type.place == Place::kObject) return key == "apiVersion" || key == "kind";
    if (type.place != Place::kMetadata) return false;
    return unowned().root().find("f:metadata")->find(field(key)) != nullptr;
  }

  void member(const Typed& type, std::string_view key, const json::Value* before,
              const json::Value* after, Node& set, Node& removed) {
    if (before && after && json::equal(*before, *after)) return;
    if (skipped(type, key)) return;
    const Typed below = type.member(key);
    Node new_set{field(key), false, {}};
    Node new_removed{new_set.key, false, {}};
    if (before && after) {
      both(below, *before, *after, new_set, new_removed);
    } else {
      whole(below, before ? *before : *after, before ? new_removed : new_set);
    }
    if (!new_set.empty()) set.children.push_back(std::move(new_set));
    if (!new_removed.empty()) removed.children.push_back(std::move(new_removed));
  }

  void members(const Typed& type, const json::Object& before, const json::Object& after, Node& set,
               Node& removed) {
    for (const auto& [key, value] : after) {
      const json::Value* old = before.if_contains(key);
      member(type, key, old ? old : implied(type, key), &value, set, removed);
    }
    for (const auto& [key, value] : before) {
      if (!after.contains(key)) member(type, key, &value, implied(type, key), set, removed);
    }
    set.sort();
    removed.sort();
  }

  // False where an item has no identity: the list is then compared as a leaf.
  static bool index(const Typed& list, const json::Array& array, Keyed& out) {
    out.reserve(array.size());
    for (const json::Value& item : array) {
      auto element = item_element(list, item);
      if (!element) return false;
      out.emplace_back(*std::move(element), &item);
    }
    const auto by_key = [](const auto& a, const auto& b) {
      return a.first != b.first ? a.first < b.first
                                : a.second < b.second;  // duplicates as they stand
    };
    std::sort(out.begin(), out.end(), by_key);
    return true;
  }
  static size_t run_end(const Keyed& keyed, size_t from) {
    size_t end = from + 1;
    while (end < keyed.size() && keyed[end].first == keyed[from].first) ++end;
    return end;
  }

  bool items(const Typed& type, const json::Array& before, const json::Array& after, Node& set,
             Node& removed) {
    Keyed left;
    Keyed right;
    if (!index(type, before, left) || !index(type, after, right)) return false;
    for (size_t l = 0, r = 0; l < left.size() || r < right.size();) {
      const int order = l == left.size()    ? 1
                        : r == right.size() ? -1
                                            : left[l].first.compare(right[r].first);
      const size_t l_end = order <= 0 ? run_end(left, l) : l;
      const size_t r_end = order >= 0 ? run_end(right, r) : r;
      item(type, std::span(left).subspan(l, l_end - l), std::span(right).subspan(r, r_end - r), set,
           removed);
      l = l_end;
      r = r_end;
    }
    return true;
  }

  // The items of one identity on both sides. Several of them count as one leaf.
  void item(const Typed& type, std::span<const Keyed::value_type> before,
            std::span<const Keyed::value_type> after, Node& set, Node& removed) {
    Node new_set{before.empty() ? after[0].first : before[0].first, false, {}};
    Node new_removed{new_set.key, false, {}};
    if (before.size() <= 1 && after.size() <= 1) {
      if (before.empty()) {
        whole(type.item(), *after[0].second, new_set);
      } else if (after.empty()) {
        whole(type.item(), *before[0].second, new_removed);
      } else if (!json::equal(*before[0].second, *after[0].second)) {
        both(type.item(), *before[0].second, *after[0].second, new_set, new_removed);
      }
    } else if (before.size() >= 2 && after.size() >= 2) {
      const auto same = [](const auto& a, const auto& b) {
        return json::equal(*a.second, *b.second);
      };
      new_set.member = !std::equal(before.begin(), before.end(), after.begin(), after.end(), same);
    } else if (before.size() >= 2) {
      if (!after.empty()) whole(type.item(), *after[0].second, new_set);
      new_removed.member = after.empty();
    } else {
      if (!before.empty()) whole(type.item(), *before[0].second, new_removed);
      new_set.member = true;
    }
    if (!new_set.empty()) set.children.push_back(std::move(new_set));
    if (!new_removed.empty()) removed.children.push_back(std::move(new_removed));
  }
};

}  // namespace

Changes compare(const Typed& type, const json::Value* before, const json::Value* after) {
  Changes changes;
  Comparer().both(type, before ? *before : kEmptyObject, after ? *after : kEmptyObject,
                  changes.set.root(), changes.removed.root());
  changes.set.root().member = changes.removed.root().member = false;
  return changes;
}

}  // namespace atl::api::fields
