#include "api/schema/schema.h"

namespace atl::api {

const std::string& Property::text() const {
  return description.empty() && schema ? schema->description : description;
}

const json::Value* Property::fallback() const {
  if (default_value) return &*default_value;
  return schema && schema->default_value ? &*schema->default_value : nullptr;
}

const Property* Schema::property(std::string_view field) const {
  const auto it = properties.find(field);
  return it == properties.end() ? nullptr : &it->second;
}

bool Schema::holds_schema() const {
  return items && (wire == WireType::kSchemaOrArray || wire == WireType::kSchemaOrBool ||
                   wire == WireType::kSchemaOrStrings);
}

Schema* SchemaSet::make() {
  return nodes_.emplace_back(std::make_unique<Schema>()).get();
}

Schema* SchemaSet::define(std::string definition_name) {
  const auto it = by_name_.find(definition_name);
  if (it != by_name_.end()) return it->second;
  Schema* schema = make();
  schema->name = definition_name;
  by_name_.emplace(std::move(definition_name), schema);
  return schema;
}

const Schema* SchemaSet::find(std::string_view definition_name) const {
  const auto it = by_name_.find(definition_name);
  return it == by_name_.end() ? nullptr : it->second;
}

}  // namespace atl::api
