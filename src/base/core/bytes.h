#pragma once

#include <memory>
#include <string>
#include <string_view>

namespace atl {

// Immutable bytes shared by cache entries, watch events and responses: one buffer, N writes.
using SharedBytes = std::shared_ptr<const std::string>;

inline SharedBytes share(std::string bytes) {
  return std::make_shared<const std::string>(std::move(bytes));
}

}  // namespace atl
