#include <fmt/format.h>

#include <algorithm>

#include "base/text/yaml.h"
#include "base/text/yaml_scalar_impl.h"

namespace atl::yaml {
namespace {

bool printable(std::string_view text) {
  for (size_t i = 0; i < text.size(); ++i) {
    const auto c = uint8_t(text[i]);
    if (c == '\n') continue;
    if (c < 0x20 || c == 0x7f) return false;
    // U+0085, U+2028, U+2029 and the byte order mark break lines or vanish in YAML.
    if (c == 0xc2 && i + 1 < text.size() && uint8_t(text[i + 1]) < 0xa0) return false;
    if (c == 0xe2 && text.substr(i, 2) == "\xe2\x80" && i + 2 < text.size() &&
        (uint8_t(text[i + 2]) & 0xfe) == 0xa8)
      return false;
    if (c == 0xef && text.substr(i, 3) == "\xef\xbb\xbf") return false;
  }
  return true;
}

// Whether a string may stand without quotes: it must not look like anything else.
bool plain(std::string_view text) {
  if (text.empty() || text.front() == ' ' || text.back() == ' ' || text.find('\n') != text.npos)
    return false;
  if (std::string_view("!&*|>'\"%@`#,[]{}").find(text.front()) != std::string_view::npos)
    return false;
  if (std::string_view("-?:").find(text.front()) != std::string_view::npos &&
      (text.size() == 1 || text[1] == ' '))
    return false;
  if (text.starts_with("---") || text.starts_with("...")) return false;
  if (text.find(": ") != text.npos || text.find(" #") != text.npos || text.back() == ':')
    return false;
  return true;
}

// Whether a reader would take the plain text for something other than a string.
bool ambiguous(std::string_view text) {
  if (text == "<<" || text == "=") return true;
  const auto value = resolve_plain(text);
  return !value || !value->is_string();
}

// 12:30:45 is a number in base 60 for some readers.
bool sexagesimal(std::string_view text) {
  return text.find(':') != text.npos && text.find_first_not_of("0123456789:._+-") == text.npos;
}

// JSON's escapes are YAML's; what YAML takes for a line break or refuses is escaped as well.
void double_quoted(std::string& out, std::string_view text) {
  const std::string quoted = json::serialize(json::Value(json::String(text)));
  for (size_t i = 0; i < quoted.size(); ++i) {
    const std::string_view rest = std::string_view(quoted).substr(i);
    if (rest[0] == '\x7f') {
      out += "\\x7f";
    } else if (rest[0] == '\xc2' && rest.size() > 1 && uint8_t(rest[1]) < 0xa0) {
      out += fmt::format("\\x{:02x}", uint8_t(rest[1]));
      i += 1;
    } else if (rest.starts_with("\xe2\x80\xa8") || rest.starts_with("\xe2\x80\xa9")) {
      out += rest[2] == '\xa8' ? "\\u2028" : "\\u2029";
      i += 2;
    } else if (rest.starts_with("\xef\xbb\xbf")) {
      out += "\\ufeff";
      i += 2;
    } else {
      out += rest[0];
    }
  }
}

void single_quoted(std::string& out, std::string_view text) {
  out += '\'';
  for (const char c : text) {
    if (c == '\'') out += '\'';
    out += c;
  }
  out += '\'';
}

class Emitter {
 public:
  explicit Emitter(std::string& out) : out_(out) {}

  // `inside_sequence`: the dash has been written and the first key follows on its line.
  void value(const json::Value& value, int indent, bool inside_sequence) {
    if (const json::Object* object = value.if_object(); object && !object->empty()) {
      mapping(*object, indent, inside_sequence);
    } else if (const json::Array* array = value.if_array(); array && !array->empty()) {
      sequence(*array, indent, inside_sequence);
    } else {
      scalar(value, indent);
      out_ += '\n';
    }
  }

 private:
  void pad(int indent) { out_.append(size_t(indent), ' '); }

  void mapping(const json::Object& object, int indent, bool inside_sequence) {
    std::vector<const boost::json::key_value_pair*> pairs;
    for (const auto& pair : object) pairs.push_back(&pair);
    std::sort(pairs.begin(), pairs.end(), [](auto* a, auto* b) { return a->key() < b->key(); });
    bool first = inside_sequence;
    for (const auto* pair : pairs) {
      if (!first) pad(indent);
      first = false;
      key(pair->key(), indent);
      const json::Value& inner = pair->value();
      const bool map = inner.is_object() && !inner.get_object().empty();
      const bool list = inner.is_array() && !inner.get_array().empty();
      out_ += map || list ? '\n' : ' ';
      value(inner, map ? indent + 2 : indent, false);
    }
  }

  // Readers take keys of up to 1024 characters on one line; longer ones are written with a mark.
  void key(std::string_view text, int indent) {
    if (text.size() > 200) {
      out_ += "? ";
      double_quoted(out_, text);
      out_ += '\n';
      pad(indent);
    } else {
      string(text, indent, /*may_be_block=*/false);
    }
    out_ += ':';
  }

  void sequence(const json::Array& array, int indent, bool inside_sequence) {
    bool first = inside_sequence;
    for (const json::Value& item : array) {
      if (!first) pad(indent);
      first = false;
      out_ += "- ";
      value(item, indent + 2, true);
    }
  }

  void scalar(const json::Value& value, int indent) {
    if (const json::String* text = value.if_string()) {
      string(*text, indent, /*may_be_block=*/true);
    } else {
      out_ += json::serialize(value);
    }
  }

  void string(std::string_view text, int indent, bool may_be_block) {
    if (!printable(text)) return double_quoted(out_, text);
    if (text.find('\n') != text.npos) {
      if (!may_be_block || text.front() == ' ' || text.front() == '\n')
        return double_quoted(out_, text);
      return block(text, indent);
    }
    if (ambiguous(text) || sexagesimal(text)) return double_quoted(out_, text);
    if (plain(text)) {
      out_ += text;
    } else {
      single_quoted(out_, text);
    }
  }

  // Literal block: "|" keeps one final newline, "|-" none, "|+" all.
  void block(std::string_view text, int indent) {
    const bool ends = text.ends_with('\n');
    const bool more = text.ends_with("\n\n");
    out_ += more ? "|+" : ends ? "|" : "|-";
    std::string_view rest = ends ? text.substr(0, text.size() - 1) : text;
    for (;;) {
      const size_t end = rest.find('\n');
      const std::string_view line = rest.substr(0, end);
      out_ += '\n';
      if (!line.empty()) pad(indent + 2);
      out_ += line;
      if (end == rest.npos) break;
      rest.remove_prefix(end + 1);
    }
  }

  std::string& out_;
};

}  // namespace

std::string to_yaml(const json::Value& value) {
  std::string out;
  Emitter(out).value(value, 0, false);
  return out;
}

}  // namespace atl::yaml
