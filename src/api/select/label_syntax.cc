#include <fmt/format.h>

#include <algorithm>

#include "api/select/select.h"

// Label keys: [DNS subdomain "/"] name; names and values: up to 63 of [A-Za-z0-9_.-] with
// alphanumeric ends.
namespace atl::api {
namespace {

constexpr size_t kNameMax = 63;
constexpr size_t kPrefixMax = 253;

constexpr std::string_view kKeyRule =
    "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an "
    "alphanumeric character "
    "(e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is "
    "'([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')";
constexpr std::string_view kValueRule =
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', "
    "and must start and "
    "end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used "
    "for validation is "
    "'(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')";
constexpr std::string_view kPrefixRule =
    "prefix part a lowercase RFC 1123 subdomain must consist of lower case alphanumeric "
    "characters, '-' or '.', and "
    "must start and end with an alphanumeric character (e.g. 'example.com', regex used for "
    "validation is "
    "'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";

bool is_lower_or_digit(char c) {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}
bool is_alphanumeric(char c) {
  return is_lower_or_digit(c) || (c >= 'A' && c <= 'Z');
}

bool is_name(std::string_view text) {
  return !text.empty() && is_alphanumeric(text.front()) && is_alphanumeric(text.back()) &&
         std::all_of(text.begin(), text.end(),
                     [](char c) { return is_alphanumeric(c) || c == '-' || c == '_' || c == '.'; });
}

bool is_subdomain(std::string_view text) {
  while (true) {
    const size_t dot = text.find('.');
    const std::string_view part = text.substr(0, dot);
    const bool good = !part.empty() && is_lower_or_digit(part.front()) &&
                      is_lower_or_digit(part.back()) &&
                      std::all_of(part.begin(), part.end(),
                                  [](char c) { return is_lower_or_digit(c) || c == '-'; });
    if (!good) return false;
    if (dot == std::string_view::npos) return true;
    text.remove_prefix(dot + 1);
  }
}

void add(std::string& problems, std::string_view problem) {
  if (!problems.empty()) problems += "; ";
  problems += problem;
}

}  // namespace

std::string label_key_problem(std::string_view key) {
  std::string problems;
  const size_t slash = key.find('/');
  std::string_view name = key;
  if (slash != std::string_view::npos) {
    const std::string_view prefix = key.substr(0, slash);
    name = key.substr(slash + 1);
    if (name.find('/') != std::string_view::npos) {
      return fmt::format(
          "a valid label key {} with an optional DNS subdomain prefix and '/' (e.g. "
          "'example.com/MyName')",
          kKeyRule);
    }
    if (prefix.empty()) {
      add(problems, "prefix part must be non-empty");
    } else {
      if (prefix.size() > kPrefixMax) add(problems, "prefix part must be no more than 253 bytes");
      if (!is_subdomain(prefix)) add(problems, kPrefixRule);
    }
  }
  if (name.empty()) {
    add(problems, "name part must be non-empty");
  } else if (name.size() > kNameMax) {
    add(problems, "name part must be no more than 63 bytes");
  }
  if (!is_name(name)) add(problems, fmt::format("name part {}", kKeyRule));
  return problems;
}

std::string label_value_problem(std::string_view value) {
  std::string problems;
  if (value.size() > kNameMax) add(problems, "must be no more than 63 bytes");
  if (!value.empty() && !is_name(value)) add(problems, kValueRule);
  return problems;
}

}  // namespace atl::api
