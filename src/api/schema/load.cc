#include <fmt/format.h>

#include <algorithm>

#include <boost/json/monotonic_resource.hpp>
#include <boost/json/parse.hpp>

#include "api/schema/load_impl.h"

namespace atl::api {
namespace {

constexpr std::string_view kReference = "#/definitions/";

WireType wire_named(std::string_view name) {
  struct Entry {
    std::string_view name;
    WireType wire;
  };
  static constexpr Entry kNames[] = {
      {"quantity", WireType::kQuantity},
      {"intOrString", WireType::kIntOrString},
      {"time", WireType::kTime},
      {"microTime", WireType::kMicroTime},
      {"duration", WireType::kDuration},
      {"fieldsV1", WireType::kFieldsV1},
      {"rawExtension", WireType::kRawExtension},
      {"json", WireType::kJson},
      {"schemaOrArray", WireType::kSchemaOrArray},
      {"schemaOrBool", WireType::kSchemaOrBool},
      {"schemaOrStrings", WireType::kSchemaOrStrings},
      {"stringList", WireType::kVerbMap},
  };
  for (const Entry& entry : kNames) {
    if (entry.name == name) return entry.wire;
  }
  return WireType::kNone;
}

std::string_view text_at(const json::Object& from, std::string_view key) {
  const json::Value* value = from.if_contains(key);
  const json::String* text = value ? value->if_string() : nullptr;
  return text ? std::string_view(*text) : std::string_view();
}

std::vector<std::string> texts_at(const json::Value& from, std::string_view key) {
  std::vector<std::string> out;
  for (const json::Value& item : json::array_at(from, {key})) out.emplace_back(item.get_string());
  return out;
}

std::vector<std::string> texts_of(const json::Value* list) {
  std::vector<std::string> out;
  if (!list || !list->is_array()) return out;
  for (const json::Value& item : list->get_array()) out.emplace_back(item.get_string());
  return out;
}

NameRule name_rule(std::string_view name) {
  if (name == "label") return NameRule::kLabel;
  if (name == "path_segment") return NameRule::kPathSegment;
  if (name == "ip") return NameRule::kIp;
  if (name == "any") return NameRule::kAny;
  return NameRule::kSubdomain;
}

Column read_column(const json::Value& from) {
  return {.name = std::string(json::string_at(from, {"name"})),
          .type = std::string(json::string_at(from, {"type"})),
          .format = std::string(json::string_at(from, {"format"})),
          .description = std::string(json::string_at(from, {"description"})),
          .json_path = std::string(json::string_at(from, {"jsonPath"})),
          .printer = std::string(json::string_at(from, {"printer"})),
          .priority = int(json::int_at(from, {"priority"}))};
}

void number_properties(Schema& schema) {
  schema.numbered.clear();
  for (auto& [field, property] : schema.properties) {
    property.wire = property.schema->wire;
    if (property.number != 0) schema.numbered.push_back({property.number, &field, &property});
  }
  std::sort(schema.numbered.begin(), schema.numbered.end(),
            [](const Numbered& a, const Numbered& b) { return a.number < b.number; });
}

}  // namespace

// JSONSchemaPropsOrArray and its like hold one schema or something else.
const Schema* KindLoader::schema_behind(const Schema& schema) const {
  if (schema.wire != WireType::kSchemaOrArray && schema.wire != WireType::kSchemaOrBool &&
      schema.wire != WireType::kSchemaOrStrings)
    return nullptr;
  return set_.find(std::string_view(schema.name).substr(0, schema.name.rfind("Or")));
}

Result<> KindLoader::add(std::string_view name, std::string_view text) {
  boost::json::monotonic_resource arena(text.size() * 3);
  boost::system::error_code ec;
  const json::Value root = boost::json::parse(text, ec, &arena);
  if (ec || !root.is_object())
    return Error(Code::kInternal, fmt::format("kinds/{}.json: {}", name, ec.message()));
  for (const auto& pair : json::object_at(root, {"definitions"})) {
    read_definition(pair.key(), pair.value().get_object());
  }
  const GroupVersion gv{std::string(json::string_at(root, {"group"})),
                        std::string(json::string_at(root, {"version"}))};
  for (const json::Value& resource : json::array_at(root, {"resources"}))
    TRY_OK(read_resource(gv, resource));
  return Unit{};
}

void KindLoader::read_definition(std::string_view name, const json::Object& from) {
  Schema* schema = set_.define(std::string(name));
  read_keywords(*schema, from);
  schema->wire = implied_wire(*schema);
  if (const auto wire = text_at(from, "x-atoll-wire"); !wire.empty())
    schema->wire = wire_named(wire);
  if (const json::Value* properties = from.if_contains("properties")) {
    for (const auto& pair : properties->get_object())
      read_property(*schema, pair.key(), pair.value().get_object());
  }
  const json::Value* enforced = from.if_contains("x-atoll-enforced");
  schema->required = texts_of(enforced ? enforced : from.if_contains("required"));
  if (enforced) schema->documented_required = texts_of(from.if_contains("required"));
  if (const json::Value* inlined = from.if_contains("x-atoll-inline"))
    read_inlined(*schema, inlined->get_array());
}

void KindLoader::read_property(Schema& owner, std::string_view name, const json::Object& from) {
  Property property;
  property.description = text_at(from, "description");
  // Copies out of the arena of the file.
  if (const json::Value* value = from.if_contains("default"))
    property.default_value.emplace(*value, boost::json::storage_ptr());
  if (const json::Value* number = from.if_contains("x-atoll-field"))
    property.number = uint32_t(number->get_int64());
  property.omit_empty = from.contains("x-atoll-omit-empty");
  property.schema = read_node(from);
  property.repeated =
      property.schema->type == SchemaType::kArray && property.schema->wire != WireType::kVerbMap;
  if (from.contains("$ref") &&
      (from.contains("x-kubernetes-map-type") || from.contains("x-kubernetes-patch-strategy"))) {
    json::Object keys;
    for (const auto key : {"x-kubernetes-map-type", "x-kubernetes-patch-strategy"}) {
      if (const json::Value* value = from.if_contains(key)) keys[key] = *value;
    }
    overrides_.push_back({&owner, std::string(name), std::move(keys)});
  }
  owner.properties.insert_or_assign(std::string(name), std::move(property));
}

const Schema* KindLoader::read_node(const json::Object& from) {
  if (const auto ref = text_at(from, "$ref"); !ref.empty())
    return set_.define(std::string(ref.substr(kReference.size())));
  if (const Schema* shared = scalar(from)) return shared;
  Schema* node = set_.make();
  read_keywords(*node, from);
  node->description.clear();  // the property has it
  node->default_value.reset();
  if (const json::Value* items = from.if_contains("items"))
    node->items = read_node(items->get_object());
  if (const json::Value* values = from.if_contains("additionalProperties"))
    node->additional = read_node(values->get_object());
  node->wire = implied_wire(*node);
  if (const auto wire = text_at(from, "x-atoll-wire"); !wire.empty()) node->wire = wire_named(wire);
  return node;
}

// Most properties are plain strings and numbers: those share one node for each type and format.
const Schema* KindLoader::scalar(const json::Object& from) {
  const std::string_view type = text_at(from, "type");
  if (type != "string" && type != "integer" && type != "boolean" && type != "number")
    return nullptr;
  for (const auto& pair : from) {
    const std::string_view key = pair.key();
    if (key != "type" && key != "format" && key != "description" && key != "default" &&
        key != "x-atoll-field" && key != "x-atoll-omit-empty") {
      return nullptr;
    }
  }
  const std::string id = fmt::format("{} {}", type, text_at(from, "format"));
  auto [it, fresh] = scalars_.try_emplace(id, nullptr);
  if (fresh) {
    Schema* node = set_.make();
    read_keywords(*node, {{"type", type}, {"format", text_at(from, "format")}});
    node->wire = implied_wire(*node);
    it->second = node;
  }
  return it->second;
}

void KindLoader::read_inlined(Schema& owner, const json::Array& from) {
  for (const json::Value& item : from) {
    Schema* message = set_.make();
    message->type = SchemaType::kObject;
    for (const auto& pair : json::object_at(item, {"properties"})) {
      const auto outer = owner.properties.find(std::string_view(pair.key()));
      if (outer == owner.properties.end()) continue;
      Property inner = outer->second;
      inner.number = uint32_t(pair.value().get_int64());
      message->properties.emplace(pair.key(), std::move(inner));
    }
    if (const json::Value* deeper = json::find(item, {"inline"})) {
      // Nested inlining: the inner message's fields are looked up among the owner's as well.
      Schema holder;
      holder.properties = owner.properties;
      read_inlined(holder, deeper->get_array());
      message->inlined = std::move(holder.inlined);
    }
    number_properties(*message);
    owner.inlined.push_back({uint32_t(json::int_at(item, {"field"})), message});
  }
}

Result<> KindLoader::read_resource(const GroupVersion& gv, const json::Value& from) {
  auto kind = std::make_shared<Kind>();
  const auto text = [&](json::Path path) { return std::string(json::string_at(from, path)); };
  kind->gvk = {gv.group, gv.version, text({"kind"})};
  kind->gvr = {gv.group, gv.version, text({"plural"})};
  if (kind->gvk.kind.empty() || kind->gvr.resource.empty())
    return Error(Code::kInternal, "kinds: a resource without a name");
  kind->list_kind = kind->gvk.kind + "List";
  kind->singular = text({"singular"});
  kind->short_names = texts_at(from, "shortNames");
  kind->categories = texts_at(from, "categories");
  kind->namespaced = json::bool_at(from, {"namespaced"});
  kind->deprecation = text({"deprecation"});
  kind->verbs = texts_at(from, "verbs");
  kind->selectable_fields = texts_at(from, "selectableFields");
  kind->unconditional_update = json::bool_at(from, {"unconditionalUpdate"}, true);
  kind->create_on_update = json::bool_at(from, {"createOnUpdate"});
  kind->has_generation = json::bool_at(from, {"generation"});
  kind->name_rule = name_rule(json::string_at(from, {"nameRule"}));
  kind->name_max_length = uint32_t(json::int_at(from, {"nameMaxLength"}));
  kind->scale_spec_path = text({"scale", "spec"});
  kind->scale_status_path = text({"scale", "status"});
  kind->scale_selector_path = text({"scale", "selector"});
  for (const json::Value& column : json::array_at(from, {"columns"}))
    kind->columns.push_back(read_column(column));
  for (const json::Value& sub : json::array_at(from, {"subresources"})) {
    const std::string schema(json::string_at(sub, {"schema"}));
    kind->subresources.push_back(
        {.name = std::string(json::string_at(sub, {"name"})),
         .kind = {std::string(json::string_at(sub, {"group"}, gv.group)),
                  std::string(json::string_at(sub, {"version"}, gv.version)),
                  std::string(json::string_at(sub, {"kind"}))},
         .schema = schema.empty() ? nullptr : set_.define(schema),
         .verbs = texts_at(sub, "verbs")});
  }
  kind->schema = set_.define(text({"schema"}));
  kinds_.push_back(std::move(kind));
  return Unit{};
}

Result<> KindLoader::finish() {
  for (const auto& [name, schema] : set_.definitions()) {
    if (schema->description.empty())
      return Error(Code::kInternal, fmt::format("kinds: {} is named and not defined", name));
  }
  // A property's wire type is its schema's; definitions are complete only now.
  for (const auto& [name, schema] : set_.definitions()) {
    number_properties(*schema);
    if (const Schema* one = schema_behind(*schema)) schema->items = one;
  }
  for (const Override& change : overrides_) {
    Property& property = change.owner->properties.find(change.property)->second;
    Schema* copy = set_.make();
    *copy = *property.schema;
    read_keywords(*copy, change.keys);
    property.schema = copy;
  }
  return Unit{};
}

}  // namespace atl::api
