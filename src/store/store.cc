#include "store/store.h"

namespace atl::store {

std::string prefix_end(std::string_view prefix) {
  std::string end(prefix);
  while (!end.empty() && uint8_t(end.back()) == 0xff) end.pop_back();
  if (!end.empty()) end.back() = char(uint8_t(end.back()) + 1);
  return end;
}

}  // namespace atl::store
