#include "api/apply/typed.h"

#include <fmt/format.h>

#include <algorithm>

namespace atl::api::fields {
namespace {

// ObjectMeta as structured merge knows it. Custom resources say no more than "object" of their
// metadata, so that every kind takes it from here.
const Schema* object_meta() {
  static const SchemaSet* const kSet = [] {
    auto* set = new SchemaSet();  // lives as long as the program
    Schema* meta = set->define("ObjectMeta");
    meta->type = SchemaType::kObject;
    Schema* text = set->make();
    text->type = SchemaType::kString;
    Schema* map = set->make();
    map->type = SchemaType::kObject;
    map->additional = text;
    Schema* finalizers = set->make();
    finalizers->type = SchemaType::kArray;
    finalizers->list_type = ListType::kSet;
    finalizers->items = text;
    Schema* owner = set->make();
    owner->type = SchemaType::kObject;
    owner->map_type = MapType::kAtomic;
    Schema* owners = set->make();
    owners->type = SchemaType::kArray;
    owners->list_type = ListType::kMap;
    owners->list_map_keys = {"uid"};
    owners->items = owner;
    Schema* managers = set->make();
    managers->type = SchemaType::kArray;
    managers->items = set->make();
    for (const char* name :
         {"name", "generateName", "namespace", "selfLink", "uid", "resourceVersion", "generation",
          "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds"}) {
      meta->properties[name].schema = text;
    }
    meta->properties["labels"].schema = map;
    meta->properties["annotations"].schema = map;
    meta->properties["finalizers"].schema = finalizers;
    meta->properties["ownerReferences"].schema = owners;
    meta->properties["managedFields"].schema = managers;
    return set;
  }();
  return kSet->find("ObjectMeta");
}

std::string list_key(const Schema& list, const json::Object& item) {
  std::vector<std::pair<std::string_view, const json::Value*>> keys;
  for (const std::string& name : list.list_map_keys) {
    const json::Value* value = item.if_contains(name);
    if (!value && list.items) {
      const Property* property = list.items->property(name);
      value = property ? property->fallback() : nullptr;
    }
    if (value) keys.emplace_back(name, value);
  }
  if (keys.empty()) return {};
  std::sort(keys.begin(), keys.end());
  std::string out = "k:{";
  for (const auto& [name, value] : keys) {
    if (out.size() > 3) out += ',';
    out += json::serialize(json::Value(name));
    out += ':';
    out += json::serialize(*value);
  }
  return out + "}";
}

}  // namespace

Typed Typed::member(std::string_view key, bool* declared) const {
  if (declared) *declared = false;
  if (!schema) return {};
  if (place == Place::kObject && key == "metadata") {
    if (declared) *declared = true;
    return {object_meta(), Place::kMetadata};
  }
  if (const Property* property = schema->property(key)) {
    if (declared) *declared = true;
    return {property->schema, Place::kBelow};
  }
  return {schema->additional, Place::kBelow};
}

Result<std::string> item_element(const Typed& list, const json::Value& item) {
  if (list.schema->list_type == ListType::kMap) {
    if (item.is_null())
      return Error(Code::kInvalid, "associative list with keys may not have a null element");
    if (!item.is_object())
      return Error(Code::kInvalid, "associative list with keys may not have non-map elements");
    std::string key = list_key(*list.schema, item.get_object());
    if (key.empty()) {
      return Error(Code::kInvalid,
                   "associative list with keys has an element that omits all key fields (and "
                   "doesn't have default values for any key fields)");
    }
    return key;
  }
  if (item.is_object())
    return Error(Code::kInvalid, "associative list without keys has an element that's a map type");
  if (item.is_array())
    return Error(Code::kInvalid, "not supported: associative list with lists as elements");
  if (item.is_null())
    return Error(Code::kInvalid,
                 "associative list without keys has an element that's an explicit null");
  return "v:" + json::serialize(item);
}

const FieldSet& unowned() {
  static const FieldSet kSet = [] {
    FieldSet set;
    for (const char* field : {"f:apiVersion", "f:kind", "f:metadata"}) set.insert(Path{field});
    for (const char* field :
         {"f:name", "f:namespace", "f:creationTimestamp", "f:selfLink", "f:uid", "f:clusterName",
          "f:generation", "f:managedFields", "f:resourceVersion"}) {
      set.insert(Path{"f:metadata", field});
    }
    return set;
  }();
  return kSet;
}

// A document's fields; strict mode stops at the first thing that does not fit.
namespace {

class FieldWalker {
 public:
  explicit FieldWalker(bool strict) : strict_(strict) {}

  Result<> value(const Typed& type, const json::Value& value, Node& node) {
    if (const json::Object* object = value.if_object()) {
      if (strict_ && expects(type, Expect::kList)) return wrong("expected list, got map");
      if (strict_ && expects(type, Expect::kScalar)) return wrong("expected scalar, got map");
      if (type.granular_object()) return members(type, *object, node);
    } else if (const json::Array* array = value.if_array()) {
      if (strict_ && expects(type, Expect::kMap)) return wrong("expected map, got list");
      if (strict_ && expects(type, Expect::kScalar)) return wrong("expected scalar, got list");
      if (type.granular_list()) return items(type, *array, node);
    } else if (!value.is_null()) {
      if (strict_ && expects(type, Expect::kMap)) return wrong("expected map, got scalar");
      if (strict_ && expects(type, Expect::kList)) return wrong("expected list, got scalar");
    } else if (type.granular_list()) {
      return Unit();  // a null list names nothing; a null member is owned by its object
    }
    node.member = true;
    return Unit();
  }

 private:
  enum class Expect : uint8_t { kMap, kList, kScalar };

  static bool expects(const Typed& type, Expect what) {
    if (!type.schema) return false;
    switch (type.schema->type) {
      case SchemaType::kAny:
        return false;
      case SchemaType::kObject:
        return what == Expect::kMap;
      case SchemaType::kArray:
        return what == Expect::kList;
      default:
        return what == Expect::kScalar;
    }
  }

  Error wrong(std::string_view why) const {
    return Error(Code::kBadRequest, fmt::format("{}: {}", path_text(path_), why));
  }

  // Whether the schema allows a member that it does not declare.
  static bool open(const Typed& type) {
    return !type.schema || type.schema->additional || type.schema->preserve_unknown ||
           type.schema->type == SchemaType::kAny || type.schema->embedded_resource ||
           type.schema->properties.empty();
  }

  Result<> members(const Typed& type, const json::Object& object, Node& node) {
    for (const auto& [key, value_of] : object) {
      Node child{"f:" + std::string(key), false, {}};
      bool declared = false;
      const Typed member = type.member(key, &declared);
      path_.push_back(child.key);
      const bool object_meta_field =
          type.place == Place::kObject && (key == "apiVersion" || key == "kind");
      if (strict_ && !declared && !object_meta_field && !open(type))
        return wrong("field not declared in schema");
      TRY_OK(value(member, value_of, child));
      path_.pop_back();
      const bool nothing =
          value_of.is_null() || (value_of.is_object() && value_of.get_object().empty());
      if (nothing || !declared) child.member = true;
      if (!child.empty()) node.children.push_back(std::move(child));
    }
    node.sort();
    return Unit();
  }

  Result<> items(const Typed& type, const json::Array& array, Node& node) {
    std::vector<std::pair<std::string, const json::Value*>> known;
    for (size_t i = 0; i < array.size(); ++i) {
      auto element = item_element(type, array[i]);
      if (!element && strict_)
        return wrong(fmt::format("element {}: {}", i, element.error().message()));
      if (!element) {  // what has no identity is a leaf
        node.member = true;
        return Unit();
      }
      known.emplace_back(*std::move(element), &array[i]);
    }
    std::sort(known.begin(), known.end());
    for (size_t i = 0; i < known.size();) {
      size_t end = i + 1;
      while (end < known.size() && known[end].first == known[i].first) ++end;
      Node child{known[i].first, true, {}};
      if (end - i == 1) {
        path_.push_back(child.key);
        TRY_OK(value(type.item(), *known[i].second, child));
        path_.pop_back();
      } else if (strict_) {
        return wrong(fmt::format("duplicate entries for key {}", path_text(Path{child.key})));
      }
      child.member = true;
      node.children.push_back(std::move(child));
      i = end;
    }
    return Unit();
  }

  bool strict_;
  Path path_;
};

}  // namespace

Result<FieldSet> owned_fields(const Typed& type, const json::Value& document) {
  Node root;
  TRY_OK(FieldWalker(true).value(type, document, root));
  return FieldSet(std::move(root));
}

FieldSet fields_of(const Typed& type, const json::Value& document) {
  Node root;
  (void)FieldWalker(false).value(type, document, root);  // without strict nothing is refused
  return FieldSet(std::move(root));
}

namespace {

Node named_parents(const Typed& type, const Node& node) {
  Node out{node.key, node.member, {}};
  out.children.reserve(node.children.size());
  for (const Node& child : node.children) {
    bool declared = false;
    const bool field = child.key.starts_with("f:");
    const Typed below =
        field ? type.member(std::string_view(child.key).substr(2), &declared) : type.item();
    Node copy = named_parents(below, child);
    if (declared && !child.children.empty()) copy.member = true;
    out.children.push_back(std::move(copy));
  }
  return out;
}

Node reconcile_node(const Typed& type, const Node& node) {
  const bool atomic =
      type.schema &&
      (type.schema->type == SchemaType::kArray ? !type.granular_list() : !type.granular_object());
  if (atomic && !node.children.empty()) return Node{node.key, true, {}};
  Node out{node.key, node.member, {}};
  out.children.reserve(node.children.size());
  for (const Node& child : node.children) {
    const bool field = child.key.starts_with("f:");
    out.children.push_back(reconcile_node(
        field ? type.member(std::string_view(child.key).substr(2)) : type.item(), child));
  }
  return out;
}

}  // namespace

FieldSet with_named_parents(const Typed& type, const FieldSet& set) {
  return FieldSet(named_parents(type, set.root()));
}
FieldSet reconcile(const Typed& type, const FieldSet& set) {
  return FieldSet(reconcile_node(type, set.root()));
}

}  // namespace atl::api::fields
