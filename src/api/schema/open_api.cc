#include "api/schema/kind.h"
#include "api/schema/type_name.h"

namespace atl::api {
namespace {

constexpr std::string_view kReference = "#/components/schemas/";

json::Value texts(const std::vector<std::string>& list) {
  json::Array out;
  for (const std::string& text : list) out.emplace_back(text.c_str());
  return json::Value(std::move(out));
}

// A whole number without a fraction, as it was written.
json::Value number(double value) {
  if (value == double(int64_t(value))) return json::Value(int64_t(value));
  return json::Value(value);
}

void put_limits(json::Object& out, const Limits& limits) {
  if (limits.minimum) out["minimum"] = number(*limits.minimum);
  if (limits.maximum) out["maximum"] = number(*limits.maximum);
  if (limits.multiple_of) out["multipleOf"] = number(*limits.multiple_of);
  if (limits.exclusive_minimum) out["exclusiveMinimum"] = true;
  if (limits.exclusive_maximum) out["exclusiveMaximum"] = true;
  const std::pair<const char*, const std::optional<uint64_t>*> counts[] = {
      {"minLength", &limits.min_length},         {"maxLength", &limits.max_length},
      {"minItems", &limits.min_items},           {"maxItems", &limits.max_items},
      {"minProperties", &limits.min_properties}, {"maxProperties", &limits.max_properties}};
  for (const auto& [name, count] : counts) {
    if (*count) out[name] = **count;
  }
  if (limits.unique_items) out["uniqueItems"] = true;
  if (!limits.pattern.empty()) out["pattern"] = json::String(limits.pattern);
  if (!limits.enumeration.empty())
    out["enum"] = json::Array(limits.enumeration.begin(), limits.enumeration.end());
}

void put_extensions(json::Object& out, const Schema& schema) {
  if (schema.type == SchemaType::kArray &&
      (schema.list_type != ListType::kAtomic || schema.list_type_given)) {
    out["x-kubernetes-list-type"] = schema.list_type == ListType::kMap   ? "map"
                                    : schema.list_type == ListType::kSet ? "set"
                                                                         : "atomic";
  }
  if (!schema.list_map_keys.empty())
    out["x-kubernetes-list-map-keys"] = texts(schema.list_map_keys);
  if (schema.map_type == MapType::kAtomic) out["x-kubernetes-map-type"] = "atomic";
  if (schema.patch_merge || schema.patch_retain_keys) {
    out["x-kubernetes-patch-strategy"] = !schema.patch_retain_keys ? "merge"
                                         : schema.patch_merge      ? "merge,retainKeys"
                                                                   : "retainKeys";
  }
  if (!schema.patch_merge_key.empty())
    out["x-kubernetes-patch-merge-key"] = json::String(schema.patch_merge_key);
  if (schema.preserve_unknown && schema.custom) out["x-kubernetes-preserve-unknown-fields"] = true;
  if (schema.embedded_resource) out["x-kubernetes-embedded-resource"] = true;
}

void put_rules(json::Object& out, const std::vector<CelRule>& rules) {
  if (rules.empty()) return;
  json::Array list;
  for (const CelRule& rule : rules) {
    json::Object item{{"rule", rule.rule.c_str()}};
    const std::pair<const char*, const std::string*> rest[] = {
        {"message", &rule.message},
        {"messageExpression", &rule.message_expression},
        {"reason", &rule.reason},
        {"fieldPath", &rule.field_path}};
    for (const auto& [name, text] : rest) {
      if (!text->empty()) item[name] = json::String(*text);
    }
    if (rule.optional_old_self) item["optionalOldSelf"] = true;
    list.push_back(std::move(item));
  }
  out["x-kubernetes-validations"] = std::move(list);
}

// The two forms in which a value may be a number or a text.
void put_either(json::Object& out, const Schema& schema) {
  if (schema.custom) {
    out["x-kubernetes-int-or-string"] = true;
  } else {
    out["format"] = "int-or-string";
    out["oneOf"] = json::Array{json::Object{{"type", "integer"}}, json::Object{{"type", "string"}}};
  }
}

json::Value inner(const Schema& schema);

json::Value list_of(const std::vector<const Schema*>& schemas) {
  json::Array out;
  for (const Schema* schema : schemas) out.push_back(inner(*schema));
  return json::Value(std::move(out));
}

json::Object reference(const Schema& schema) {
  return json::Object{{"$ref", json::String(std::string(kReference) + schema.name)}};
}

// A use of a schema with what the use adds. OpenAPI 3.0 allows nothing beside a reference, hence
// allOf.
json::Value use(const Property& property) {
  json::Object out;
  const bool named = !property.schema->name.empty();
  if (!named) {
    out = inner(*property.schema).as_object();
  } else if (property.description.empty() && !property.default_value) {
    return json::Value(reference(*property.schema));
  } else {
    out["allOf"] = json::Array{json::Value(reference(*property.schema))};
    if (property.schema->patch_retain_keys) out["x-kubernetes-patch-strategy"] = "retainKeys";
    if (property.schema->patch_replace) out["x-kubernetes-patch-strategy"] = "replace";
  }
  if (!property.description.empty()) out["description"] = json::String(property.description);
  if (property.default_value) out["default"] = *property.default_value;
  return json::Value(std::move(out));
}

json::Object body(const Schema& schema) {
  json::Object out;
  if (!schema.description.empty()) out["description"] = json::String(schema.description);
  if (schema.wire == WireType::kQuantity) {
    out["oneOf"] = json::Array{json::Object{{"type", "string"}}, json::Object{{"type", "number"}}};
    return out;
  }
  if (schema.type == SchemaType::kIntOrString) put_either(out, schema);
  if (schema.type != SchemaType::kAny && schema.type != SchemaType::kIntOrString)
    out["type"] = json::String(type_name(schema.type));
  if (!schema.format.empty()) out["format"] = json::String(schema.format);
  if (schema.nullable) out["nullable"] = true;
  if (schema.default_value) out["default"] = *schema.default_value;
  if (!schema.properties.empty()) {
    json::Object properties;
    for (const auto& [name, property] : schema.properties) properties[name] = use(property);
    out["properties"] = std::move(properties);
  }
  const auto& required = schema.documented_required ? *schema.documented_required : schema.required;
  if (!required.empty()) out["required"] = texts(required);
  if (schema.additional) out["additionalProperties"] = inner(*schema.additional);
  if (schema.items) out["items"] = inner(*schema.items);
  put_limits(out, schema.limits);
  put_extensions(out, schema);
  put_rules(out, schema.cel);
  if (!schema.all_of.empty()) out["allOf"] = list_of(schema.all_of);
  if (!schema.any_of.empty()) out["anyOf"] = list_of(schema.any_of);
  if (!schema.one_of.empty()) out["oneOf"] = list_of(schema.one_of);
  if (schema.not_schema) out["not"] = inner(*schema.not_schema);
  return out;
}

json::Value inner(const Schema& schema) {
  if (!schema.name.empty()) return json::Value(reference(schema));
  return json::Value(body(schema));
}

}  // namespace

json::Value to_openapi(const Schema& schema) {
  return json::Value(body(schema));
}

}  // namespace atl::api
