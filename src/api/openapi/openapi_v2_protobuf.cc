#include "api/openapi/openapi_v2_protobuf.h"

#include <bit>
#include <cstdint>

namespace atl::api {
namespace {

// Field numbers of the messages in use.
namespace document {
enum : uint32_t { kSwagger = 1, kInfo = 2, kPaths = 8, kDefinitions = 9 };
}
namespace path_item {
enum : uint32_t { kGet = 2, kPut = 3, kPost = 4, kDelete = 5, kOptions = 6, kHead = 7, kPatch = 8 };
}
namespace operation {
enum : uint32_t {
  kDescription = 3,
  kId = 5,
  kProduces = 6,
  kConsumes = 7,
  kParameters = 8,
  kExtension = 13
};
}
namespace schema {
enum : uint32_t {
  kRef = 1,
  kFormat = 2,
  kTitle = 3,
  kDescription = 4,
  kDefault = 5,
  kMaximum = 7,
  kMinimum = 9,
  kMaxLength = 11,
  kMinLength = 12,
  kPattern = 13,
  kMaxItems = 14,
  kMinItems = 15,
  kRequired = 19,
  kEnum = 20,
  kAdditional = 21,
  kType = 22,
  kItems = 23,
  kProperties = 25,
  kExtension = 31
};
}
constexpr uint32_t kFirst = 1;  // the only field, or the name of a named thing
constexpr uint32_t kSecond = 2;

// Writes fields of one message. A nested message is written whole, then put into its parent.
class Message {
 public:
  void varint(uint32_t field, uint64_t value) {
    raw(uint64_t(field) << 3);
    raw(value);
  }
  void real(uint32_t field, double value) {
    raw(uint64_t(field) << 3 | 1);
    const auto bits = std::bit_cast<uint64_t>(value);
    for (int shift = 0; shift < 64; shift += 8) bytes_ += char(bits >> shift);
  }
  void text(uint32_t field, std::string_view value) {
    raw(uint64_t(field) << 3 | 2);
    raw(value.size());
    bytes_ += value;
  }
  void message(uint32_t field, const Message& inner) { text(field, inner.bytes_); }
  void text_of(uint32_t field, const json::Value& from, std::string_view name) {
    const std::string_view value = json::string_at(from, {name});
    if (!value.empty()) text(field, value);
  }
  std::string take() { return std::move(bytes_); }

 private:
  void raw(uint64_t value) {
    for (; value >= 0x80; value >>= 7) bytes_ += char(value | 0x80);
    bytes_ += char(value);
  }
  std::string bytes_;
};

Message any(const json::Value& value) {
  Message out;
  out.text(kSecond, json::serialize(value));
  return out;
}

void put_extensions(Message& into, uint32_t field, const json::Value& from) {
  for (const auto& [name, value] : from.as_object()) {
    if (!std::string_view(name).starts_with("x-")) continue;
    Message named;
    named.text(kFirst, name);
    named.message(kSecond, any(value));
    into.message(field, named);
  }
}

void put_texts(Message& into, uint32_t field, const json::Value& from, std::string_view name) {
  for (const json::Value& value : json::array_at(from, {name})) {
    if (value.is_string()) into.text(field, std::string_view(value.as_string()));
  }
}

Message schema_of(const json::Value& value);

// Properties and Definitions: names with schemas.
Message named_schemas(const json::Object& all) {
  Message out;
  for (const auto& [name, value] : all) {
    Message named;
    named.text(kFirst, name);
    named.message(kSecond, schema_of(value));
    out.message(kFirst, named);
  }
  return out;
}

void put_numbers(Message& out, const json::Value& value) {
  constexpr std::pair<std::string_view, uint32_t> kReal[] = {{"maximum", schema::kMaximum},
                                                             {"minimum", schema::kMinimum}};
  constexpr std::pair<std::string_view, uint32_t> kWhole[] = {{"maxLength", schema::kMaxLength},
                                                              {"minLength", schema::kMinLength},
                                                              {"maxItems", schema::kMaxItems},
                                                              {"minItems", schema::kMinItems}};
  for (const auto& [name, field] : kReal) {
    if (const json::Value* number = json::find(value, {name}); number && number->is_number())
      out.real(field, number->to_number<double>());
  }
  for (const auto& [name, field] : kWhole) {
    if (const int64_t number = json::int_at(value, {name}); number > 0)
      out.varint(field, uint64_t(number));
  }
}

Message schema_of(const json::Value& value) {
  Message out;
  if (!value.is_object()) return out;
  out.text_of(schema::kRef, value, "$ref");
  out.text_of(schema::kFormat, value, "format");
  out.text_of(schema::kTitle, value, "title");
  out.text_of(schema::kDescription, value, "description");
  out.text_of(schema::kPattern, value, "pattern");
  if (const json::Value* otherwise = json::find(value, {"default"}))
    out.message(schema::kDefault, any(*otherwise));
  put_numbers(out, value);
  put_texts(out, schema::kRequired, value, "required");
  for (const json::Value& one : json::array_at(value, {"enum"}))
    out.message(schema::kEnum, any(one));
  if (const json::Value* more = json::find(value, {"additionalProperties"})) {
    Message item;
    if (more->is_bool()) {
      item.varint(kSecond, more->as_bool() ? 1 : 0);
    } else {
      item.message(kFirst, schema_of(*more));
    }
    out.message(schema::kAdditional, item);
  }
  if (const std::string_view type = json::string_at(value, {"type"}); !type.empty()) {
    Message item;
    item.text(kFirst, type);
    out.message(schema::kType, item);
  }
  if (const json::Value* items = json::find(value, {"items"})) {
    Message item;
    item.message(kFirst, schema_of(*items));
    out.message(schema::kItems, item);
  }
  const json::Object& properties = json::object_at(value, {"properties"});
  if (!properties.empty()) out.message(schema::kProperties, named_schemas(properties));
  put_extensions(out, schema::kExtension, value);
  return out;
}

// ParametersItem → Parameter → NonBodyParameter → QueryParameterSubSchema
Message query_parameter(const json::Value& value) {
  Message query;
  query.text(2, "query");
  query.text_of(3, value, "description");
  query.text_of(4, value, "name");
  query.text_of(6, value, "type");
  Message not_body;
  not_body.message(3, query);
  Message parameter;
  parameter.message(kSecond, not_body);
  Message item;
  item.message(kFirst, parameter);
  return item;
}

Message operation_of(const json::Value& value) {
  Message out;
  out.text_of(operation::kDescription, value, "description");
  out.text_of(operation::kId, value, "operationId");
  put_texts(out, operation::kProduces, value, "produces");
  put_texts(out, operation::kConsumes, value, "consumes");
  for (const json::Value& parameter : json::array_at(value, {"parameters"})) {
    if (json::string_at(parameter, {"in"}) == "query")
      out.message(operation::kParameters, query_parameter(parameter));
  }
  put_extensions(out, operation::kExtension, value);
  return out;
}

Message paths_of(const json::Object& all) {
  constexpr std::pair<std::string_view, uint32_t> kVerbs[] = {
      {"get", path_item::kGet},        {"put", path_item::kPut},   {"post", path_item::kPost},
      {"delete", path_item::kDelete},  {"head", path_item::kHead}, {"patch", path_item::kPatch},
      {"options", path_item::kOptions}};
  Message out;
  for (const auto& [path, item] : all) {
    Message operations;
    for (const auto& [verb, field] : kVerbs) {
      if (const json::Value* one = json::find(item, {verb}))
        operations.message(field, operation_of(*one));
    }
    Message named;
    named.text(kFirst, path);
    named.message(kSecond, operations);
    out.message(kSecond, named);
  }
  return out;
}

}  // namespace

std::string openapi_v2_protobuf(const json::Value& root) {
  Message out;
  out.text_of(document::kSwagger, root, "swagger");
  const json::Value info = json::object_at(root, {"info"});
  Message about;
  about.text_of(kFirst, info, "title");
  about.text_of(kSecond, info, "version");
  out.message(document::kInfo, about);
  out.message(document::kPaths, paths_of(json::object_at(root, {"paths"})));
  out.message(document::kDefinitions, named_schemas(json::object_at(root, {"definitions"})));
  return out.take();
}

}  // namespace atl::api
