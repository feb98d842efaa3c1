#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/core/result.h"

namespace atl::api {

// A compiled regular expression (RE2: time linear in the text). Immutable, shared by schemas.
class Pattern {
 public:
  // kInvalid with RE2's words; an expression may use at most 1 MiB.
  static Result<std::shared_ptr<const Pattern>> compile(const std::string& expression);
  ~Pattern();
  // Whether the expression matches anywhere in the text.
  bool matches(std::string_view text) const;

 private:
  struct Impl;
  explicit Pattern(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace atl::api
