#include "api/schema/findings.h"

#include <fmt/format.h>

namespace atl::api {
namespace {

// Values are shown whole, as clients expect, but not without end.
constexpr size_t kShownBytesMax = 10 * 1024;

Cause cause(std::string_view reason, std::string_view text, std::string path,
            std::string_view detail) {
  std::string message(text);
  if (!detail.empty()) message += fmt::format(": {}", detail);
  return {std::string(reason), std::move(message), std::move(path)};
}

Cause with_value(std::string_view reason, std::string_view text, std::string path,
                 const json::Value& value, std::string_view detail) {
  return cause(reason, fmt::format("{}: {}", text, shown(value)), std::move(path), detail);
}

}  // namespace

std::string quoted(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    switch (c) {
      case '"':
        out += "\\\"";
        break;
      case '\\':
        out += "\\\\";
        break;
      case '\n':
        out += "\\n";
        break;
      case '\r':
        out += "\\r";
        break;
      case '\t':
        out += "\\t";
        break;
      default:
        if (uint8_t(c) < 0x20 || c == 0x7f) {
          out += fmt::format("\\x{:02x}", uint8_t(c));
        } else {
          out += c;
        }
    }
  }
  return out + '"';
}

std::string shown(const json::Value& value) {
  std::string text = value.is_string() ? quoted(value.get_string()) : json::serialize(value);
  if (text.size() > kShownBytesMax) {
    size_t end = kShownBytesMax;
    while (end > 0 && (uint8_t(text[end]) & 0xc0) == 0x80) --end;  // between characters
    text.resize(end);
    text += "...";
  }
  return text;
}

Cause required_value(std::string path, std::string_view detail) {
  return cause("FieldValueRequired", "Required value", std::move(path), detail);
}

Cause invalid_value(std::string path, const json::Value& value, std::string_view detail) {
  return with_value("FieldValueInvalid", "Invalid value", std::move(path), value, detail);
}

Cause wrong_type(std::string path, const json::Value& value, std::string_view detail) {
  return with_value("FieldValueTypeInvalid", "Invalid value", std::move(path), value, detail);
}

Cause duplicate_value(std::string path, const json::Value& value) {
  return with_value("FieldValueDuplicate", "Duplicate value", std::move(path), value, {});
}

Cause unsupported_value(std::string path, const json::Value& value,
                        std::span<const std::string> supported) {
  std::string list;
  for (const std::string& one : supported)
    list += (list.empty() ? "supported values: " : ", ") + quoted(one);
  return with_value("FieldValueNotSupported", "Unsupported value", std::move(path), value, list);
}

Cause forbidden_value(std::string path, std::string_view detail) {
  return cause("FieldValueForbidden", "Forbidden", std::move(path), detail);
}

Cause not_found_value(std::string path, const json::Value& value) {
  return with_value("FieldValueNotFound", "Not found", std::move(path), value, {});
}

Cause too_long(std::string path, uint64_t max_bytes) {
  return cause("FieldValueTooLong", "Too long", std::move(path),
               fmt::format("may not be more than {} byte{}", max_bytes, max_bytes == 1 ? "" : "s"));
}

Cause too_many(std::string path, uint64_t actual, uint64_t max) {
  return cause("FieldValueTooMany", fmt::format("Too many: {}", actual), std::move(path),
               fmt::format("must have at most {} item{}", max, max == 1 ? "" : "s"));
}

Cause immutable_value(std::string path, const json::Value& value) {
  return invalid_value(std::move(path), value, "field is immutable");
}

}  // namespace atl::api
