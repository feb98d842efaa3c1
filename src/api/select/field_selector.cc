#include <fmt/format.h>

#include <algorithm>

#include "api/select/select.h"

namespace atl::api {
namespace {

Result<std::string> unescape(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '\\') {
      const std::string_view sequence = text.substr(i, 2);
      if (sequence != "\\\\" && sequence != "\\," && sequence != "\\=") {
        return Error(Code::kBadRequest,
                     fmt::format("invalid field selector: invalid escape sequence: {}", sequence));
      }
      out += text[++i];
    } else if (c == '=') {
      return Error(Code::kBadRequest,
                   fmt::format("invalid field selector: unescaped character in value: {}", int(c)));
    } else {
      out += c;
    }
  }
  return out;
}

// Cuts the text at its next comma that no backslash precedes.
std::string_view next_term(std::string_view& rest) {
  size_t end = 0;
  while (end < rest.size() && rest[end] != ',') end += rest[end] == '\\' ? 2 : 1;
  end = std::min(end, rest.size());
  const std::string_view term = rest.substr(0, end);
  rest.remove_prefix(std::min(end + 1, rest.size()));
  return term;
}

// The first operator splits: a field's name has no escapes.
Result<FieldSelector::Term> parse_term(std::string_view term, std::string_view whole) {
  for (size_t i = 0; i < term.size(); ++i) {
    const std::string_view from = term.substr(i);
    const bool differs = from.starts_with("!=");
    if (!differs && from[0] != '=') continue;
    TRY(std::string value, unescape(from.substr(differs || from.starts_with("==") ? 2 : 1)));
    return FieldSelector::Term{std::string(term.substr(0, i)), std::move(value), !differs};
  }
  return Error(Code::kBadRequest, fmt::format("invalid selector: '{}'; can't understand '{}'",
                                              whole.substr(0, 200), term.substr(0, 200)));
}

std::string text_of(const json::Value* value) {
  if (!value || value->is_null() || value->is_object() || value->is_array()) return {};
  if (const json::String* text = value->if_string()) return std::string(*text);
  return json::serialize(*value);
}

const json::Value* walk(const json::Value& document, std::string_view path) {
  const json::Value* at = &document;
  if (path.starts_with('.')) path.remove_prefix(1);
  while (at && !path.empty()) {
    const size_t dot = path.find('.');
    const json::Object* object = at->if_object();
    at = object ? object->if_contains(path.substr(0, dot)) : nullptr;
    path = dot == std::string_view::npos ? std::string_view() : path.substr(dot + 1);
  }
  return at;
}

// Fields whose selector name is not their place, or that compare as a zero value while absent.
struct Alias {
  std::string_view field, place, otherwise, fallback;
};
constexpr Alias kAliases[] = {
    {"spec.host", "spec.nodeName", "", ""},
    {"spec.hostNetwork", "spec.hostNetwork", "", "false"},
    {"spec.unschedulable", "spec.unschedulable", "", "false"},
    {"status.replicas", "status.replicas", "", "0"},
    {"status.successful", "status.succeeded", "", "0"},
    {"source", "source.component", "reportingComponent", ""},
};

}  // namespace

Result<FieldSelector> FieldSelector::parse(std::string_view text) {
  if (text.size() > kSelectorBytesMax) {
    return Error(Code::kBadRequest,
                 fmt::format("the field selector has {} bytes, at most {} are allowed", text.size(),
                             kSelectorBytesMax));
  }
  FieldSelector selector;
  for (std::string_view rest = text; !rest.empty();) {
    const std::string_view term = next_term(rest);
    if (term.empty()) continue;
    TRY(Term parsed, parse_term(term, text));
    selector.terms_.push_back(std::move(parsed));
  }
  return selector;
}

const std::string* FieldSelector::exact(std::string_view field) const {
  const auto it = std::find_if(terms_.begin(), terms_.end(),
                               [&](const Term& t) { return t.equal && t.field == field; });
  return it == terms_.end() ? nullptr : &it->value;
}

bool FieldSelector::matches(
    const std::function<std::string(const std::string& field)>& value_of) const {
  return std::all_of(terms_.begin(), terms_.end(), [&](const Term& term) {
    return (value_of(term.field) == term.value) == term.equal;
  });
}

std::string field_text(const json::Value& document, std::string_view field) {
  std::string text = text_of(walk(document, field));
  if (!text.empty()) return text;
  const auto alias = std::find_if(std::begin(kAliases), std::end(kAliases),
                                  [&](const Alias& a) { return a.field == field; });
  if (alias == std::end(kAliases)) return text;
  text = text_of(walk(document, alias->place));
  if (text.empty() && !alias->otherwise.empty()) text = text_of(walk(document, alias->otherwise));
  return text.empty() ? std::string(alias->fallback) : text;
}

}  // namespace atl::api
