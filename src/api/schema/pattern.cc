#include "api/schema/pattern.h"

#include <re2/re2.h>

namespace atl::api {

struct Pattern::Impl {
  RE2 expression;
};

Pattern::Pattern(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Pattern::~Pattern() = default;

Result<std::shared_ptr<const Pattern>> Pattern::compile(const std::string& expression) {
  RE2::Options options;
  options.set_log_errors(false);
  options.set_max_mem(1 << 20);
  auto impl = std::unique_ptr<Impl>(new Impl{RE2(expression, options)});
  if (!impl->expression.ok()) return Error(Code::kInvalid, impl->expression.error());
  return std::shared_ptr<const Pattern>(new Pattern(std::move(impl)));
}

bool Pattern::matches(std::string_view text) const {
  return RE2::PartialMatch(re2::StringPiece(text.data(), text.size()), impl_->expression);
}

}  // namespace atl::api
