#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <optional>

#include "base/text/base64.h"
#include "base/text/utf8.h"
#include "base/text/yaml_scalar_impl.h"

namespace atl::yaml {
namespace {

constexpr std::string_view kTag = "tag:yaml.org,2002:";

bool one_of(std::string_view text, std::initializer_list<std::string_view> words) {
  return std::find(words.begin(), words.end(), text) != words.end();
}

std::optional<bool> boolean(std::string_view text) {
  if (one_of(text, {"y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON"}))
    return true;
  if (one_of(text, {"n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF"}))
    return false;
  return std::nullopt;
}

bool null(std::string_view text) {
  return one_of(text, {"", "~", "null", "Null", "NULL"});
}

bool infinite(std::string_view text) {
  if (text.starts_with('-') || text.starts_with('+')) text.remove_prefix(1);
  return one_of(text, {".nan", ".NaN", ".NAN", ".inf", ".Inf", ".INF"});
}

// Digits of one base with a sign: 12, -0x1f, 0b101, 0o17, 017.
std::optional<json::Value> integer(std::string_view text) {
  const bool negative = text.starts_with('-');
  if (negative || text.starts_with('+')) text.remove_prefix(1);
  int base = 10;
  if (text.size() > 1 && text[0] == '0') {
    const char mark = char(text[1] | 0x20);
    base = mark == 'x' ? 16 : mark == 'b' ? 2 : 8;
    text.remove_prefix(mark == 'x' || mark == 'b' || mark == 'o' ? 2 : 1);
  }
  uint64_t number = 0;
  const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), number, base);
  if (text.empty() || ec != std::errc() || end != text.data() + text.size()) return std::nullopt;
  if (negative) {
    if (number > uint64_t(INT64_MAX) + 1) return std::nullopt;
    return json::Value(int64_t(0 - number));
  }
  return number <= uint64_t(INT64_MAX) ? json::Value(int64_t(number)) : json::Value(number);
}

// [-+]? (.digits | digits [. digits*]) [exponent]
bool decimal(std::string_view text) {
  size_t at = 0;
  const auto digits = [&] {
    const size_t start = at;
    while (at < text.size() && text[at] >= '0' && text[at] <= '9') ++at;
    return at > start;
  };
  const auto is = [&](std::string_view set) {
    return at < text.size() && set.find(text[at]) != set.npos;
  };
  if (is("+-")) ++at;
  const bool whole = digits();
  if (is(".")) {
    ++at;
    if (!digits() && !whole) return false;
  } else if (!whole) {
    return false;
  }
  if (is("eE")) {
    ++at;
    if (is("+-")) ++at;
    if (!digits()) return false;
  }
  return at == text.size();
}

std::optional<double> floating(std::string_view text) {
  if (!decimal(text)) return std::nullopt;
  if (text.starts_with('+')) text.remove_prefix(1);
  double number = 0;
  const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (ec != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

// YAML is turned into JSON, where 1.0 is written 1.
json::Value shortest(double number) {
  constexpr double kIntegersTo = 9.2e18;
  if (std::floor(number) == number && std::fabs(number) < kIntegersTo) return int64_t(number);
  return number;
}

Error mismatch(std::string_view text, std::string_view tag) {
  return Error(Code::kBadRequest,
               fmt::format("cannot decode `{}` as a !!{}", text.substr(0, 64), tag));
}

}  // namespace

Result<json::Value> resolve_plain(std::string_view text) {
  if (null(text)) return json::Value();
  if (const auto flag = boolean(text)) return json::Value(*flag);
  if (infinite(text)) return Error(Code::kBadRequest, fmt::format("JSON has no number {}", text));
  const char first = text.front();
  if ((first >= '0' && first <= '9') || first == '+' || first == '-') {
    std::string plain(text);
    std::erase(plain, '_');
    if (auto number = integer(plain)) return *std::move(number);
    if (const auto number = floating(plain)) return shortest(*number);
  } else if (first == '.') {
    if (const auto number = floating(text)) return json::Value(*number);
  }
  return json::Value(json::String(text));
}

Result<json::Value> resolve_tagged(std::string_view tag, std::string_view text) {
  if (!tag.starts_with(kTag))
    return Error(Code::kBadRequest, fmt::format("unknown tag {}", tag.substr(0, 64)));
  const std::string_view name = tag.substr(kTag.size());
  if (name == "str") return json::Value(json::String(text));
  if (name == "binary") {
    std::string compact(text);
    std::erase_if(compact, [](char c) { return c == '\n' || c == '\r' || c == ' '; });
    const auto bytes = base64_decode(compact);
    if (!bytes) return Error(Code::kBadRequest, "!!binary value contains invalid base64 data");
    if (!valid_utf8(*bytes))
      return Error(Code::kBadRequest, "!!binary value is no text, which is all that JSON can hold");
    return json::Value(json::String(*bytes));
  }
  if (name != "null" && name != "bool" && name != "int" && name != "float" && name != "timestamp") {
    return Error(Code::kBadRequest, fmt::format("unknown tag !!{}", name.substr(0, 64)));
  }
  if (name == "timestamp") return json::Value(json::String(text));
  TRY(json::Value value, resolve_plain(text));
  if (name == "null" && value.is_null()) return value;
  if (name == "bool" && value.is_bool()) return value;
  if (name == "int" && (value.is_int64() || value.is_uint64())) return value;
  if (name == "float" && value.is_number()) return json::Value(value.to_number<double>());
  return mismatch(text, name);
}

Result<std::string> key_text(const json::Value& key) {
  if (key.is_string()) return std::string(key.get_string());
  if (key.is_null() || key.is_structured())
    return Error(Code::kBadRequest, "a key must be a string, a number or a boolean");
  return json::serialize(key);
}

}  // namespace atl::yaml
