#include <algorithm>

#include "base/net/http.h"

namespace atl::net {

void Headers::add(std::string name, std::string value) {
  items_.emplace_back(std::move(name), std::move(value));
}

void Headers::set(std::string_view name, std::string value) {
  const auto first = std::ranges::find(
      items_, name, [](const auto& item) -> std::string_view { return item.first; });
  if (first == items_.end()) {
    items_.emplace_back(std::string(name), std::move(value));
    return;
  }
  first->second = std::move(value);
  const auto rest =
      std::remove_if(first + 1, items_.end(), [&](const auto& item) { return item.first == name; });
  items_.erase(rest, items_.end());
}

std::string_view Headers::get(std::string_view name) const {
  for (const auto& [field, value] : items_) {
    if (field == name) return value;
  }
  return {};
}

bool Headers::has(std::string_view name) const {
  return std::ranges::any_of(items_, [&](const auto& item) { return item.first == name; });
}

std::vector<std::string_view> Headers::all(std::string_view name) const {
  std::vector<std::string_view> out;
  for (const auto& [field, value] : items_) {
    if (field == name) out.push_back(value);
  }
  return out;
}

}  // namespace atl::net
