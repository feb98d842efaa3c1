#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "base/text/jsonpath_impl.h"

namespace atl {
namespace {

constexpr size_t kDepthMax = 16;  // filters inside filters

class Parser {
 public:
  Parser(std::string_view& rest, std::string_view whole, size_t depth)
      : rest_(rest), whole_(whole), depth_(depth) {}

  Result<JsonPath::Steps> steps() {
    if (depth_ > kDepthMax) return fail("filters are nested too deeply");
    std::vector<JsonPath::Step> out;
    if (next_is('$') || next_is('@'))
      rest_.remove_prefix(1);
    else if (!next_is('.') && !next_is('['))
      TRY_OK(field(out));
    for (;;) {
      if (rest_.starts_with("..")) {
        rest_.remove_prefix(2);
        out.push_back({.kind = JsonPath::Step::Kind::kRecursive});
        if (!next_is('[')) TRY_OK(field(out));
      } else if (next_is('.')) {
        rest_.remove_prefix(1);
        if (at_name()) TRY_OK(field(out));
      } else if (next_is('[')) {
        TRY_OK(bracket(out));
      } else {
        return out;
      }
    }
  }

 private:
  using Step = JsonPath::Step;

  Error fail(std::string_view what) const {
    return Error(Code::kInvalid, fmt::format("JSONPath: {} at byte {} of \"{}\"", what,
                                             rest_.data() - whole_.data(), whole_.substr(0, 200)));
  }

  bool next_is(char c) const { return !rest_.empty() && rest_.front() == c; }
  bool at_name() const {
    return !rest_.empty() &&
           std::string_view(".[]}{()=!<>, ").find(rest_.front()) == std::string_view::npos;
  }
  void spaces() {
    while (next_is(' ')) rest_.remove_prefix(1);
  }

  // A name after a dot; "\." is a dot within it.
  Result<> field(std::vector<Step>& out) {
    if (next_is('*')) {
      rest_.remove_prefix(1);
      out.push_back({.kind = Step::Kind::kAll});
      return Unit{};
    }
    std::string name;
    while (at_name() || (next_is('\\') && rest_.size() > 1)) {
      if (next_is('\\') && rest_.size() > 1) rest_.remove_prefix(1);
      name += rest_.front();
      rest_.remove_prefix(1);
    }
    if (name.empty()) return fail("a name is expected");
    out.push_back({.names = {std::move(name)}});
    return Unit{};
  }

  Result<> bracket(std::vector<Step>& out) {
    rest_.remove_prefix(1);
    spaces();
    if (rest_.starts_with("?(")) {
      TRY_OK(filter(out));
    } else if (next_is('*')) {
      rest_.remove_prefix(1);
      out.push_back({.kind = Step::Kind::kAll});
    } else if (next_is('\'') || next_is('"')) {
      TRY_OK(names(out));
    } else {
      TRY_OK(numbers(out));
    }
    spaces();
    if (!next_is(']')) return fail("] is expected");
    rest_.remove_prefix(1);
    return Unit{};
  }

  Result<> names(std::vector<Step>& out) {
    Step step;
    for (;;) {
      TRY(std::string name, parse_quoted(rest_, whole_));
      step.names.push_back(std::move(name));
      spaces();
      if (!next_is(',')) break;
      rest_.remove_prefix(1);
      spaces();
      if (!next_is('\'') && !next_is('"')) return fail("a quoted name is expected");
    }
    out.push_back(std::move(step));
    return Unit{};
  }

  std::optional<int64_t> number() {
    int64_t value = 0;
    const auto [end, ec] = std::from_chars(rest_.data(), rest_.data() + rest_.size(), value);
    if (ec != std::errc()) return std::nullopt;
    rest_.remove_prefix(size_t(end - rest_.data()));
    return value;
  }

  // 1 or 0,2 or 1:3 or :: with a step.
  Result<> numbers(std::vector<Step>& out) {
    Step step{.kind = Step::Kind::kIndices};
    const auto first = number();
    if (next_is(':')) {
      step.kind = Step::Kind::kSlice;
      step.from = first;
      rest_.remove_prefix(1);
      step.to = number();
      if (next_is(':')) {
        rest_.remove_prefix(1);
        step.step = number();
      }
      if (step.step && *step.step <= 0) return fail("the step of a slice must be positive");
    } else {
      if (!first) return fail("a number, a quoted name, *, or ?( is expected");
      step.indices.push_back(*first);
      while (next_is(',')) {
        rest_.remove_prefix(1);
        spaces();
        const auto more = number();
        if (!more) return fail("a number is expected");
        step.indices.push_back(*more);
      }
    }
    out.push_back(std::move(step));
    return Unit{};
  }

  // ?(@.a) or ?(@.a == "b")
  Result<> filter(std::vector<Step>& out) {
    rest_.remove_prefix(2);
    Step step{.kind = Step::Kind::kFilter};
    spaces();
    TRY(step.left, operand());
    spaces();
    if (!next_is(')')) {
      TRY(step.compare, comparison());
      spaces();
      TRY(step.right, operand());
      spaces();
    }
    if (!next_is(')')) return fail(") is expected");
    rest_.remove_prefix(1);
    out.push_back(std::move(step));
    return Unit{};
  }

  Result<Compare> comparison() {
    static constexpr std::pair<std::string_view, Compare> kSigns[] = {
        {"==", Compare::kEqual},          {"!=", Compare::kNotEqual}, {"<=", Compare::kLessOrEqual},
        {">=", Compare::kGreaterOrEqual}, {"<", Compare::kLess},      {">", Compare::kGreater}};
    for (const auto& [sign, compare] : kSigns) {
      if (!rest_.starts_with(sign)) continue;
      rest_.remove_prefix(sign.size());
      return compare;
    }
    return fail("one of == != < <= > >= is expected");
  }

  Result<Operand> operand() {
    Operand out;
    if (next_is('\'') || next_is('"')) {
      TRY(const std::string text, parse_quoted(rest_, whole_));
      out.literal = json::String(text);
      return out;
    }
    if (next_is('@') || next_is('$') || next_is('.')) {
      TRY(JsonPath::Steps inner, Parser(rest_, whole_, depth_ + 1).steps());
      out.path.emplace(std::make_shared<const JsonPath::Steps>(std::move(inner)));
      return out;
    }
    const size_t end = std::min(rest_.find_first_of(" )=!<>"), rest_.size());
    const auto literal = json::parse(rest_.substr(0, end));
    if (!literal || literal->is_structured())
      return fail("a path, a quoted text, a number, true or false is expected");
    out.literal = *literal;
    rest_.remove_prefix(end);
    return out;
  }

  std::string_view& rest_;
  std::string_view whole_;
  size_t depth_;
};

}  // namespace

Result<JsonPath> parse_path(std::string_view& rest, std::string_view whole) {
  TRY(JsonPath::Steps steps, Parser(rest, whole, 0).steps());
  return JsonPath(std::make_shared<const JsonPath::Steps>(std::move(steps)));
}

Result<JsonPath> JsonPath::parse(std::string_view expression) {
  if (expression.size() > kBytesMax)
    return Error(Code::kInvalid, fmt::format("JSONPath: more than {} bytes", kBytesMax));
  std::string_view rest = expression;
  if (rest.starts_with('{') && rest.ends_with('}')) {
    rest.remove_prefix(1);
    rest.remove_suffix(1);
  }
  TRY(JsonPath path, parse_path(rest, expression));
  if (!rest.empty()) {
    return Error(Code::kInvalid,
                 fmt::format("JSONPath: unexpected \"{}\" at byte {} of \"{}\"", rest.substr(0, 20),
                             rest.data() - expression.data(), expression.substr(0, 200)));
  }
  return path;
}

Result<std::string> parse_quoted(std::string_view& rest, std::string_view whole) {
  const char quote = rest.front();
  std::string out;
  for (size_t i = 1; i < rest.size(); ++i) {
    char c = rest[i];
    if (c == quote) {
      rest.remove_prefix(i + 1);
      return out;
    }
    if (c == '\\' && i + 1 < rest.size()) {
      c = rest[++i];
      c = c == 'n' ? '\n' : c == 't' ? '\t' : c == 'r' ? '\r' : c;
    }
    out += c;
  }
  return Error(Code::kInvalid, fmt::format("JSONPath: a quoted text is not closed in \"{}\"",
                                           whole.substr(0, 200)));
}

}  // namespace atl
