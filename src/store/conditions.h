#pragma once

#include <optional>

#include "store/store.h"

namespace atl::store {

// What a conditional write meets.
struct KeyState {
  bool exists = false;
  Revision created;
  Revision modified;
};

inline constexpr size_t kKeyBytesMax = 2048;
inline constexpr size_t kValueBytesMax = 8 * 1024 * 1024;

// Whether the write may go ahead: the one rule of both engines.
Result<> check_write(const Write& write, const KeyState& state);

// Whether states at `at` can be read while the store stands at `newest`.
Result<> check_revision(Revision at, Revision compacted, Revision newest);

}  // namespace atl::store
