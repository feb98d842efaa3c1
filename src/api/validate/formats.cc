#include <arpa/inet.h>

#include <algorithm>
#include <charconv>
#include <string>

#include "api/validate/formats_impl.h"
#include "api/validate/names.h"
#include "base/text/base64.h"

namespace atl::api {
namespace {

bool digit(char c) {
  return c >= '0' && c <= '9';
}
bool hex(char c) {
  return digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}
bool all(std::string_view text, bool (*test)(char)) {
  return std::all_of(text.begin(), text.end(), test);
}

bool address(int family, std::string_view text) {
  unsigned char bytes[16];
  const std::string terminated(text);
  return terminated.find('\0') == terminated.npos &&
         inet_pton(family, terminated.c_str(), bytes) == 1;
}

bool cidr(std::string_view text) {
  const size_t slash = text.find('/');
  if (slash == text.npos) return false;
  const std::string_view bits = text.substr(slash + 1);
  int length = -1;
  const auto [end, ec] = std::from_chars(bits.data(), bits.data() + bits.size(), length);
  if (ec != std::errc() || end != bits.data() + bits.size() || length < 0) return false;
  if (address(AF_INET, text.substr(0, slash))) return length <= 32;
  return address(AF_INET6, text.substr(0, slash)) && length <= 128;
}

// Shape "dddd-dd-dd": d a digit, anything else itself.
bool shaped(std::string_view text, std::string_view shape) {
  if (text.size() != shape.size()) return false;
  for (size_t i = 0; i < text.size(); ++i) {
    if (shape[i] == 'd' ? !digit(text[i]) : text[i] != shape[i]) return false;
  }
  return true;
}

int two(std::string_view text, size_t at) {
  return (text[at] - '0') * 10 + (text[at + 1] - '0');
}

bool date(std::string_view text) {
  if (!shaped(text, "dddd-dd-dd")) return false;
  const int year = two(text, 0) * 100 + two(text, 2), month = two(text, 5), day = two(text, 8);
  static constexpr int kDays[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  if (month < 1 || month > 12 || day < 1) return false;
  const bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
  return day <= kDays[month - 1] + (month == 2 && leap);
}

// RFC 3339: date T time [.fraction] (Z | ±hh:mm)
bool date_time(std::string_view text) {
  if (text.size() < 20 || !date(text.substr(0, 10)) || (text[10] != 'T' && text[10] != 't'))
    return false;
  if (!shaped(text.substr(11, 8), "dd:dd:dd")) return false;
  if (two(text, 11) > 23 || two(text, 14) > 59 || two(text, 17) > 60) return false;
  size_t at = 19;
  if (text[at] == '.') {
    const size_t start = ++at;
    while (at < text.size() && digit(text[at])) ++at;
    if (at == start) return false;
  }
  const std::string_view zone = text.substr(at);
  if (zone == "Z" || zone == "z") return true;
  return zone.size() == 6 && (zone[0] == '+' || zone[0] == '-') &&
         shaped(zone.substr(1), "dd:dd") && two(zone, 1) < 24 && two(zone, 4) < 60;
}

bool uuid(std::string_view text, char version) {
  std::string compact(text);
  if (text.size() == 36) {
    for (const size_t at : {8, 13, 18, 23}) {
      if (text[at] != '-') return false;
    }
    std::erase(compact, '-');
  }
  if (compact.size() != 32 || !all(compact, hex)) return false;
  return version == 0 || compact[12] == version;
}

bool mac(std::string_view text) {
  if (text.size() != 17) return false;
  for (size_t i = 0; i < text.size(); ++i) {
    const bool separator = i % 3 == 2;
    if (separator ? text[i] != text[2] || (text[i] != ':' && text[i] != '-') : !hex(text[i]))
      return false;
  }
  return true;
}

bool hostname(std::string_view text) {
  if (text.empty() || text.size() > 255) return false;
  std::string lower(text);
  std::transform(lower.begin(), lower.end(), lower.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? char(c | 0x20) : c; });
  return dns_subdomain(lower).empty();
}

bool email(std::string_view text) {
  const size_t at = text.rfind('@');
  return at != text.npos && at > 0 && at <= 64 && text.find_first_of(" \t\r\n<>") == text.npos &&
         hostname(text.substr(at + 1));
}

bool uri(std::string_view text) {
  const size_t colon = text.find(':');
  if (text.starts_with('/')) return text.find(' ') == text.npos;
  if (colon == 0 || colon == text.npos || text.find_first_of(" \t\r\n") != text.npos) return false;
  return all(text.substr(0, colon), [](char c) {
    return digit(c) || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') || c == '+' || c == '-' || c == '.';
  });
}

// Go's durations: 1h30m, -1.5s, 300ms; go-openapi also takes "3 days".
bool duration(std::string_view text) {
  if (text.starts_with('-') || text.starts_with('+')) text.remove_prefix(1);
  if (text == "0") return true;
  if (text.empty()) return false;
  while (!text.empty()) {
    const size_t number = text.find_first_not_of("0123456789.");
    if (number == 0 || number == text.npos) return false;
    text.remove_prefix(number);
    while (text.starts_with(' ')) text.remove_prefix(1);
    const size_t unit = std::min(text.find_first_of("0123456789. "), text.size());
    static constexpr std::string_view kUnits[] = {
        "ns",    "us",  "µs",     "ms",      "s",    "m",      "h",       "d",
        "w",     "sec", "second", "seconds", "min",  "minute", "minutes", "hour",
        "hours", "hr",  "day",    "days",    "week", "weeks",  "wk"};
    if (std::find(std::begin(kUnits), std::end(kUnits), text.substr(0, unit)) == std::end(kUnits))
      return false;
    text.remove_prefix(unit);
    while (text.starts_with(' ')) text.remove_prefix(1);
  }
  return true;
}

bool hexcolor(std::string_view text) {
  if (text.starts_with('#')) text.remove_prefix(1);
  return (text.size() == 3 || text.size() == 6) && all(text, hex);
}

bool bson_id(std::string_view text) {
  return text.size() == 24 && all(text, hex);
}

}  // namespace

bool has_format(std::string_view format, std::string_view text) {
  struct Entry {
    std::string_view name;
    bool (*test)(std::string_view);
  };
  static constexpr Entry kFormats[] = {
      {"date", date},
      {"date-time", date_time},
      {"datetime", date_time},
      {"duration", duration},
      {"byte", [](std::string_view t) { return base64_decode(t).has_value(); }},
      {"ipv4", [](std::string_view t) { return address(AF_INET, t); }},
      {"ipv6", [](std::string_view t) { return address(AF_INET6, t); }},
      {"cidr", cidr},
      {"mac", mac},
      {"uuid", [](std::string_view t) { return uuid(t, 0); }},
      {"uuid3", [](std::string_view t) { return uuid(t, '3'); }},
      {"uuid4", [](std::string_view t) { return uuid(t, '4'); }},
      {"uuid5", [](std::string_view t) { return uuid(t, '5'); }},
      {"hostname", hostname},
      {"email", email},
      {"uri", uri},
      {"hexcolor", hexcolor},
      {"bsonobjectid", bson_id},
      {"k8s-short-name", [](std::string_view t) { return dns_label(t).empty(); }},
      {"k8s-long-name", [](std::string_view t) { return dns_subdomain(t).empty(); }},
  };
  for (const Entry& entry : kFormats) {
    if (entry.name == format) return entry.test(text);
  }
  return true;
}

}  // namespace atl::api
