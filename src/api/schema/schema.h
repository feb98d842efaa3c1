#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "api/schema/pattern.h"
#include "base/text/json.h"

// Structural schemas: the one description of a kind that decoding, defaulting, pruning, validation,
// patches, apply, tables and OpenAPI read. Built-in kinds (kinds/) and CustomResourceDefinitions
// carry the same.
namespace atl::api {

struct Schema;

enum class SchemaType : uint8_t {
  kAny,
  kObject,
  kArray,
  kString,
  kInteger,
  kNumber,
  kBoolean,
  kIntOrString
};
enum class ListType : uint8_t { kAtomic, kSet, kMap };
enum class MapType : uint8_t { kGranular, kAtomic };

// How a field travels in Kubernetes protobuf.
enum class WireType : uint8_t {
  kNone,     // not in the protobuf form
  kMessage,  // the schema's own properties
  kString,
  kBytes,
  kBool,
  kInt32,
  kInt64,
  kUint32,
  kUint64,
  kDouble,
  kFloat,
  kQuantity,         // message {string = 1}
  kIntOrString,      // message {type = 1, int = 2, string = 3}
  kTime,             // message {seconds = 1, nanos = 2} → RFC 3339 seconds
  kMicroTime,        // the same → RFC 3339 microseconds
  kRawExtension,     // message {raw bytes = 1}: JSON or another envelope
  kFieldsV1,         // message {raw bytes = 1}: JSON
  kJson,             // message {raw bytes = 1}: any JSON (apiextensions JSON)
  kMap,              // map<string, item>
  kVerbMap,          // ExtraValue and friends: message {repeated string = 1} as a JSON array
  kDuration,         // message {int64 duration = 1} → Go duration text
  kSchemaOrArray,    // JSONSchemaPropsOrArray: a schema or a list of them
  kSchemaOrBool,     // JSONSchemaPropsOrBool
  kSchemaOrStrings,  // JSONSchemaPropsOrStringArray
};

struct Property {
  const Schema* schema = nullptr;   // owned by the SchemaSet
  uint32_t number = 0;              // protobuf field number, 0: none
  WireType wire = WireType::kNone;  // of the value, or of each item where repeated or a map's value
  bool repeated = false;
  // What this use of a shared schema says; the schema's own words and default otherwise.
  std::string description;
  std::optional<json::Value> default_value;
  // An empty value (null, "", 0, false, [], {}) is the same as none: it is removed before defaults.
  bool omit_empty = false;

  const std::string& text() const;      // the description
  const json::Value* fallback() const;  // the default, null where there is none
};

// A protobuf message whose fields stand among its parent's in JSON: VolumeSource inside Volume.
struct Inlined {
  uint32_t number = 0;
  const Schema* schema = nullptr;  // its properties carry the numbers inside the message
};

// A property by its protobuf number.
struct Numbered {
  uint32_t number = 0;
  const std::string* name = nullptr;   // owned by `properties`
  const Property* property = nullptr;  // the same
};

// Checks on one value. Absent members are not checked.
struct Limits {
  std::optional<double> minimum, maximum, multiple_of;
  bool exclusive_minimum = false, exclusive_maximum = false;
  std::optional<uint64_t> min_length, max_length, min_items, max_items, min_properties,
      max_properties;
  bool unique_items = false;
  std::string pattern;                      // RE2
  std::shared_ptr<const Pattern> compiled;  // of `pattern`; null where there is none
  std::vector<json::Value> enumeration;
};

// x-kubernetes-validations, one rule.
struct CelRule {
  std::string rule, message, message_expression, reason, field_path;
  bool optional_old_self = false;
};

// One node. Immutable after loading; shared by reference within its SchemaSet (recursion is
// possible).
struct Schema {
  SchemaType type = SchemaType::kAny;
  std::string name;  // definition name where it is one: "io.k8s.api.core.v1.PodSpec"
  std::string description;
  std::string format;
  bool nullable = false;
  bool preserve_unknown = false;
  bool embedded_resource = false;
  std::optional<json::Value> default_value;

  std::map<std::string, Property, std::less<>> properties;
  std::vector<std::string> required;  // enforced
  // What documentation calls required where that is not what is enforced (built-in kinds).
  std::optional<std::vector<std::string>> documented_required;
  WireType wire = WireType::kMessage;  // how a value of this schema travels; kMap for maps
  std::vector<Inlined> inlined;
  std::vector<Numbered> numbered;  // of built-in kinds, by number
  bool custom = false;             // of a CustomResourceDefinition: findings use OpenAPI's words
  const Schema* additional = nullptr;  // value schema of a map
  const Schema* items = nullptr;

  ListType list_type = ListType::kAtomic;
  bool list_type_given = false;  // the source says so, be it "atomic"
  std::vector<std::string> list_map_keys;
  MapType map_type = MapType::kGranular;

  // Strategic merge patch of a list or object.
  bool patch_merge = false;        // x-kubernetes-patch-strategy contains "merge"
  bool patch_retain_keys = false;  // ... contains "retainKeys"
  bool patch_replace = false;      // ... contains "replace": the object is taken whole
  std::string patch_merge_key;

  Limits limits;
  std::vector<const Schema*> all_of, any_of, one_of;
  const Schema* not_schema = nullptr;
  std::vector<CelRule> cel;

  const Property* property(std::string_view field) const;
  // Of JSONSchemaPropsOrBool and its like: an object here is a schema, described by `items`.
  bool holds_schema() const;
};

// Owns schemas. Lives as long as any kind that points into it.
class SchemaSet {
 public:
  Schema* make();                               // a fresh node
  Schema* define(std::string definition_name);  // the node of a definition, made on first use
  const Schema* find(std::string_view definition_name) const;
  const std::map<std::string, Schema*, std::less<>>& definitions() const { return by_name_; }

 private:
  std::vector<std::unique_ptr<Schema>> nodes_;
  std::map<std::string, Schema*, std::less<>> by_name_;
};

}  // namespace atl::api
