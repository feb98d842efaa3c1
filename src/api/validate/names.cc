#include "api/validate/names.h"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <algorithm>
#include <initializer_list>

namespace atl::api {
namespace {

bool lower(char c) {
  return c >= 'a' && c <= 'z';
}
bool upper(char c) {
  return c >= 'A' && c <= 'Z';
}
bool digit(char c) {
  return c >= '0' && c <= '9';
}
bool lower_or_digit(char c) {
  return lower(c) || digit(c);
}
bool alphanumeric(char c) {
  return lower(c) || upper(c) || digit(c);
}

// [a-z0-9]([-a-z0-9]*[a-z0-9])?
bool is_label(std::string_view text) {
  return !text.empty() && lower_or_digit(text.front()) && lower_or_digit(text.back()) &&
         std::all_of(text.begin(), text.end(),
                     [](char c) { return lower_or_digit(c) || c == '-'; });
}

bool is_subdomain(std::string_view text) {
  for (;;) {
    const size_t dot = text.find('.');
    if (!is_label(text.substr(0, dot))) return false;
    if (dot == text.npos) return true;
    text.remove_prefix(dot + 1);
  }
}

// ([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]
bool is_name_part(std::string_view text) {
  return !text.empty() && alphanumeric(text.front()) && alphanumeric(text.back()) &&
         std::all_of(text.begin(), text.end(),
                     [](char c) { return alphanumeric(c) || c == '-' || c == '_' || c == '.'; });
}

Complaints ip_address(std::string_view text) {
  unsigned char bytes[16];
  char canonical[INET6_ADDRSTRLEN];
  const std::string terminated(text);
  for (const int family : {AF_INET, AF_INET6}) {
    if (inet_pton(family, terminated.c_str(), bytes) != 1 || terminated.size() != text.size())
      continue;
    inet_ntop(family, bytes, canonical, sizeof canonical);
    if (text == canonical) return {};
    return {fmt::format("must be in canonical form (\"{}\")", canonical)};
  }
  return {"must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"};
}

std::string too_long_text(size_t max) {
  return fmt::format("must be no more than {} bytes", max);
}

std::string form(std::string_view what, std::string_view expression,
                 std::initializer_list<std::string_view> examples) {
  std::string out = fmt::format("{} (e.g. ", what);
  bool first = true;
  for (const std::string_view example : examples) {
    out += fmt::format("{}'{}', ", first ? "" : " or ", example);
    first = false;
  }
  return out + fmt::format("regex used for validation is '{}')", expression);
}

constexpr std::string_view kLabelForm = "[a-z0-9]([-a-z0-9]*[a-z0-9])?";
constexpr std::string_view kSubdomainForm =
    "[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*";
constexpr std::string_view kNameForm = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]";

std::string name_part_form() {
  return form(
      "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an "
      "alphanumeric character",
      kNameForm, {"MyName", "my.name", "123-abc"});
}

}  // namespace

Complaints dns_subdomain(std::string_view text) {
  Complaints out;
  if (text.size() > 253) out.push_back(too_long_text(253));
  if (!is_subdomain(text)) {
    out.push_back(
        form("a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, "
             "'-' or '.', "
             "and must start and end with an alphanumeric character",
             kSubdomainForm, {"example.com"}));
  }
  return out;
}

Complaints dns_label(std::string_view text) {
  Complaints out;
  if (text.size() > 63) out.push_back(too_long_text(63));
  if (is_label(text)) return out;
  if (is_subdomain(text)) {
    out.push_back("must not contain dots");
  } else {
    out.push_back(
        form("a lowercase RFC 1123 label must consist of lower case alphanumeric characters or "
             "'-', and must "
             "start and end with an alphanumeric character",
             kLabelForm, {"my-name", "123-abc"}));
  }
  return out;
}

Complaints dns_1035_label(std::string_view text) {
  Complaints out;
  if (text.size() > 63) out.push_back(too_long_text(63));
  if (!is_label(text) || !lower(text.front())) {
    out.push_back(form(
        "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an "
        "alphabetic character, and end with an alphanumeric character",
        "[a-z]([-a-z0-9]*[a-z0-9])?", {"my-name", "abc-123"}));
  }
  return out;
}

Complaints path_segment(std::string_view text) {
  if (text == "." || text == "..") return {fmt::format("may not be '{}'", text)};
  return path_segment_prefix(text);
}

Complaints path_segment_prefix(std::string_view text) {
  Complaints out;
  for (const char c : {'/', '%'}) {
    if (text.find(c) != text.npos) out.push_back(fmt::format("may not contain '{}'", c));
  }
  return out;
}

Complaints label_key(std::string_view text) {
  Complaints out;
  const size_t slash = text.find('/');
  std::string_view name = text;
  if (slash != text.npos) {
    const std::string_view prefix = text.substr(0, slash);
    name = text.substr(slash + 1);
    if (name.find('/') != name.npos) {
      return {"a valid label key " + name_part_form() +
              " with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')"};
    }
    if (prefix.empty())
      out.push_back("prefix part must be non-empty");
    else
      for (const std::string& complaint : dns_subdomain(prefix))
        out.push_back("prefix part " + complaint);
  }
  if (name.empty())
    out.push_back("name part must be non-empty");
  else if (name.size() > 63)
    out.push_back("name part " + too_long_text(63));
  if (!is_name_part(name)) out.push_back("name part " + name_part_form());
  return out;
}

Complaints label_value(std::string_view text) {
  Complaints out;
  if (text.size() > 63) out.push_back(too_long_text(63));
  if (!text.empty() && !is_name_part(text)) {
    out.push_back(
        form("a valid label must be an empty string or consist of alphanumeric characters, '-', "
             "'_' or '.', and "
             "must start and end with an alphanumeric character",
             "(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?", {"MyValue", "my_value", "12345"}));
  }
  return out;
}

Complaints config_map_key(std::string_view text) {
  Complaints out;
  if (text.size() > 253) out.push_back(too_long_text(253));
  const bool fits = !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return alphanumeric(c) || c == '-' || c == '_' || c == '.';
  });
  if (!fits) {
    out.push_back(
        form("a valid config key must consist of alphanumeric characters, '-', '_' or '.'",
             "[-._a-zA-Z0-9]+", {"key.name", "KEY_NAME", "key-name"}));
  }
  if (text == ".")
    out.push_back("must not be '.'");
  else if (text == "..")
    out.push_back("must not be '..'");
  else if (text.starts_with(".."))
    out.push_back("must not start with '..'");
  return out;
}

Complaints environment_name(std::string_view text) {
  if (text.empty()) return {"environment variable name must be non-empty"};
  const bool fits = std::all_of(text.begin(), text.end(),
                                [](char c) { return c >= ' ' && c <= '~' && c != '='; });
  if (fits) return {};
  return {
      "a valid environment variable name must consist only of printable ASCII characters other "
      "than '='"};
}

Complaints port_name(std::string_view text) {
  Complaints out;
  if (text.size() > 15) out.push_back(too_long_text(15));
  if (!std::all_of(text.begin(), text.end(),
                   [](char c) { return lower_or_digit(c) || c == '-'; }) ||
      text.empty()) {
    out.push_back("must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)");
  }
  if (std::none_of(text.begin(), text.end(), lower))
    out.push_back("must contain at least one letter (a-z)");
  if (text.find("--") != text.npos) out.push_back("must not contain consecutive hyphens");
  if (text.starts_with('-') || text.ends_with('-'))
    out.push_back("must not begin or end with a hyphen");
  return out;
}

Complaints object_name(NameRule rule, std::string_view name, NamePart part) {
  std::string masked(name);
  // A dash at the end of a prefix is fine: something follows.
  if (part == NamePart::kPrefix && name.size() > 1 && name.back() == '-') {
    masked.resize(masked.size() - 2);
    masked += 'a';
  }
  switch (rule) {
    case NameRule::kSubdomain:
      return dns_subdomain(masked);
    case NameRule::kLabel:
      return dns_label(masked);
    case NameRule::kPathSegment:
      return part == NamePart::kPrefix ? path_segment_prefix(name) : path_segment(name);
    case NameRule::kIp:
      return ip_address(name);
    case NameRule::kAny:
      return {};
  }
  return {};
}

}  // namespace atl::api
