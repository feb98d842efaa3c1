#pragma once

#include <optional>

#include "base/text/jsonpath.h"

namespace atl {

enum class Compare : uint8_t {
  kExists,
  kEqual,
  kNotEqual,
  kLess,
  kLessOrEqual,
  kGreater,
  kGreaterOrEqual
};

// One side of a comparison: a path from the item, or a literal.
struct Operand {
  std::optional<JsonPath> path;
  json::Value literal;
};

struct JsonPath::Step {
  enum class Kind : uint8_t {
    kField,
    kAll,
    kRecursive,
    kIndices,
    kSlice,
    kFilter
  } kind = Kind::kField;
  std::vector<std::string> names;         // of kField: several are a union
  std::vector<int64_t> indices;           // of kIndices
  std::optional<int64_t> from, to, step;  // of kSlice
  Operand left, right;                    // of kFilter
  Compare compare = Compare::kExists;
};

// The path at the front of `rest`, up to where it ends; `rest` keeps what follows. Positions in
// messages count from `whole`.
Result<JsonPath> parse_path(std::string_view& rest, std::string_view whole);
// A quoted text at the front of `rest`, with \n, \t, \", \' and \\ resolved.
Result<std::string> parse_quoted(std::string_view& rest, std::string_view whole);

}  // namespace atl
