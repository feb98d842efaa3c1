// The rules of one version of a CustomResourceDefinition.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <optional>
#include <vector>

#include "base/text/utf8.h"
#include "kernel/apiserver/contract/findings.h"
#include "kernel/apiserver/custom/definition_rules.h"

namespace atl::apiserver {
namespace {

constexpr size_t kSelectableFieldsMax = 8;
constexpr size_t kDeprecationWarningMax = 256;
constexpr std::array<std::string_view, 5> kColumnTypes = {"boolean", "date", "integer", "number",
                                                          "string"};
constexpr std::array<std::string_view, 8> kColumnFormats = {
    "byte", "date", "date-time", "double", "float", "int32", "int64", "password"};

// Control characters and invalid UTF-8 would break the header that carries a warning.
std::optional<std::string> unprintable(std::string_view text) {
  for (size_t i = 0; i < text.size(); ++i) {
    const auto c = uint8_t(text[i]);
    if (c < 0x20 || c == 0x7f) {
      return fmt::format(
          "must only contain printable UTF-8 characters; non-printable character found at index {}",
          i);
    }
  }
  if (valid_utf8(text)) return std::nullopt;
  return "must only contain printable UTF-8 characters";
}

void check_deprecation(const json::Value& version, const std::string& path, api::Findings& out) {
  const json::Value* warning = json::find(version, {"deprecationWarning"});
  if (!warning || !warning->is_string()) return;
  const auto wrong = [&](std::string_view why) {
    out.push_back(invalid_value(under(path, "deprecationWarning"), *warning, why));
  };
  if (!json::bool_at(version, {"deprecated"}))
    return wrong("can only be set for deprecated versions");
  const std::string_view text = warning->get_string();
  if (text.size() > kDeprecationWarningMax)
    wrong(fmt::format("must be <= {} characters long", kDeprecationWarningMax));
  if (text.empty()) wrong("must not be an empty string");
  if (const auto why = unprintable(text)) wrong(*why);
}

void check_column(const json::Value& column, const std::string& path, api::Findings& out) {
  if (json::string_at(column, {"name"}).empty()) out.push_back(required_value(path + ".name"));
  const std::string types = fmt::format("must be one of {}", fmt::join(kColumnTypes, ","));
  const std::string_view type = json::string_at(column, {"type"});
  if (type.empty()) {
    out.push_back(required_value(path + ".type", types));
  } else if (std::ranges::find(kColumnTypes, type) == kColumnTypes.end()) {
    out.push_back(invalid_value(path + ".type", json::Value(type), types));
  }
  const std::string_view format = json::string_at(column, {"format"});
  if (!format.empty() && std::ranges::find(kColumnFormats, format) == kColumnFormats.end()) {
    out.push_back(invalid_value(path + ".format", json::Value(format),
                                fmt::format("must be one of {}", fmt::join(kColumnFormats, ","))));
  }
  const std::string_view json_path = json::string_at(column, {"jsonPath"});
  if (json_path.empty()) {
    out.push_back(required_value(path + ".jsonPath"));
  } else if (!json_path.starts_with('.')) {
    out.push_back(invalid_value(path + ".jsonPath", json::Value(json_path),
                                "must be a simple json path starting with ."));
  }
}

// A replica count of the spec or the status, or the selector of the status: ".spec.replicas".
void check_scale_path(const json::Value& scale, std::string_view field, std::string_view root,
                      const std::string& path, api::Findings& out) {
  const std::string_view value = json::string_at(scale, {field});
  const std::string at_field = fmt::format("{}.subresources.scale.{}", path, field);
  if (value.empty()) return out.push_back(required_value(at_field));
  if (value.starts_with(fmt::format("{}.", root))) return;
  out.push_back(invalid_value(at_field, json::Value(value),
                              fmt::format("should be a json path under {}", root)));
}

void check_scale(const json::Value& version, const std::string& path, api::Findings& out) {
  const json::Value* scale = json::find(version, {"subresources", "scale"});
  if (!scale || !scale->is_object()) return;
  check_scale_path(*scale, "specReplicasPath", ".spec", path, out);
  check_scale_path(*scale, "statusReplicasPath", ".status", path, out);
  const std::string_view selector = json::string_at(*scale, {"labelSelectorPath"});
  if (selector.empty() || selector.starts_with(".status.") || selector.starts_with(".spec."))
    return;
  out.push_back(invalid_value(path + ".subresources.scale.labelSelectorPath", json::Value(selector),
                              "should be a json path under either .status or .spec"));
}

// The schema that ".spec.color" leads to; null where it leads nowhere.
const json::Value* schema_at(const json::Value& root, std::string_view path) {
  const json::Value* schema = &root;
  while (!path.empty()) {
    if (path.front() != '.') return nullptr;
    path.remove_prefix(1);
    const std::string_view name = path.substr(0, path.find('.'));
    schema = json::find(*schema, {"properties", name});
    if (name.empty() || !schema) return nullptr;
    path.remove_prefix(name.size());
  }
  return schema;
}

void check_selectable_field(const json::Value& root, const json::Value& field,
                            const std::string& path, api::Findings& out) {
  const std::string_view json_path = json::string_at(field, {"jsonPath"});
  if (json_path.empty()) return out.push_back(required_value(path));
  const auto wrong = [&](std::string_view why) {
    out.push_back(invalid_value(path, json::Value(json_path), why));
  };
  if (json_path == ".metadata" || json_path.starts_with(".metadata."))
    return wrong("must not point to fields in metadata");
  const json::Value* schema = schema_at(root, json_path);
  if (!schema) return wrong("is an invalid path: does not refer to a valid field");
  const std::string_view type = json::string_at(*schema, {"type"});
  if (type == "string" || type == "boolean" || type == "integer") return;
  wrong(
      "must point to a field of type string, boolean or integer. Enum string fields and strings "
      "with formats are allowed.");
}

void check_selectable_fields(const json::Value& version, const std::string& path,
                             api::Findings& out) {
  const json::Array& fields = json::array_at(version, {"selectableFields"});
  const json::Value* schema = json::find(version, {"schema", "openAPIV3Schema"});
  if (fields.empty() || !schema) return;
  std::vector<std::string_view> seen;
  for (size_t i = 0; i < fields.size(); ++i) {
    const std::string at_field = fmt::format("{}.selectableFields[{}].jsonPath", path, i);
    check_selectable_field(*schema, fields[i], at_field, out);
    const std::string_view json_path = json::string_at(fields[i], {"jsonPath"});
    if (std::ranges::find(seen, json_path) != seen.end()) {
      out.push_back(duplicate_value(at_field, json::Value(json_path)));
    } else {
      seen.push_back(json_path);
    }
  }
  if (seen.size() > kSelectableFieldsMax)
    out.push_back(api::too_many(path + ".selectableFields", seen.size(), kSelectableFieldsMax));
}

}  // namespace

void check_version(const json::Value& version, const std::string& path, api::Findings& out) {
  check_label(path + ".name", json::string_at(version, {"name"}), out);
  if (!json::find(version, {"schema", "openAPIV3Schema"}))
    out.push_back(required_value(path + ".schema.openAPIV3Schema", "schemas are required"));
  check_deprecation(version, path, out);
  check_scale(version, path, out);
  const json::Array& columns = json::array_at(version, {"additionalPrinterColumns"});
  for (size_t i = 0; i < columns.size(); ++i)
    check_column(columns[i], at(path + ".additionalPrinterColumns", i), out);
  check_selectable_fields(version, path, out);
}

}  // namespace atl::apiserver
