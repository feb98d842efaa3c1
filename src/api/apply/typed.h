#pragma once

#include "api/apply/field_set.h"
#include "api/schema/schema.h"

// Documents as structured merge sees them: which value is a leaf, how items of a list are known,
// and the walks over one or two documents that follow from it. Pure functions; schemas are
// borrowed.
//   - an object is granular unless its schema says map-type atomic;
//   - a list is a leaf unless its schema says list-type set or map;
//   - where no schema is known (preserve-unknown-fields, any), objects are granular and lists
//   leaves.
namespace atl::api::fields {

// The parts of an object that have rules of their own: its metadata has the fixed schema of
// ObjectMeta.
enum class Place : uint8_t { kObject, kMetadata, kBelow };

// A place in a schema. Null schema: nothing is known.
struct Typed {
  const Schema* schema = nullptr;
  Place place = Place::kBelow;

  // Of a member; `declared` says whether the schema names it (map entries and unknown ones are
  // not).
  Typed member(std::string_view key, bool* declared = nullptr) const;
  Typed item() const { return {schema ? schema->items : nullptr, Place::kBelow}; }
  bool granular_object() const { return !schema || schema->map_type != MapType::kAtomic; }
  bool granular_list() const {
    return schema && schema->type == SchemaType::kArray && schema->list_type != ListType::kAtomic;
  }
};
// The place of a whole object of a kind.
inline Typed typed_root(const Schema& schema) {
  return {&schema, Place::kObject};
}

// The element that stands for an item of a granular list. kInvalid where the item has none.
Result<std::string> item_element(const Typed& list, const json::Value& item);

// Every leaf and item that the document names, as server-side apply owns them. kBadRequest, with
// the path, where the document does not fit the schema: fields that are not declared, duplicate or
// keyless items, containers of the wrong type.
Result<FieldSet> owned_fields(const Typed& type, const json::Value& document);
// The same without complaints, for stored documents: what does not fit is a leaf.
FieldSet fields_of(const Typed& type, const json::Value& document);

// What changed from one document to another. Containers that appear or vanish are listed with all
// that is in them. Either side may be null: nothing.
struct Changes {
  FieldSet set;  // added or modified
  FieldSet removed;
  bool empty() const { return set.empty() && removed.empty(); }
};
Changes compare(const Typed& type, const json::Value* before, const json::Value* after);

// Fields declared in a schema that have members below become members too: "f:spec" of "f:spec
// f:replicas".
FieldSet with_named_parents(const Typed& type, const FieldSet& set);
// Where the schema says atomic but the set owns what is inside (the schema changed since), the
// set owns the whole.
FieldSet reconcile(const Typed& type, const FieldSet& set);

// `over` laid onto `under`: leaves of `over` win, granular containers merge, items keep the order
// of `over` among themselves and their place among the rest. Items of `over` must be unique, as
// owned_fields() checks.
json::Value merge(const Typed& type, const json::Value& under, const json::Value& over);
// The document without the fields of the set. A container that loses its last member stays, empty.
json::Value without(const Typed& type, json::Value document, const FieldSet& set);

// metadata fields that nobody owns (name, uid, managedFields ...), apiVersion and kind.
const FieldSet& unowned();

}  // namespace atl::api::fields
