#include "kernel/apiserver/contract/findings.h"

#include <fmt/format.h>

#include <vector>

namespace atl::apiserver {

Cause unsupported_value(std::string path, const json::Value& value,
                        std::initializer_list<std::string_view> supported) {
  const std::vector<std::string> list(supported.begin(), supported.end());
  return api::unsupported_value(std::move(path), value, list);
}

std::string at(std::string_view path, size_t index) {
  return fmt::format("{}[{}]", path, index);
}
std::string at(std::string_view path, std::string_view key) {
  return fmt::format("{}[{}]", path, key);
}
std::string under(std::string_view path, std::string_view field) {
  return path.empty() ? std::string(field) : fmt::format("{}.{}", path, field);
}

void check_text(api::Findings& out, std::string path, std::string_view text,
                api::Complaints (*rule)(std::string_view)) {
  if (text.empty()) return;
  for (const std::string& why : rule(text))
    out.push_back(invalid_value(path, json::Value(text), why));
}

}  // namespace atl::apiserver
