#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "api/schema/findings.h"
#include "api/schema/pattern.h"
#include "api/schema/structural_impl.h"

// What makes a schema structural: each value has a type that is known without looking into anyOf,
// oneOf, allOf or not, so that pruning and defaulting never guess. Rules and words are those of
// apiextensions.k8s.io/v1.
namespace atl::api {
namespace {

using Findings = std::vector<Cause>;

enum class Level : uint8_t { kRoot, kItem, kField };

struct Context {
  Level level = Level::kRoot;
  bool inside_metadata = false;
  std::string_view no_defaults;  // why a default is forbidden here; empty: it is not
};

const json::Value* member(const json::Object& schema, std::string_view key) {
  return schema.if_contains(key);
}

std::string text_of(const json::Object& schema, std::string_view key) {
  const json::Value* value = member(schema, key);
  return value && value->is_string() ? std::string(value->get_string()) : std::string();
}

bool is_true(const json::Object& schema, std::string_view key) {
  const json::Value* value = member(schema, key);
  return value && value->is_bool() && value->get_bool();
}

const json::Object& object_of(const json::Object& schema, std::string_view key) {
  static const json::Object kEmpty;
  const json::Value* value = member(schema, key);
  return value && value->is_object() ? value->get_object() : kEmpty;
}

const json::Array& array_of(const json::Object& schema, std::string_view key) {
  static const json::Array kEmpty;
  const json::Value* value = member(schema, key);
  return value && value->is_array() ? value->get_array() : kEmpty;
}

json::Value text_value(std::string_view text) {
  return json::Value(json::String(text));
}

std::string key_path(std::string_view path, std::string_view key) {
  return fmt::format("{}.properties[{}]", path, key);
}

bool has_line_break(std::string_view text) {
  return text.find_first_of("\r\n") != text.npos;
}

std::string_view trimmed(std::string_view text) {
  const size_t start = text.find_first_not_of(" \t\r\n");
  if (start == text.npos) return {};
  return text.substr(start, text.find_last_not_of(" \t\r\n") - start + 1);
}

// anyOf of exactly {type: integer} and {type: string}: how int-or-string schemas are spelled for
// other tools.
bool integer_or_string(const json::Array& branches) {
  static const json::Value kPattern = {{{"type", "integer"}}, {{"type", "string"}}};
  return json::equal(json::Value(branches), kPattern);
}

class Rules {
 public:
  Findings release() {
    const auto text = [](const Cause& cause) { return cause.field + ": " + cause.message; };
    std::sort(out_.begin(), out_.end(),
              [&](const Cause& a, const Cause& b) { return text(a) < text(b); });
    return std::move(out_);
  }

  void schema(const json::Value& value, const std::string& path, const Context& context) {
    if (!value.is_object()) return add(wrong_type(path, value, "must be a schema object"));
    const json::Object& node = value.get_object();
    unsupported(node, path, context);
    lists_and_maps(node, path);
    map_keys(node, path);
    validations(node, path);
    types(node, path, context);
    metadata_rules(node, path, context);
    children(node, path, context);
    branches(node, path, /*nested=*/false);
    complete(node, &node, path, path);
    pattern(node, path);
  }

 private:
  void add(Cause cause) {
    if (out_.size() < 256) out_.push_back(std::move(cause));
  }

  void unsupported(const json::Object& node, const std::string& path, const Context& context) {
    for (const std::string_view key :
         {"id", "additionalItems", "patternProperties", "definitions", "dependencies", "$ref"}) {
      if (member(node, key))
        add(forbidden_value(fmt::format("{}.{}", path, key),
                            fmt::format("{} is not supported", key)));
    }
    static const std::vector<std::string> kTypes = {"array",  "boolean", "integer",
                                                    "number", "object",  "string"};
    const std::string type = text_of(node, "type");
    if (type == "null") {
      add(forbidden_value(path + ".type",
                          "type cannot be set to null, use nullable as an alternative"));
    } else if (!type.empty() && std::find(kTypes.begin(), kTypes.end(), type) == kTypes.end()) {
      add(unsupported_value(path + ".type", text_value(type), kTypes));
    } else if (const json::Value* given = member(node, "type"); given && !given->is_string()) {
      add(wrong_type(path + ".type", *given, "must be a string"));
    }
    if (member(node, "default") && !context.no_defaults.empty()) {
      add(forbidden_value(path + ".default",
                          fmt::format("must not be set {}", context.no_defaults)));
    }
    if (is_true(node, "uniqueItems")) {
      add(forbidden_value(
          path + ".uniqueItems",
          "uniqueItems cannot be set to true since the runtime complexity becomes quadratic"));
    }
    if (const json::Value* items = member(node, "items"); items && items->is_array()) {
      add(forbidden_value(path + ".items", "items must be a schema object and not an array"));
    }
    if (context.inside_metadata && is_true(node, "x-kubernetes-embedded-resource")) {
      add(forbidden_value(path + ".x-kubernetes-embedded-resource",
                          "must not be used inside of resource meta"));
    }
  }

  void lists_and_maps(const json::Object& node, const std::string& path) {
    const std::string type = text_of(node, "type");
    if (const json::Value* keep = member(node, "x-kubernetes-preserve-unknown-fields");
        keep && keep->is_bool() && !keep->get_bool()) {
      add(invalid_value(path + ".x-kubernetes-preserve-unknown-fields", *keep,
                        "must be true or undefined"));
    }
    merge_type(node, path, "x-kubernetes-map-type", "object", {"atomic", "granular"});
    merge_type(node, path, "x-kubernetes-list-type", "array", {"atomic", "set", "map"});
    if (text_of(node, "x-kubernetes-list-type") != "set" || type != "array") return;
    const json::Object& items = object_of(node, "items");
    const std::string item_type = text_of(items, "type");
    const std::string complaint =
        "must be atomic as item of a list with x-kubernetes-list-type=set";
    const std::string list = text_of(items, "x-kubernetes-list-type");
    if (item_type == "array" && !list.empty() && list != "atomic") {
      add(invalid_value(path + ".items.x-kubernetes-list-type", text_value(list), complaint));
    }
    if (item_type == "object" && text_of(items, "x-kubernetes-map-type") != "atomic") {
      add(invalid_value(path + ".items.x-kubernetes-map-type", json::Value(), complaint));
    }
  }

  void merge_type(const json::Object& node, const std::string& path, const std::string& key,
                  std::string_view needs, const std::vector<std::string>& allowed) {
    const json::Value* given = member(node, key);
    if (!given) return;
    const std::string type = text_of(node, "type");
    const std::string complaint = fmt::format("must be {} if {} is specified", needs, key);
    if (type.empty())
      add(required_value(path + ".type", complaint));
    else if (type != needs)
      add(invalid_value(path + ".type", text_value(type), complaint));
    if (!given->is_string() || std::find(allowed.begin(), allowed.end(),
                                         std::string_view(given->get_string())) == allowed.end()) {
      add(unsupported_value(fmt::format("{}.{}", path, key), *given, allowed));
    }
  }

  void map_keys(const json::Object& node, const std::string& path) {
    const std::string keys_path = path + ".x-kubernetes-list-map-keys";
    const json::Array& keys = array_of(node, "x-kubernetes-list-map-keys");
    const std::string list = text_of(node, "x-kubernetes-list-type");
    if (!keys.empty() && list != "map") {
      const std::string complaint = "must be map if x-kubernetes-list-map-keys is non-empty";
      if (list.empty())
        add(required_value(path + ".x-kubernetes-list-type", complaint));
      else
        add(invalid_value(path + ".x-kubernetes-list-type", text_value(list), complaint));
    }
    if (list != "map") return;
    if (keys.empty())
      add(required_value(keys_path, "must not be empty if x-kubernetes-list-type is map"));
    if (!member(node, "items"))
      return add(
          required_value(path + ".items", "must have a schema if x-kubernetes-list-type is map"));
    const json::Object& items = object_of(node, "items");
    if (text_of(items, "type") != "object") {
      return add(invalid_value(path + ".items.type", text_value(text_of(items, "type")),
                               "must be object if parent array's x-kubernetes-list-type is map"));
    }
    map_key_fields(keys, items, path, keys_path);
  }

  void map_key_fields(const json::Array& keys, const json::Object& items, const std::string& path,
                      const std::string& keys_path) {
    std::set<std::string> seen;
    const json::Object& properties = object_of(items, "properties");
    const json::Array& required = array_of(items, "required");
    for (const json::Value& key : keys) {
      const std::string name = key.is_string() ? std::string(key.get_string()) : std::string();
      const json::Value* property = properties.if_contains(name);
      if (!property || !property->is_object()) {
        add(invalid_value(keys_path, json::Value(keys),
                          "entries must all be names of item properties"));
        continue;
      }
      const std::string type = text_of(property->get_object(), "type");
      const std::string property_path = key_path(path + ".items", name);
      if (type == "array" || type == "object") {
        add(invalid_value(property_path + ".type", text_value(type),
                          "must be a scalar type if parent array's x-kubernetes-list-type is map"));
      }
      if (std::find(required.begin(), required.end(), key) == required.end() &&
          !member(property->get_object(), "default")) {
        add(required_value(property_path + ".default",
                           "this property is in x-kubernetes-list-map-keys, so it must have a "
                           "default or be a required property"));
      }
      if (!seen.insert(name).second)
        add(invalid_value(keys_path, json::Value(keys), "must not contain duplicate entries"));
    }
  }

  void validations(const json::Object& node, const std::string& path) {
    const json::Array& rules = array_of(node, "x-kubernetes-validations");
    for (size_t i = 0; i < rules.size(); ++i) {
      const std::string at = fmt::format("{}.x-kubernetes-validations[{}]", path, i);
      if (!rules[i].is_object()) {
        add(wrong_type(at, rules[i], "must be an object"));
        continue;
      }
      validation(rules[i].get_object(), at);
    }
  }

  void validation(const json::Object& rule, const std::string& at) {
    const std::string text = text_of(rule, "rule"), message = text_of(rule, "message");
    if (trimmed(text).empty())
      add(required_value(at + ".rule", "rule is not specified"));
    else if (!message.empty() && trimmed(message).empty())
      add(invalid_value(at + ".message", text_value(message), "must be non-empty if specified"));
    else if (has_line_break(trimmed(message)))
      add(invalid_value(at + ".message", text_value(message), "must not contain line breaks"));
    else if (has_line_break(trimmed(text)) && message.empty())
      add(required_value(at + ".message",
                         "message must be specified if rule contains line breaks"));
    const std::string expression = text_of(rule, "messageExpression");
    if (!expression.empty() && trimmed(expression).empty()) {
      add(required_value(at + ".messageExpression",
                         "messageExpression must be non-empty if specified"));
    }
    static const std::vector<std::string> kReasons = {"FieldValueDuplicate", "FieldValueForbidden",
                                                      "FieldValueInvalid", "FieldValueRequired"};
    const json::Value* reason = member(rule, "reason");
    if (reason &&
        std::find(kReasons.begin(), kReasons.end(), text_of(rule, "reason")) == kReasons.end()) {
      add(unsupported_value(at + ".reason", *reason, kReasons));
    }
    const std::string field = text_of(rule, "fieldPath");
    if (!field.empty() && trimmed(field).empty())
      add(invalid_value(at + ".fieldPath", text_value(field), "must be non-empty if specified"));
    if (has_line_break(field))
      add(invalid_value(at + ".fieldPath", text_value(field), "must not contain line breaks"));
  }

  void types(const json::Object& node, const std::string& path, const Context& context) {
    const std::string type = text_of(node, "type");
    const bool embedded = is_true(node, "x-kubernetes-embedded-resource");
    const bool free = is_true(node, "x-kubernetes-preserve-unknown-fields");
    const bool either = is_true(node, "x-kubernetes-int-or-string");
    if (either && free)
      add(invalid_value(path + ".x-kubernetes-preserve-unknown-fields", true,
                        "must be false if x-kubernetes-int-or-string is true"));
    if (either && embedded)
      add(invalid_value(path + ".x-kubernetes-embedded-resource", true,
                        "must be false if x-kubernetes-int-or-string is true"));
    if (embedded && type != "object") {
      const std::string complaint = "must be object if x-kubernetes-embedded-resource is true";
      if (type.empty())
        add(required_value(path + ".type", complaint));
      else
        add(invalid_value(path + ".type", text_value(type), complaint));
    } else if (type.empty() && !either && !free) {
      const std::string_view where = context.level == Level::kRoot ? "at the root"
                                     : context.level == Level::kItem
                                         ? "for specified array items"
                                         : "for specified object fields";
      add(required_value(path + ".type", fmt::format("must not be empty {}", where)));
    }
    if (context.level == Level::kRoot && !type.empty() && type != "object") {
      add(invalid_value(path + ".type", text_value(type), "must be object at the root"));
    }
    if (type == "array" && !member(node, "items"))
      add(required_value(path + ".items", "must be specified"));
    if (embedded && member(node, "additionalProperties")) {
      add(forbidden_value(path + ".additionalProperties",
                          "must not be used if x-kubernetes-embedded-resource is set"));
    }
    if (embedded && !free && object_of(node, "properties").empty()) {
      add(required_value(path + ".properties",
                         "must not be empty if x-kubernetes-embedded-resource is true without "
                         "x-kubernetes-preserve-unknown-fields"));
    }
  }

  void metadata_rules(const json::Object& node, const std::string& path, const Context& context) {
    if (context.level != Level::kRoot && !is_true(node, "x-kubernetes-embedded-resource")) return;
    const json::Object& properties = object_of(node, "properties");
    for (const std::string_view name : {"kind", "apiVersion"}) {
      const json::Object& property = object_of(properties, name);
      if (properties.contains(name) && text_of(property, "type") != "string") {
        add(invalid_value(key_path(path, name) + ".type", text_value(text_of(property, "type")),
                          "must be string"));
      }
    }
    if (!properties.contains("metadata")) return;
    const json::Object& metadata = object_of(properties, "metadata");
    const std::string at = key_path(path, "metadata");
    if (text_of(metadata, "type") != "object")
      add(invalid_value(at + ".type", text_value(text_of(metadata, "type")), "must be object"));
    if (context.level != Level::kRoot) return;
    const bool only_names = std::all_of(metadata.begin(), metadata.end(), [](const auto& pair) {
      return pair.key() == "type" || pair.key() == "description" || pair.key() == "properties" ||
             pair.key() == "required";
    });
    const json::Object& inner = object_of(metadata, "properties");
    const bool only_inner = std::all_of(inner.begin(), inner.end(), [](const auto& pair) {
      return pair.key() == "name" || pair.key() == "generateName";
    });
    if (!only_names || !only_inner) {
      add(forbidden_value(at,
                          "must not specify anything other than name and generateName, but "
                          "metadata is implicitly specified"));
    }
  }

  void children(const json::Object& node, const std::string& path, const Context& context) {
    const json::Object& properties = object_of(node, "properties");
    const bool resource =
        context.level == Level::kRoot || is_true(node, "x-kubernetes-embedded-resource");
    for (const auto& pair : properties) {
      Context inner = context;
      inner.level = Level::kField;
      if (resource &&
          (pair.key() == "metadata" || pair.key() == "apiVersion" || pair.key() == "kind")) {
        inner.inside_metadata = true;
        if (context.level == Level::kRoot)
          inner.no_defaults =
              pair.key() == "metadata" ? "in top-level metadata" : "in top-level type fields";
      }
      schema(pair.value(), key_path(path, pair.key()), inner);
    }
    if (const json::Value* items = member(node, "items"); items && !items->is_array()) {
      Context inner = context;
      inner.level = Level::kItem;
      schema(*items, path + ".items", inner);
    }
    additional(node, path, context);
  }

  void additional(const json::Object& node, const std::string& path, const Context& context) {
    const json::Value* values = member(node, "additionalProperties");
    if (!values) return;
    const std::string at = path + ".additionalProperties";
    if (context.level == Level::kRoot) add(forbidden_value(at, "must not be used at the root"));
    const bool refuses = values->is_bool() && !values->get_bool();
    if (!object_of(node, "properties").empty() && (refuses || values->is_object())) {
      add(forbidden_value(at, "additionalProperties and properties are mutual exclusive"));
    }
    if (refuses) add(forbidden_value(at, "additionalProperties cannot be set to false"));
    if (values->is_bool()) return;
    Context inner = context;
    inner.level = Level::kField;
    if (context.inside_metadata)
      inner.no_defaults = "inside additionalProperties applying to object metadata";
    schema(*values, at, inner);
  }

  // anyOf, oneOf, allOf and not only narrow values down.
  void branches(const json::Object& node, const std::string& path, bool nested) {
    const bool either = !nested && is_true(node, "x-kubernetes-int-or-string");
    for (const std::string_view key : {"anyOf", "oneOf", "allOf"}) {
      const json::Array& list = array_of(node, key);
      if (either && key == "anyOf" && integer_or_string(list)) continue;
      for (size_t i = 0; i < list.size(); ++i) {
        if (either && key == "allOf" && i == 0 && list[0].is_object() &&
            integer_or_string(array_of(list[0].get_object(), "anyOf")))
          continue;
        branch(list[i], fmt::format("{}.{}[{}]", path, key, i));
      }
    }
    if (const json::Value* negated = member(node, "not")) branch(*negated, path + ".not");
  }

  void branch(const json::Value& value, const std::string& path) {
    if (!value.is_object()) return add(wrong_type(path, value, "must be a schema object"));
    const json::Object& node = value.get_object();
    static constexpr std::pair<std::string_view, std::string_view> kForbidden[] = {
        {"type", "empty"},
        {"additionalProperties", "undefined"},
        {"default", "undefined"},
        {"title", "empty"},
        {"description", "empty"},
        {"nullable", "false"},
        {"x-kubernetes-preserve-unknown-fields", "false"},
        {"x-kubernetes-embedded-resource", "false"},
        {"x-kubernetes-int-or-string", "false"},
        {"x-kubernetes-list-map-keys", "empty"},
        {"x-kubernetes-list-type", "undefined"},
        {"x-kubernetes-map-type", "undefined"},
        {"x-kubernetes-validations", "empty"}};
    for (const auto& [key, wanted] : kForbidden) {
      const json::Value* given = member(node, key);
      if (!given ||
          (wanted != "undefined" && (*given == json::Value(false) || *given == json::Value(""))))
        continue;
      add(forbidden_value(fmt::format("{}.{}", path, key),
                          fmt::format("must be {} to be structural", wanted)));
    }
    if (object_of(node, "properties").contains("metadata")) {
      add(forbidden_value(key_path(path, "metadata"), "must not be specified in a nested context"));
    }
    branches(node, path, /*nested=*/true);
    pattern(node, path);
    if (const json::Value* items = member(node, "items")) branch(*items, path + ".items");
    for (const auto& pair : object_of(node, "properties"))
      branch(pair.value(), key_path(path, pair.key()));
  }

  // Whatever a branch talks about is specified outside of it as well.
  void complete(const json::Object& node, const json::Object* structure, const std::string& at,
                const std::string& path) {
    for (const std::string_view key : {"allOf", "anyOf", "oneOf"}) {
      const json::Array& list = array_of(node, key);
      for (size_t i = 0; i < list.size(); ++i)
        complete_branch(list[i], structure, at, fmt::format("{}.{}[{}]", path, key, i));
    }
    if (const json::Value* negated = member(node, "not"))
      complete_branch(*negated, structure, at, path + ".not");
  }

  void complete_branch(const json::Value& value, const json::Object* structure,
                       const std::string& at, const std::string& path) {
    if (!value.is_object()) return;
    if (!structure)
      return add(required_value(at, fmt::format("because it is defined in {}", path)));
    const json::Object& node = value.get_object();
    complete(node, structure, at, path);
    if (const json::Value* items = member(node, "items")) {
      const json::Value* found = member(*structure, "items");
      complete_branch(*items, found && found->is_object() ? &found->get_object() : nullptr,
                      at + ".items", path + ".items");
    }
    for (const auto& pair : object_of(node, "properties")) {
      const json::Value* found = object_of(*structure, "properties").if_contains(pair.key());
      complete_branch(pair.value(), found && found->is_object() ? &found->get_object() : nullptr,
                      key_path(at, pair.key()), key_path(path, pair.key()));
    }
  }

  void pattern(const json::Object& node, const std::string& path) {
    const std::string expression = text_of(node, "pattern");
    if (expression.empty()) return;
    const auto compiled = Pattern::compile(expression);
    if (!compiled) {
      add(invalid_value(path + ".pattern", text_value(expression),
                        fmt::format("must be a valid regular expression, but isn't: {}",
                                    compiled.error().message())));
    }
  }

  Findings out_;
};

}  // namespace

std::vector<Cause> structural_findings(const json::Value& open_api_v3, std::string_view path) {
  Rules rules;
  rules.schema(open_api_v3, std::string(path), {});
  return rules.release();
}

}  // namespace atl::api
