#include <utility>

#include "api/schema/load_impl.h"

namespace atl::api {
namespace {

std::string_view text_of(const json::Value& value) {
  const json::String* text = value.if_string();
  return text ? std::string_view(*text) : std::string_view();
}

SchemaType type_of(std::string_view name) {
  if (name == "object") return SchemaType::kObject;
  if (name == "array") return SchemaType::kArray;
  if (name == "string") return SchemaType::kString;
  if (name == "integer") return SchemaType::kInteger;
  if (name == "number") return SchemaType::kNumber;
  if (name == "boolean") return SchemaType::kBoolean;
  return SchemaType::kAny;
}

std::optional<double> number_of(const json::Value& value) {
  if (!value.is_number()) return std::nullopt;
  return value.to_number<double>();
}

std::optional<uint64_t> count_of(const json::Value& value) {
  boost::system::error_code ec;
  const auto count = value.is_number() ? value.to_number<uint64_t>(ec) : 0;
  if (!value.is_number() || ec) return std::nullopt;
  return count;
}

void read_limit(Limits& limits, std::string_view key, const json::Value& value) {
  const bool on = value.is_bool() && value.get_bool();
  if (key == "minimum")
    limits.minimum = number_of(value);
  else if (key == "maximum")
    limits.maximum = number_of(value);
  else if (key == "multipleOf")
    limits.multiple_of = number_of(value);
  else if (key == "exclusiveMinimum")
    limits.exclusive_minimum = on;
  else if (key == "exclusiveMaximum")
    limits.exclusive_maximum = on;
  else if (key == "minLength")
    limits.min_length = count_of(value);
  else if (key == "maxLength")
    limits.max_length = count_of(value);
  else if (key == "minItems")
    limits.min_items = count_of(value);
  else if (key == "maxItems")
    limits.max_items = count_of(value);
  else if (key == "minProperties")
    limits.min_properties = count_of(value);
  else if (key == "maxProperties")
    limits.max_properties = count_of(value);
  else if (key == "uniqueItems")
    limits.unique_items = on;
  else if (key == "pattern")
    limits.pattern = text_of(value);
  else if (key == "enum" && value.is_array()) {
    limits.enumeration.clear();
    // Copies must not share the memory of the document that is read.
    for (const json::Value& item : value.get_array())
      limits.enumeration.emplace_back(item, boost::json::storage_ptr());
  }
}

void read_extension(Schema& schema, std::string_view key, const json::Value& value) {
  const std::string_view text = text_of(value);
  const bool on = value.is_bool() && value.get_bool();
  if (key == "list-type") {
    schema.list_type_given = true;
    schema.list_type = text == "map"   ? ListType::kMap
                       : text == "set" ? ListType::kSet
                                       : ListType::kAtomic;
  } else if (key == "list-map-keys" && value.is_array()) {
    schema.list_map_keys.clear();
    for (const json::Value& name : value.get_array())
      schema.list_map_keys.emplace_back(text_of(name));
  } else if (key == "map-type") {
    schema.map_type = text == "atomic" ? MapType::kAtomic : MapType::kGranular;
  } else if (key == "patch-strategy") {
    schema.patch_merge = text.find("merge") != text.npos;
    schema.patch_retain_keys = text.find("retainKeys") != text.npos;
    schema.patch_replace = text.find("replace") != text.npos;
  } else if (key == "patch-merge-key") {
    schema.patch_merge_key = text;
  } else if (key == "preserve-unknown-fields") {
    schema.preserve_unknown = on;
  } else if (key == "embedded-resource") {
    schema.embedded_resource = on;
  } else if (key == "int-or-string" && on) {
    schema.type = SchemaType::kIntOrString;
  }
}

}  // namespace

void read_keywords(Schema& schema, const json::Object& from) {
  constexpr std::string_view kExtension = "x-kubernetes-";
  for (const auto& pair : from) {
    const std::string_view key = pair.key();
    const json::Value& value = pair.value();
    if (key.starts_with(kExtension)) {
      read_extension(schema, key.substr(kExtension.size()), value);
    } else if (key == "type") {
      if (schema.type != SchemaType::kIntOrString) schema.type = type_of(text_of(value));
    } else if (key == "format") {
      schema.format = text_of(value);
    } else if (key == "description") {
      schema.description = text_of(value);
    } else if (key == "nullable") {
      schema.nullable = value.is_bool() && value.get_bool();
    } else if (key == "default") {
      schema.default_value.emplace(value, boost::json::storage_ptr());
    } else {
      read_limit(schema.limits, key, value);
    }
  }
}

WireType implied_wire(const Schema& schema) {
  switch (schema.type) {
    case SchemaType::kString:
      return schema.format == "byte" ? WireType::kBytes : WireType::kString;
    case SchemaType::kBoolean:
      return WireType::kBool;
    case SchemaType::kInteger:
      return schema.format == "int32" ? WireType::kInt32 : WireType::kInt64;
    case SchemaType::kNumber:
      return schema.format == "float" ? WireType::kFloat : WireType::kDouble;
    case SchemaType::kIntOrString:
      return WireType::kIntOrString;
    case SchemaType::kArray:
      return schema.items ? schema.items->wire : WireType::kNone;
    case SchemaType::kObject:
      return schema.additional ? WireType::kMap : WireType::kMessage;
    case SchemaType::kAny:
      return WireType::kNone;
  }
  return WireType::kNone;
}

}  // namespace atl::api
