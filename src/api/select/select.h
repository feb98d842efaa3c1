#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "api/object/object.h"
#include "base/core/result.h"

// Selectors of lists and watches. Errors are kBadRequest in the words that clients of Kubernetes
// know. A selector's text may have kSelectorBytesMax bytes; matching costs O(terms · log labels).
namespace atl::api {

inline constexpr size_t kSelectorBytesMax = 1 << 20;

// "app=web,tier in (a,b),!old,age>3". Value type.
class LabelSelector {
 public:
  static Result<LabelSelector> parse(std::string_view text);  // as in a URL
  // {matchLabels, matchExpressions}. Like the field's own rule, null selects nothing and {}
  // everything.
  static Result<LabelSelector> from_document(const json::Value& value);
  // A plain map (Service.spec.selector). Empty selects everything; values are not checked.
  static LabelSelector from_map(const json::Object& map);
  bool matches(const Labels& labels) const;
  bool everything() const { return terms_.empty() && !nothing_; }
  bool nothing() const { return nothing_; }
  // Canonical: terms by key, values sorted. Parses back to an equal selector unless it is
  // nothing().
  std::string text() const;
  bool operator==(const LabelSelector&) const = default;

 private:
  friend class LabelSelectorParser;
  enum class Op : uint8_t { kIn, kNotIn, kExists, kAbsent, kGreater, kLess };
  struct Term {
    std::string key;
    Op op;
    std::vector<std::string> values;  // sorted, no duplicates
    auto operator<=>(const Term&) const = default;
    bool matches(const Labels& labels) const;
  };
  static Result<Term> make_term(std::string key, Op op, std::vector<std::string> values);
  static Result<Term> term_of_expression(const json::Value& expression);
  void sort();

  std::vector<Term> terms_;
  bool nothing_ = false;
};

// "metadata.name=a,status.phase!=Failed"; "\\", "\," and "\=" stand for themselves. Value type.
class FieldSelector {
 public:
  struct Term {
    std::string field;
    std::string value;
    bool equal = true;
    bool operator==(const Term&) const = default;
  };
  FieldSelector() = default;
  explicit FieldSelector(std::vector<Term> terms) : terms_(std::move(terms)) {}
  static Result<FieldSelector> parse(std::string_view text);
  bool everything() const { return terms_.empty(); }
  const std::vector<Term>& terms() const { return terms_; }
  // The value that `field` must have, null where any will do: a list by name reads one object.
  const std::string* exact(std::string_view field) const;
  // `value_of` gives a field's value as text, "" where it is missing.
  bool matches(const std::function<std::string(const std::string& field)>& value_of) const;

 private:
  std::vector<Term> terms_;
};

// The value of "spec.nodeName" in a document as selectors compare it: text as it is, numbers and
// booleans printed, "" where missing. Knows the few fields whose name is not their place (Event's
// `source`, Job's `status.successful`) and those whose zero value is compared though absent.
std::string field_text(const json::Value& document, std::string_view field);

// What is wrong with a label's key or value, in the field's words; empty where it is good.
std::string label_key_problem(std::string_view key);
std::string label_value_problem(std::string_view value);

}  // namespace atl::api
