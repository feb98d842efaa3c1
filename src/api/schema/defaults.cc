#include <utility>

#include "api/schema/kind.h"
#include "base/core/clock.h"
#include "base/text/quantity.h"

namespace atl::api {
namespace {

bool empty_value(const json::Value& value) {
  switch (value.kind()) {
    case boost::json::kind::null:
      return true;
    case boost::json::kind::bool_:
      return !value.get_bool();
    case boost::json::kind::int64:
      return value.get_int64() == 0;
    case boost::json::kind::uint64:
      return value.get_uint64() == 0;
    case boost::json::kind::double_:
      return value.get_double() == 0;
    case boost::json::kind::string:
      return value.get_string().empty();
    case boost::json::kind::array:
      return value.get_array().empty();
    case boost::json::kind::object:
      return value.get_object().empty();
  }
  return false;
}

// A null where the schema does not allow one, or an empty value that stands for none.
bool stands_for_nothing(const Property& property, const json::Value& value) {
  if (property.omit_empty) return empty_value(value);
  return value.is_null() && !property.schema->nullable && property.schema->type != SchemaType::kAny;
}

// Amounts are kept in canonical form ("1000m" as "1"), those of resource lists in whole
// milli-units. What is no quantity stays as it is: validation names it.
void canonical_quantity(json::Value& value, bool in_list) {
  if (!value.is_string() && !value.is_number()) return;
  const auto parsed = value.is_string() ? Quantity::parse(value.get_string())
                                        : Quantity::parse(json::serialize(value));
  if (!parsed) return;
  constexpr double kMilliExact = 9e15;  // units whose milli-units fit an int64
  Quantity amount = *parsed;
  if (in_list && amount.value() < kMilliExact && amount.value() > -kMilliExact &&
      Quantity::of_milli(amount.milli()) != amount) {
    amount = Quantity::of_milli(amount.milli());
  }
  value = json::Value(json::String(amount.text()));
}

// Times are kept as Kubernetes writes them, in UTC and whole seconds or microseconds, however a
// client says them: JavaScript's Date has milliseconds. What is no time, or beyond what a WallTime
// holds, stays as it is.
void canonical_time(WireType wire, json::Value& value) {
  const json::String* text = value.if_string();
  const auto parsed = text ? parse_rfc3339(*text) : std::nullopt;
  if (!parsed) return;
  const std::string_view year = std::string_view(*text).substr(0, 4);
  if (year < "1679" || year > "2260") return;
  const std::string out = wire == WireType::kTime ? rfc3339(*parsed) : rfc3339_micro(*parsed);
  if (*text != out) value = json::Value(json::String(out));
}

// A null among the items or entries of a built-in kind is the zero value of its type there; custom
// kinds say themselves whether they take one.
void fill_null(const Schema& schema, json::Value& value) {
  if (!value.is_null() || schema.nullable || schema.custom) return;
  if (schema.type == SchemaType::kString && schema.format.empty()) value = "";
  if (schema.type == SchemaType::kString && schema.format == "byte") value = "";
  if (schema.type == SchemaType::kInteger || schema.type == SchemaType::kNumber) value = 0;
  if (schema.type == SchemaType::kBoolean) value = false;
  if (schema.type == SchemaType::kObject) value = json::Object{};
}

// About how much memory a copy takes.
size_t weight(const json::Value& value) {
  size_t bytes = sizeof(json::Value);
  if (const json::String* text = value.if_string()) bytes += text->size();
  if (const json::Array* array = value.if_array()) {
    for (const json::Value& item : *array) bytes += weight(item);
  } else if (const json::Object* object = value.if_object()) {
    for (const auto& pair : *object) bytes += pair.key().size() + weight(pair.value());
  }
  return bytes;
}

// Recursion is bounded by the depth of the document, which json::parse() bounds, and by the depth
// of defaults, which are finite. What defaults add is bounded as well: a list of a million empty
// items must not become gigabytes. Such a document is refused for its size later.
class Defaulter {
 public:
  void value(const Schema& schema, json::Value& value) {
    if (schema.wire == WireType::kQuantity) {
      canonical_quantity(value, /*in_list=*/false);
    } else if (schema.wire == WireType::kTime || schema.wire == WireType::kMicroTime) {
      canonical_time(schema.wire, value);
    } else if (json::Object* object = value.if_object()) {
      members(schema.holds_schema() ? *schema.items : schema, *object);
    } else if (json::Array* array = value.if_array(); array && schema.items) {
      for (json::Value& item : *array) {
        fill_null(*schema.items, item);
        this->value(*schema.items, item);
      }
    }
  }

 private:
  static constexpr size_t kAddedBytesMax = 64 * 1024 * 1024;

  void members(const Schema& schema, json::Object& object) {
    for (const auto& [name, property] : schema.properties) {
      auto it = object.find(name);
      if (it != object.end() && stands_for_nothing(property, it->value())) {
        object.erase(it);
        it = object.end();
      }
      if (it == object.end()) {
        const json::Value* fallback = property.fallback();
        if (!fallback || added_ > kAddedBytesMax) continue;
        added_ += name.size() + weight(*fallback);
        it = object.emplace(name, *fallback).first;
      }
      value(*property.schema, it->value());
    }
    if (schema.additional) entries(schema, object);
  }

  void entries(const Schema& schema, json::Object& object) {
    for (auto& pair : object) {
      if (schema.property(pair.key())) continue;
      if (schema.additional->wire == WireType::kQuantity) {
        canonical_quantity(pair.value(), /*in_list=*/true);
      } else {
        fill_null(*schema.additional, pair.value());
        value(*schema.additional, pair.value());
      }
    }
  }

  size_t added_ = 0;
};

}  // namespace

void apply_defaults(const Schema& schema, json::Value& document) {
  Defaulter().value(schema, document);
}

}  // namespace atl::api
