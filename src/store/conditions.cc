#include "store/conditions.h"

#include <fmt/format.h>

namespace atl::store {

Result<> check_write(const Write& write, const KeyState& state) {
  if (write.key.empty() || write.key.size() > kKeyBytesMax ||
      write.key.find('\0') != std::string::npos) {
    return Error(Code::kInvalid, fmt::format("a key has 1 to {} bytes and no NUL", kKeyBytesMax));
  }
  if (write.value && write.value->size() > kValueBytesMax) {
    return Error(Code::kTooLarge, fmt::format("the value has {} bytes, at most {} are stored",
                                              write.value->size(), kValueBytesMax));
  }
  if (!write.value && !state.exists) return Error(Code::kNotFound, write.key + " does not exist");
  if (!write.expected) return Unit{};
  if (!*write.expected) {
    if (state.exists) return Error(Code::kExists, write.key + " exists");
    return Unit{};
  }
  if (!state.exists) return Error(Code::kNotFound, write.key + " does not exist");
  if (state.modified != *write.expected) {
    return Error(Code::kConflict, fmt::format("{} is at revision {}, not {}", write.key,
                                              state.modified.value, write.expected->value));
  }
  return Unit{};
}

Result<> check_revision(Revision at, Revision compacted, Revision newest) {
  if (at > newest) {
    return Error(Code::kInvalid, fmt::format("revision {} is in the future, the newest is {}",
                                             at.value, newest.value));
  }
  if (at < compacted) {
    return Error(Code::kGone, fmt::format("revision {} is compacted, the oldest is {}", at.value,
                                          compacted.value));
  }
  return Unit{};
}

}  // namespace atl::store
