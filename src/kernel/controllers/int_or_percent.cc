#include "kernel/controllers/int_or_percent.h"

#include <algorithm>
#include <charconv>

namespace atl::controllers {
namespace {
constexpr int64_t kLargest = INT32_MAX;  // what the field holds; products of two stay in 64 bits
}

int64_t int_or_percent(const json::Value* value, int64_t total, Rounding rounding,
                       int64_t fallback) {
  if (!value) return fallback;
  if (value->is_number()) {
    const int64_t number = json::int_at(*value, {}, fallback);
    return std::clamp<int64_t>(number, 0, kLargest);
  }
  const json::String* text = value->if_string();
  if (!text) return fallback;
  int64_t number = 0;
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), number);
  if (error != std::errc() || std::string_view(end, text->data() + text->size()) != "%" ||
      number < 0)
    return fallback;
  number = std::min(number, kLargest);
  return rounding == Rounding::kUp ? (number * total + 99) / 100 : number * total / 100;
}

}  // namespace atl::controllers
