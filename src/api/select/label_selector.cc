#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <optional>

#include "api/select/select.h"

namespace atl::api {
namespace {

std::optional<int64_t> to_integer(std::string_view text) {
  if (text.size() > 1 && text[0] == '+') text.remove_prefix(1);
  int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

const std::string* find_label(const Labels& labels, std::string_view key) {
  const auto it =
      std::lower_bound(labels.begin(), labels.end(), key,
                       [](const auto& pair, std::string_view k) { return pair.first < k; });
  return it != labels.end() && it->first == key ? &it->second : nullptr;
}

std::string invalid_value(std::string_view path, std::string_view value, std::string_view problem) {
  return fmt::format("{}: Invalid value: \"{}\": {}", path, value, problem);
}

// One problem stands alone, several in brackets.
Error refuse(const std::vector<std::string>& problems) {
  if (problems.size() == 1) return Error(Code::kBadRequest, problems[0]);
  return Error(Code::kBadRequest, fmt::format("[{}]", fmt::join(problems, ", ")));
}

}  // namespace

bool LabelSelector::Term::matches(const Labels& labels) const {
  const std::string* have = find_label(labels, key);
  switch (op) {
    case Op::kIn:
      return have && std::binary_search(values.begin(), values.end(), *have);
    case Op::kNotIn:
      return !have || !std::binary_search(values.begin(), values.end(), *have);
    case Op::kExists:
      return have != nullptr;
    case Op::kAbsent:
      return have == nullptr;
    case Op::kGreater:
    case Op::kLess: {
      const auto left = have ? to_integer(*have) : std::nullopt;
      const auto right = to_integer(values[0]);  // make_term checked it
      if (!left || !right) return false;
      return op == Op::kGreater ? *left > *right : *left < *right;
    }
  }
  return false;
}

bool LabelSelector::matches(const Labels& labels) const {
  return !nothing_ && std::all_of(terms_.begin(), terms_.end(),
                                  [&](const Term& t) { return t.matches(labels); });
}

void LabelSelector::sort() {
  std::sort(terms_.begin(), terms_.end());
}

Result<LabelSelector::Term> LabelSelector::make_term(std::string key, Op op,
                                                     std::vector<std::string> values) {
  std::vector<std::string> problems;
  if (std::string problem = label_key_problem(key); !problem.empty()) {
    problems.push_back(invalid_value("key", key, problem));
  }
  const bool set = op == Op::kIn || op == Op::kNotIn;
  const bool order = op == Op::kGreater || op == Op::kLess;
  if (set && values.empty()) {
    problems.push_back(
        "values: Invalid value: []: for 'in', 'notin' operators, values set can't be empty");
  } else if (!set && !order && !values.empty()) {
    problems.push_back(fmt::format(
        "values: Invalid value: [\"{}\"]: values set must be empty for exists and does not exist",
        fmt::join(values, "\",\"")));
  } else if (order && (values.size() != 1 || !to_integer(values[0]))) {
    problems.push_back(invalid_value("values[0]", values.empty() ? "" : values[0],
                                     "for 'Gt', 'Lt' operators, the value must be an integer"));
  }
  for (size_t i = 0; i < values.size(); ++i) {
    const std::string problem = label_value_problem(values[i]);
    if (!problem.empty())
      problems.push_back(invalid_value(fmt::format("values[{}][{}]", i, key), values[i], problem));
    if (problems.size() > 16) break;  // enough to mend the selector
  }
  if (!problems.empty()) return refuse(problems);
  std::sort(values.begin(), values.end());
  values.erase(std::unique(values.begin(), values.end()), values.end());
  return Term{std::move(key), op, std::move(values)};
}

// The grammar of a URL's labelSelector: terms joined by commas, white space between tokens. The
// words `in` and `notin` are operators only where an operator may stand.
class LabelSelectorParser {
 public:
  explicit LabelSelectorParser(std::string_view text) : rest_(text) { scan(); }

  Result<LabelSelector> run() {
    LabelSelector selector;
    while (token_.type != Type::kEnd) {
      if (token_.type != Type::kWord && token_.type != Type::kNot) {
        return expected("!, identifier, or 'end of string'");
      }
      auto term = parse_term();
      if (!term) return std::move(term).error().during("unable to parse requirement");
      selector.terms_.push_back(*std::move(term));
      if (token_.type == Type::kEnd) break;
      if (token_.type != Type::kComma) return expected("',' or 'end of string'");
      scan();
      if (token_.type != Type::kWord && token_.type != Type::kNot)
        return expected("identifier after ','");
    }
    selector.sort();
    return selector;
  }

 private:
  using Op = LabelSelector::Op;
  enum class Type : uint8_t {
    kEnd,
    kWord,
    kComma,
    kOpen,
    kClose,
    kNot,
    kEqual,
    kNotEqual,
    kGreater,
    kLess,
    kBad
  };
  struct Token {
    Type type = Type::kEnd;
    std::string_view text;
  };
  using Values = std::vector<std::string>;

  static bool is_space(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }
  static bool is_symbol(char c) {
    return std::string_view("=!(),><").find(c) != std::string_view::npos;
  }

  void scan() {
    while (!rest_.empty() && is_space(rest_.front())) rest_.remove_prefix(1);
    size_t size = 0;
    Type type = Type::kWord;
    if (rest_.empty()) {
      type = Type::kEnd;
    } else if (is_symbol(rest_.front())) {
      std::tie(type, size) = symbol();
    } else {
      while (size < rest_.size() && !is_space(rest_[size]) && !is_symbol(rest_[size])) ++size;
    }
    token_ = {type, rest_.substr(0, size)};
    rest_.remove_prefix(size);
  }

  std::pair<Type, size_t> symbol() const {
    const bool then_equal = rest_.size() > 1 && rest_[1] == '=';
    switch (rest_.front()) {
      case ',':
        return {Type::kComma, 1};
      case '(':
        return {Type::kOpen, 1};
      case ')':
        return {Type::kClose, 1};
      case '>':
        return {Type::kGreater, 1};
      case '<':
        return {Type::kLess, 1};
      case '=':
        return {Type::kEqual, then_equal ? 2 : 1};
      case '!':
        return then_equal ? std::pair{Type::kNotEqual, size_t(2)}
                          : std::pair{Type::kNot, size_t(1)};
      default:
        return {Type::kBad, 1};
    }
  }

  Error expected(std::string_view what) const {
    return Error(Code::kBadRequest,
                 fmt::format("found '{}', expected: {}", token_.text.substr(0, 80), what));
  }

  Result<LabelSelector::Term> parse_term() {
    const bool negated = token_.type == Type::kNot;
    if (negated) scan();
    if (token_.type != Type::kWord) return expected("identifier");
    std::string key(token_.text);
    if (std::string problem = label_key_problem(key); !problem.empty()) {
      return Error(Code::kBadRequest, invalid_value("<nil>", key, problem));
    }
    scan();
    if (negated) return LabelSelector::make_term(std::move(key), Op::kAbsent, {});
    if (token_.type == Type::kEnd || token_.type == Type::kComma) {
      return LabelSelector::make_term(std::move(key), Op::kExists, {});
    }
    TRY(const Op op, parse_operator());
    TRY(Values values, set_ ? parse_values() : parse_exact_value());
    return LabelSelector::make_term(std::move(key), op, std::move(values));
  }

  Result<Op> parse_operator() {
    set_ = token_.type == Type::kWord;
    Op op = Op::kIn;
    if (token_.type == Type::kEqual || token_.text == "in") {
      op = Op::kIn;
    } else if (token_.type == Type::kNotEqual || token_.text == "notin") {
      op = Op::kNotIn;
    } else if (token_.type == Type::kGreater) {
      op = Op::kGreater;
    } else if (token_.type == Type::kLess) {
      op = Op::kLess;
    } else {
      return expected("in, notin, =, ==, !=, gt, lt");
    }
    scan();
    return op;
  }

  Result<Values> parse_exact_value() {
    if (token_.type == Type::kEnd || token_.type == Type::kComma) return Values{""};
    if (token_.type != Type::kWord) return expected("identifier");
    Values values{std::string(token_.text)};
    scan();
    return values;
  }

  // "(a,b)": an empty place between commas or brackets is the empty value.
  Result<Values> parse_values() {
    if (token_.type != Type::kOpen) {
      return Error(Code::kBadRequest,
                   fmt::format("found '{}' expected: '('", token_.text.substr(0, 80)));
    }
    scan();
    Values values;
    while (true) {
      if (token_.type == Type::kWord) {
        values.emplace_back(token_.text);
        scan();
        if (token_.type != Type::kComma && token_.type != Type::kClose)
          return expected("',' or ')'");
      } else if (token_.type == Type::kComma || token_.type == Type::kClose) {
        values.emplace_back();
      } else {
        return expected("',', ')' or identifier");
      }
      const bool done = token_.type == Type::kClose;
      scan();
      if (done) return values;
    }
  }

  std::string_view rest_;
  Token token_;
  bool set_ = false;
};

Result<LabelSelector> LabelSelector::parse(std::string_view text) {
  if (text.size() > kSelectorBytesMax) {
    return Error(Code::kBadRequest,
                 fmt::format("the label selector has {} bytes, at most {} are allowed", text.size(),
                             kSelectorBytesMax));
  }
  return LabelSelectorParser(text).run();
}

Result<LabelSelector::Term> LabelSelector::term_of_expression(const json::Value& expression) {
  const std::string_view word = json::string_at(expression, {"operator"});
  Op op = Op::kIn;
  if (word == "In") {
    op = Op::kIn;
  } else if (word == "NotIn") {
    op = Op::kNotIn;
  } else if (word == "Exists") {
    op = Op::kExists;
  } else if (word == "DoesNotExist") {
    op = Op::kAbsent;
  } else {
    return Error(Code::kBadRequest,
                 fmt::format("\"{}\" is not a valid label selector operator", word));
  }
  std::vector<std::string> values;
  for (const json::Value& value : json::array_at(expression, {"values"})) {
    if (!value.is_string())
      return Error(Code::kBadRequest, "matchExpressions: values must be strings");
    values.emplace_back(value.get_string());
  }
  return make_term(std::string(json::string_at(expression, {"key"})), op, std::move(values));
}

Result<LabelSelector> LabelSelector::from_document(const json::Value& value) {
  LabelSelector selector;
  selector.nothing_ = value.is_null();
  if (selector.nothing_) return selector;
  if (!value.is_object()) return Error(Code::kBadRequest, "a label selector must be an object");
  for (const auto& [key, wanted] : json::object_at(value, {"matchLabels"})) {
    if (!wanted.is_string()) return Error(Code::kBadRequest, "matchLabels: values must be strings");
    TRY(Term term, make_term(std::string(key), Op::kIn, {std::string(wanted.get_string())}));
    selector.terms_.push_back(std::move(term));
  }
  for (const json::Value& expression : json::array_at(value, {"matchExpressions"})) {
    TRY(Term term, term_of_expression(expression));
    selector.terms_.push_back(std::move(term));
  }
  selector.sort();
  return selector;
}

LabelSelector LabelSelector::from_map(const json::Object& map) {
  LabelSelector selector;
  for (const auto& [key, value] : map) {
    const json::String* text = value.if_string();
    selector.terms_.push_back(
        {std::string(key), Op::kIn, {text ? std::string(*text) : std::string()}});
  }
  selector.sort();
  return selector;
}

std::string LabelSelector::text() const {
  std::string out;
  for (const Term& term : terms_) {
    if (!out.empty()) out += ',';
    const bool one = term.values.size() == 1;
    switch (term.op) {
      case Op::kExists:
        out += term.key;
        break;
      case Op::kAbsent:
        out += "!" + term.key;
        break;
      case Op::kGreater:
        out += term.key + ">" + term.values[0];
        break;
      case Op::kLess:
        out += term.key + "<" + term.values[0];
        break;
      case Op::kIn:
      case Op::kNotIn:
        out += term.key;
        if (one) {
          out += (term.op == Op::kIn ? "=" : "!=") + term.values[0];
        } else {
          out += fmt::format(" {} ({})", term.op == Op::kIn ? "in" : "notin",
                             fmt::join(term.values, ","));
        }
        break;
    }
  }
  return out;
}

}  // namespace atl::api
