#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "api/schema/type_name.h"
#include "api/validate/findings.h"
#include "api/validate/formats_impl.h"
#include "api/validate/validate.h"
#include "base/core/clock.h"
#include "base/text/base64.h"
#include "base/text/quantity.h"

namespace atl::api {
namespace {

constexpr size_t kFindingsMax = 256;  // a document may break a rule in every item

std::string_view json_type(const json::Value& value) {
  switch (value.kind()) {
    case boost::json::kind::null:
      return "null";
    case boost::json::kind::bool_:
      return "boolean";
    case boost::json::kind::int64:
    case boost::json::kind::uint64:
      return "integer";
    case boost::json::kind::double_:
      return "number";
    case boost::json::kind::string:
      return "string";
    case boost::json::kind::array:
      return "array";
    case boost::json::kind::object:
      return "object";
  }
  return "null";
}

bool whole(const json::Value& value) {
  if (value.is_int64() || value.is_uint64()) return true;
  return value.is_double() && std::floor(value.get_double()) == value.get_double();
}

bool fits(SchemaType type, const json::Value& value) {
  switch (type) {
    case SchemaType::kAny:
      return true;
    case SchemaType::kObject:
      return value.is_object();
    case SchemaType::kArray:
      return value.is_array();
    case SchemaType::kString:
      return value.is_string();
    case SchemaType::kInteger:
      return value.is_number() && whole(value);
    case SchemaType::kNumber:
      return value.is_number();
    case SchemaType::kBoolean:
      return value.is_bool();
    case SchemaType::kIntOrString:
      return value.is_string() || (value.is_number() && whole(value));
  }
  return true;
}

// A limit as Go prints a float64: 5, 0.5, 1e+21.
std::string number_text(double number) {
  return json::serialize(json::Value(number));
}

size_t characters(std::string_view text) {
  return size_t(
      std::count_if(text.begin(), text.end(), [](char c) { return (uint8_t(c) & 0xc0) != 0x80; }));
}

// Walks a document beside its schema. Built-in kinds are told in the words of Kubernetes' own
// validators, custom ones in those of OpenAPI validation.
class Checker {
 public:
  explicit Checker(std::string_view path) : path_(path) {}
  Findings release() { return std::move(findings_); }

  void value(const Schema& schema, const json::Value& value) {
    if (findings_.size() >= kFindingsMax) return;
    if (value.is_null()) {
      // Outside custom kinds null is no value at all.
      if (schema.custom && !schema.nullable && schema.type != SchemaType::kAny)
        type_mismatch(schema, value);
      return;
    }
    if (!fits_type(schema, value)) return type_mismatch(schema, value);
    enumeration(schema, value);
    if (const json::Object* object = value.if_object()) {
      members(schema, *object);
    } else if (const json::Array* array = value.if_array()) {
      items(schema, *array);
    } else if (const json::String* text = value.if_string()) {
      string(schema, *text);
    } else if (value.is_number()) {
      number(schema, value);
    }
    junctors(schema, value);
  }

 private:
  // A quantity or a time is a string to the schema; a quantity may be written as a number.
  static bool fits_type(const Schema& schema, const json::Value& value) {
    if (schema.wire == WireType::kQuantity && value.is_number()) return true;
    return fits(schema.type, value) && (schema.custom || fits_width(schema, value));
  }

  // An integer of a built-in kind is written as one, 1.0 is none, and has the width that its
  // decoder gives it.
  static bool fits_width(const Schema& schema, const json::Value& value) {
    const bool either = schema.type == SchemaType::kIntOrString;  // the number has 32 bits
    if ((schema.type != SchemaType::kInteger && !either) || !value.is_number()) return true;
    if (value.is_double()) return false;
    const bool narrow = either || schema.format == "int32";
    if (value.is_uint64()) return value.get_uint64() <= uint64_t(narrow ? INT32_MAX : INT64_MAX);
    if (!narrow) return true;
    return value.get_int64() >= INT32_MIN && value.get_int64() <= INT32_MAX;
  }

  void type_mismatch(const Schema& schema, const json::Value& value) {
    const std::string_view actual = json_type(value);
    add(wrong_type(path_, json::Value(json::String(actual)),
                   fmt::format("{} must be of type {}: {}", in_body(), type_name(schema.type),
                               quoted(actual))));
  }

  void enumeration(const Schema& schema, const json::Value& value) {
    const auto& allowed = schema.limits.enumeration;
    if (allowed.empty()) return;
    if (std::any_of(allowed.begin(), allowed.end(),
                    [&](const json::Value& one) { return json::equal(one, value); }))
      return;
    std::vector<std::string> texts;
    for (const json::Value& one : allowed)
      texts.push_back(one.is_string() ? std::string(one.get_string()) : json::serialize(one));
    if (value.is_string() && value.get_string().empty() && !schema.custom)
      return add(required_value(path_, {}));
    add(unsupported_value(path_, value, texts));
  }

  void members(const Schema& schema, const json::Object& object) {
    const Limits& limits = schema.limits;
    if (limits.max_properties && object.size() > *limits.max_properties)
      add(too_many(path_, object.size(), *limits.max_properties));
    if (limits.min_properties && object.size() < *limits.min_properties) {
      add(invalid_value(
          path_, json::Value(object.size()),
          fmt::format("{} should have at least {} properties", in_body(), *limits.min_properties)));
    }
    for (const std::string& name : schema.required) {
      const json::Value* member = object.if_contains(name);
      if (member && (!member->is_null() || schema.custom)) continue;
      const Step step(*this, name);
      add(required_value(path_));
    }
    for (const auto& pair : object) {
      const Property* property = schema.property(pair.key());
      const Schema* next = property ? property->schema : schema.additional;
      if (!next) continue;
      const Step step(*this, pair.key(), property || schema.custom ? Join::kDot : Join::kBrackets);
      // An empty value that stands for none is not checked.
      if (property && property->omit_empty && pair.value().is_string() &&
          pair.value().get_string().empty())
        continue;
      value(*next, pair.value());
    }
  }

  void items(const Schema& schema, const json::Array& array) {
    const Limits& limits = schema.limits;
    if (limits.max_items && array.size() > *limits.max_items)
      add(too_many(path_, array.size(), *limits.max_items));
    if (limits.min_items && array.size() < *limits.min_items) {
      if (!schema.custom)
        add(required_value(path_));
      else
        add(invalid_value(
            path_, json::Value(array.size()),
            fmt::format("{} should have at least {} items", in_body(), *limits.min_items)));
    }
    if (schema.items) {
      for (size_t i = 0; i < array.size(); ++i) {
        const Index index(*this, i);
        value(*schema.items, array[i]);
      }
    }
    if (schema.custom && schema.list_type != ListType::kAtomic) unique(schema, array);
  }

  // Items of sets, and keys of associative lists, stand once.
  void unique(const Schema& schema, const json::Array& array) {
    std::set<std::string> seen;
    for (size_t i = 0; i < array.size(); ++i) {
      json::Value identity = array[i];
      if (schema.list_type == ListType::kMap) {
        if (!array[i].is_object()) continue;
        json::Object keys;
        for (const std::string& key : schema.list_map_keys) {
          if (const json::Value* part = array[i].get_object().if_contains(key)) keys[key] = *part;
        }
        identity = std::move(keys);
      }
      if (!seen.insert(json::serialize(identity)).second) {
        const Index index(*this, i);
        add(duplicate_value(path_, identity));
      }
    }
  }

  // Texts that Go decodes into something else: what does not fit is a matter of type.
  bool decodes(const Schema& schema, const json::String& text) {
    if (schema.custom) return true;
    const auto refuse = [&](std::string_view why) {
      add(wrong_type(path_, json::Value(json::String(text)), why));
      return false;
    };
    switch (schema.wire) {
      case WireType::kQuantity:
        return Quantity::parse(text) || refuse(
                                            "quantities must match the regular expression "
                                            "'^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'");
      case WireType::kBytes:
        return base64_decode(text) || refuse("illegal base64 data");
      case WireType::kTime:
      case WireType::kMicroTime:
        return parse_rfc3339(text) ||
               refuse("a time must be written as RFC 3339 asks: 2006-01-02T15:04:05Z");
      default:
        return true;
    }
  }

  void string(const Schema& schema, const json::String& text) {
    if (!decodes(schema, text)) return;
    const Limits& limits = schema.limits;
    const auto value = json::Value(json::String(text));
    if (limits.max_length && characters(text) > *limits.max_length)
      add(too_long(path_, *limits.max_length));
    if (limits.min_length && characters(text) < *limits.min_length) {
      if (!schema.custom && text.empty())
        add(required_value(path_));
      else
        add(invalid_value(
            path_, value,
            fmt::format("{} should be at least {} chars long", in_body(), *limits.min_length)));
    }
    if (limits.compiled && !limits.compiled->matches(text)) {
      add(invalid_value(path_, value,
                        fmt::format("{} should match '{}'", in_body(), limits.pattern)));
    }
    if (schema.custom && schema.type == SchemaType::kString && !schema.format.empty() &&
        !has_format(schema.format, text)) {
      add(invalid_value(
          path_, value,
          fmt::format("{} must be of type {}: {}", in_body(), schema.format, quoted(text))));
    }
  }

  void number(const Schema& schema, const json::Value& value) {
    const Limits& limits = schema.limits;
    const double number = value.to_number<double>();
    const bool low = limits.minimum && (number < *limits.minimum ||
                                        (limits.exclusive_minimum && number == *limits.minimum));
    const bool high = limits.maximum && (number > *limits.maximum ||
                                         (limits.exclusive_maximum && number == *limits.maximum));
    if (low || high) add(invalid_value(path_, value, range_text(schema, low)));
    if (limits.multiple_of && *limits.multiple_of > 0 &&
        std::remainder(number, *limits.multiple_of) != 0) {
      add(invalid_value(path_, value,
                        fmt::format("{} should be a multiple of {}", in_body(),
                                    number_text(*limits.multiple_of))));
    }
  }

  std::string range_text(const Schema& schema, bool low) const {
    const Limits& limits = schema.limits;
    if (!schema.custom && limits.minimum && limits.maximum) {
      return fmt::format("must be between {} and {}, inclusive", number_text(*limits.minimum),
                         number_text(*limits.maximum));
    }
    const bool exclusive = low ? limits.exclusive_minimum : limits.exclusive_maximum;
    const std::string bound = number_text(low ? *limits.minimum : *limits.maximum);
    const std::string relation = fmt::format("{} than {}{}", low ? "greater" : "less",
                                             exclusive ? "" : "or equal to ", bound);
    return schema.custom ? fmt::format("{} should be {}", in_body(), relation)
                         : fmt::format("must be {}", relation);
  }

  // Every branch is looked at once, whatever it finds: nested branches must not multiply.
  Findings branch(const Schema& part, const json::Value& value) {
    Checker inner(path_);
    inner.value(part, value);
    return inner.release();
  }

  void junctors(const Schema& schema, const json::Value& value) {
    any_of(schema, value);
    one_of(schema, value);
    size_t good = 0;
    for (const Schema* part : schema.all_of) {
      const Findings found = branch(*part, value);
      good += found.empty();
      add_all(found);
    }
    if (good != schema.all_of.size()) {
      unfit(fmt::format("must validate all the schemas (allOf){}",
                        good == 0 ? ". None validated" : ""));
    }
    if (schema.not_schema && branch(*schema.not_schema, value).empty())
      unfit("must not validate the schema (not)");
  }

  void any_of(const Schema& schema, const json::Value& value) {
    Findings first;
    for (const Schema* part : schema.any_of) {
      Findings found = branch(*part, value);
      if (found.empty()) return;
      if (first.empty()) first = std::move(found);
    }
    if (schema.any_of.empty()) return;
    unfit("must validate at least one schema (anyOf)");
    add_all(first);
  }

  void one_of(const Schema& schema, const json::Value& value) {
    if (schema.one_of.empty()) return;
    size_t good = 0;
    Findings first;
    for (const Schema* part : schema.one_of) {
      Findings found = branch(*part, value);
      if (found.empty())
        ++good;
      else if (first.empty())
        first = std::move(found);
    }
    if (good == 1) return;
    unfit(fmt::format(
        "must validate one and only one schema (oneOf). {}",
        good == 0 ? "Found none valid" : fmt::format("Found {} valid alternatives", good)));
    if (good == 0) add_all(first);
  }

  void unfit(std::string_view what) {
    add(invalid_value(path_, json::Value(""), fmt::format("{} {}", quoted(path_), what)));
  }
  void add_all(const Findings& findings) {
    for (const Cause& finding : findings) add(finding);
  }

  std::string in_body() const { return path_.empty() ? "" : json::short_path(path_) + " in body"; }
  void add(Cause cause) {
    if (findings_.size() >= kFindingsMax) return;
    cause.field = json::short_path(std::move(cause.field));
    findings_.push_back(std::move(cause));
  }

  // How a name stands in a path: spec.name, or limits[cpu] for the keys of maps.
  enum class Join : uint8_t { kDot, kBrackets };

  // One step of the path, taken back at the end of the scope.
  struct Step {
    Step(Checker& c, std::string_view name, Join join = Join::kDot)
        : checker(c), length(c.path_.size()) {
      if (join == Join::kBrackets) {
        checker.path_ += fmt::format("[{}]", name);
      } else {
        if (length != 0) checker.path_ += '.';
        checker.path_ += name;
      }
    }
    ~Step() { checker.path_.resize(length); }
    Checker& checker;
    size_t length;
  };
  struct Index {
    Index(Checker& c, size_t i) : checker(c), length(c.path_.size()) {
      checker.path_ += fmt::format("[{}]", i);
    }
    ~Index() { checker.path_.resize(length); }
    Checker& checker;
    size_t length;
  };

  std::string path_;
  Findings findings_;
};

}  // namespace

Findings check_schema(const Schema& schema, const json::Value& document, std::string_view path) {
  Checker checker(path);
  checker.value(schema, document);
  return checker.release();
}

}  // namespace atl::api
