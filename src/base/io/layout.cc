#include "base/io/layout.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <fstream>
#include <iterator>
#include <sstream>

namespace atl::io {
namespace {

// FNV-1a: only to tell instances apart by name.
uint32_t hash(std::string_view text) {
  uint32_t h = 2166136261u;
  for (const char c : text) h = (h ^ uint8_t(c)) * 16777619u;
  return h;
}

std::string_view trimmed(std::string_view text) {
  const auto first = text.find_first_not_of(" \t\r");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t\r") - first + 1);
}

}  // namespace

Layout Layout::of(std::string_view home) {
  if (home.empty())
    return {"", "atoll", "/etc/atoll", "/var/lib/atoll", "/run/atoll", "/usr/local/lib/atoll"};
  const std::string h(home.size() > 1 && home.ends_with('/') ? home.substr(0, home.size() - 1)
                                                             : home);
  return {h,          fmt::format("atoll-{:06x}", hash(h) & 0xffffff),
          h + "/etc", h + "/data",
          h + "/run", h + "/lib"};
}

Result<Config> Config::load(const std::string& file) {
  std::ifstream in(file);
  if (!in) return Error(Code::kNotFound, file + " cannot be read; ./up writes it");
  auto config =
      parse(std::string((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>()));
  if (!config) return std::move(config).error().during(file);
  return config;
}

Result<Config> Config::parse(std::string_view text) {
  Config config;
  size_t number = 0;
  while (!text.empty()) {
    ++number;
    const size_t end = text.find('\n');
    const std::string_view line = trimmed(text.substr(0, end));
    text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
    if (line.empty() || line[0] == '#') continue;
    const size_t equals = line.find('=');
    if (equals == 0 || equals == std::string_view::npos) {
      return Error(Code::kInvalid, fmt::format("line {}: must be KEY=value", number));
    }
    config.values_[std::string(trimmed(line.substr(0, equals)))] = trimmed(line.substr(equals + 1));
  }
  return config;
}

std::string Config::get(std::string_view key, std::string_view fallback) const {
  const auto it = values_.find(key);
  return it == values_.end() ? std::string(fallback) : it->second;
}

Result<std::string> Config::require(std::string_view key) const {
  std::string value = get(key);
  if (value.empty()) return Error(Code::kInvalid, std::string(key) + " is not set in atoll.conf");
  return value;
}

Result<std::vector<std::string>> Config::addresses(std::string_view key) const {
  std::string text = get(key);
  std::replace(text.begin(), text.end(), ',', ' ');
  std::istringstream words(text);
  std::vector<std::string> out;
  for (std::string word; words >> word;) {
    in6_addr address{};
    if (::inet_pton(AF_INET, word.c_str(), &address) != 1 &&
        ::inet_pton(AF_INET6, word.c_str(), &address) != 1) {
      return Error(Code::kInvalid,
                   fmt::format("{} in atoll.conf: {} is not an IP address", key, word));
    }
    if (std::find(out.begin(), out.end(), word) == out.end()) out.push_back(std::move(word));
  }
  return out;
}

Result<uint16_t> Config::port(std::string_view key) const {
  TRY(const std::string text, require(key));
  uint32_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value == 0 || value > 65535) {
    return Error(Code::kInvalid, fmt::format("{}={} in atoll.conf is not a port", key, text));
  }
  return uint16_t(value);
}

}  // namespace atl::io
