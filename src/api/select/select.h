#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "api/object/object.h"
#include "base/core/result.h"

namespace atl::api {

// "app=web,tier in (a,b),!old". Value type.
class LabelSelector {
 public:
  static Result<LabelSelector> parse(std::string_view text);              // as in a URL
  static Result<LabelSelector> from_document(const json::Value& value);   // matchLabels, matchExpressions
  // A plain map (Service.spec.selector).
  static LabelSelector from_map(const json::Object& map);
  bool matches(const Labels& labels) const;
  bool everything() const { return terms_.empty(); }
  std::string text() const;

 private:
  enum class Op : uint8_t { kIn, kNotIn, kExists, kAbsent, kGreater, kLess };
  struct Term {
    std::string key;
    Op op;
    std::vector<std::string> values;
  };
  std::vector<Term> terms_;
};

// "metadata.name=a,status.phase!=Failed". Value type.
class FieldSelector {
 public:
  struct Term {
    std::string field;
    std::string value;
    bool equal = true;
  };
  static Result<FieldSelector> parse(std::string_view text);
  bool everything() const { return terms_.empty(); }
  const std::vector<Term>& terms() const { return terms_; }
  // `value_of` gives a field's value as text, "" where it is missing.
  bool matches(const std::function<std::string(const std::string& field)>& value_of) const;

 private:
  std::vector<Term> terms_;
};

// The value of "spec.nodeName" in a document as selectors compare it.
std::string field_text(const json::Value& document, std::string_view field);

}  // namespace atl::api
