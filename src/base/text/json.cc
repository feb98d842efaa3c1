#include "base/text/json.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstring>
#include <unordered_set>
#include <utility>

#include <boost/json/basic_parser_impl.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value_stack.hpp>

#include "base/text/json_writer.h"

namespace atl::json {

std::string short_path(std::string path) {
  if (path.size() <= kPathBytesMax) return path;
  size_t end = kPathBytesMax;
  while (end > 0 && (uint8_t(path[end]) & 0xc0) == 0x80) --end;  // between characters
  path.resize(end);
  return path + "...";
}

namespace {

// Boost.JSON's event parser with two additions: positions of errors and keys that stand twice.
class TreeHandler {
 public:
  static constexpr size_t max_object_size = size_t(-1);
  static constexpr size_t max_array_size = size_t(-1);
  static constexpr size_t max_key_size = size_t(-1);
  static constexpr size_t max_string_size = size_t(-1);

  explicit TreeHandler(std::vector<std::string>* duplicates) : duplicates_(duplicates) {}

  Value release() { return stack_.release(); }

  using error_code = boost::json::error_code;
  bool on_document_begin(error_code&) { return stack_.reset({}), true; }
  bool on_document_end(error_code&) { return true; }
  bool on_array_begin(error_code&) { return enter(false); }
  bool on_array_end(size_t n, error_code&) { return leave(), stack_.push_array(n), true; }
  bool on_object_begin(error_code&) { return enter(true); }
  bool on_object_end(size_t n, error_code&) { return leave(), stack_.push_object(n), true; }
  bool on_key_part(boost::json::string_view s, size_t, error_code&) {
    return key_ += s, stack_.push_chars(s), true;
  }
  bool on_key(boost::json::string_view s, size_t, error_code&) {
    stack_.push_key(s);
    if (duplicates_) note_key(std::string(key_) + std::string(s));
    key_.clear();
    return true;
  }
  bool on_string_part(boost::json::string_view s, size_t, error_code&) {
    return stack_.push_chars(s), true;
  }
  bool on_string(boost::json::string_view s, size_t, error_code&) {
    return item(), stack_.push_string(s), true;
  }
  bool on_number_part(boost::json::string_view, error_code&) { return true; }
  bool on_int64(int64_t v, boost::json::string_view, error_code&) {
    return item(), stack_.push_int64(v), true;
  }
  bool on_uint64(uint64_t v, boost::json::string_view, error_code&) {
    return item(), stack_.push_uint64(v), true;
  }
  bool on_double(double v, boost::json::string_view s, error_code& ec) {
    if (!std::isfinite(v)) return ec = boost::json::error::not_number, false;
    return item(), stack_.push_double(nearest(v, s)), true;
  }
  bool on_bool(bool v, error_code&) { return item(), stack_.push_bool(v), true; }
  bool on_null(error_code&) { return item(), stack_.push_null(), true; }
  bool on_comment_part(boost::json::string_view, error_code&) { return true; }
  bool on_comment(boost::json::string_view, error_code&) { return true; }

 private:
  struct Frame {
    bool object;
    std::unordered_set<std::string> keys;
    std::string current;  // key, or index in an array
    size_t index = 0;
  };

  // Boost.JSON's own conversion may be off by some units in the last place, so that a number would
  // drift with every reading. `text` is all of the number: documents are parsed in one piece. Where
  // it is too small for a double, `rough` (zero or denormal) is as good as any.
  static double nearest(double rough, boost::json::string_view text) {
    double exact = rough;
    const auto end = std::from_chars(text.data(), text.data() + text.size(), exact);
    return end.ec == std::errc() ? exact : rough;
  }

  bool enter(bool object) {
    item();
    if (duplicates_) frames_.push_back({.object = object, .keys = {}, .current = {}});
    return true;
  }
  void leave() {
    if (duplicates_) frames_.pop_back();
  }
  void item() {
    if (duplicates_ && !frames_.empty() && !frames_.back().object) ++frames_.back().index;
  }
  void note_key(std::string key) {
    Frame& frame = frames_.back();
    frame.current = key;
    if (!frame.keys.insert(std::move(key)).second && duplicates_->size() < kDuplicatesMax) {
      duplicates_->push_back(short_path(path()));
    }
  }
  std::string path() const {
    std::string text;
    for (const Frame& frame : frames_) {
      if (!frame.object) {
        text += fmt::format("[{}]", frame.index - 1);
      } else if (!frame.current.empty()) {
        if (!text.empty()) text += '.';
        text += frame.current;
      }
    }
    return text;
  }

  boost::json::value_stack stack_;
  std::vector<std::string>* duplicates_;
  std::vector<Frame> frames_;
  std::string key_;
};

// True for what a string holds as it is: everything but quotes, backslashes and control characters.
constexpr std::array<bool, 256> plain_table() {
  std::array<bool, 256> table{};
  for (size_t c = 0x20; c < table.size(); ++c) table[c] = c != '"' && c != '\\';
  return table;
}
constexpr std::array<bool, 256> kPlain = plain_table();

// How many characters from the front need no escape; eight at a time while that goes well.
size_t plain_prefix(std::string_view text) {
  constexpr uint64_t kOnes = 0x0101010101010101;
  constexpr uint64_t kHigh = kOnes << 7;
  size_t at = 0;
  for (; at + 8 <= text.size(); at += 8) {
    uint64_t word = 0;
    std::memcpy(&word, text.data() + at, sizeof word);
    const auto below = [word](uint64_t limit) { return (word - kOnes * limit) & ~word & kHigh; };
    const auto holds = [](uint64_t w, uint64_t c) {
      const uint64_t x = w ^ (kOnes * c);
      return (x - kOnes) & ~x & kHigh;
    };
    if (below(0x20) | holds(word, '"') | holds(word, '\\')) break;
  }
  while (at < text.size() && kPlain[uint8_t(text[at])]) ++at;
  return at;
}

void append_escaped(std::string& out, char c) {
  static constexpr std::string_view kShort = "\"\"\\\\\nn\rr\tt\bb\ff";  // pairs: character, letter
  for (size_t i = 0; i < kShort.size(); i += 2) {
    if (kShort[i] != c) continue;
    out += '\\';
    out += kShort[i + 1];
    return;
  }
  fmt::format_to(std::back_inserter(out), "\\u{:04x}", uint8_t(c));
}

void append_string(std::string& out, std::string_view text) {
  out += '"';
  for (;;) {
    const size_t plain = plain_prefix(text);
    out.append(text, 0, plain);
    if (plain == text.size()) break;
    append_escaped(out, text[plain]);
    text.remove_prefix(plain + 1);
  }
  out += '"';
}

// As encoding/json of Go: the fewest digits that read back as the same double, with an exponent
// only below 1e-6 and from 1e21 on. Whole numbers thus print as integers.
void append_double(std::string& out, double v) {
  if (v == 0) {
    out += '0';
    return;
  }
  char buffer[32];
  const auto end =
      std::to_chars(buffer, buffer + sizeof buffer, v, std::chars_format::scientific).ptr;
  const std::string_view text(buffer, size_t(end - buffer));  // [-]d[.ddd]e[+-]dd
  const size_t e = text.find('e');
  int exponent = 0;
  const size_t sign = text[e + 1] == '+' ? 2 : 1;
  std::from_chars(text.data() + e + sign, end, exponent);
  if (exponent < -6 || exponent >= 21) {
    out += text.substr(0, e);
    out += fmt::format("e{:+d}", exponent);
    return;
  }
  if (v < 0) out += '-';
  std::string digits;
  for (const char c : text.substr(0, e)) {
    if (c >= '0' && c <= '9') digits += c;
  }
  if (exponent < 0) {
    out += "0.";
    out.append(size_t(-exponent - 1), '0');
    out += digits;
    return;
  }
  const size_t whole = size_t(exponent) + 1;
  if (digits.size() <= whole) {
    out += digits;
    out.append(whole - digits.size(), '0');
    return;
  }
  out.append(digits, 0, whole);
  out += '.';
  out.append(digits, whole);
}

// Writes canonical text; indent < 0: no white space.
class Writer {
 public:
  Writer(std::string& out, int indent) : out_(out), indent_(indent) {}

  void write(const Value& value) {
    switch (value.kind()) {
      case boost::json::kind::null:
        out_ += "null";
        break;
      case boost::json::kind::bool_:
        out_ += value.get_bool() ? "true" : "false";
        break;
      case boost::json::kind::int64:
        fmt::format_to(std::back_inserter(out_), "{}", value.get_int64());
        break;
      case boost::json::kind::uint64:
        fmt::format_to(std::back_inserter(out_), "{}", value.get_uint64());
        break;
      case boost::json::kind::double_:
        append_double(out_, value.get_double());
        break;
      case boost::json::kind::string:
        append_string(out_, value.get_string());
        break;
      case boost::json::kind::array:
        write_array(value.get_array());
        break;
      case boost::json::kind::object:
        write_object(value.get_object());
        break;
    }
  }

 private:
  void line(int depth) {
    if (indent_ < 0) return;
    out_ += '\n';
    out_.append(size_t(depth * indent_), ' ');
  }
  void write_array(const Array& array) {
    out_ += '[';
    ++depth_;
    bool first = true;
    for (const Value& item : array) {
      if (!first) out_ += ',';
      first = false;
      line(depth_);
      write(item);
    }
    --depth_;
    if (!array.empty()) line(depth_);
    out_ += ']';
  }
  void write_object(const Object& object) {
    const auto by_key = [](const auto& a, const auto& b) { return a.key() < b.key(); };
    out_ += '{';
    ++depth_;
    bool first = true;
    // What was read from canonical text is in order already.
    if (std::is_sorted(object.begin(), object.end(), by_key)) {
      for (const auto& pair : object) write_pair(pair, std::exchange(first, false));
    } else {
      std::vector<const boost::json::key_value_pair*> pairs;
      pairs.reserve(object.size());
      for (const auto& pair : object) pairs.push_back(&pair);
      std::sort(pairs.begin(), pairs.end(), [&](auto* a, auto* b) { return by_key(*a, *b); });
      for (const auto* pair : pairs) write_pair(*pair, std::exchange(first, false));
    }
    --depth_;
    if (!object.empty()) line(depth_);
    out_ += '}';
  }
  void write_pair(const boost::json::key_value_pair& pair, bool first) {
    if (!first) out_ += ',';
    line(depth_);
    append_string(out_, pair.key());
    out_ += indent_ < 0 ? ":" : ": ";
    write(pair.value());
  }

  std::string& out_;
  int indent_;
  int depth_ = 0;
};

// Three-way comparison of numbers of different representations.
bool same_number(const Value& a, const Value& b) {
  if (a.is_double() || b.is_double()) return a.to_number<double>() == b.to_number<double>();
  if (a.is_uint64() && b.is_uint64()) return a.get_uint64() == b.get_uint64();
  if (a.is_int64() && b.is_int64()) return a.get_int64() == b.get_int64();
  const int64_t s = a.is_int64() ? a.get_int64() : b.get_int64();
  const uint64_t u = a.is_int64() ? b.get_uint64() : a.get_uint64();
  return s >= 0 && uint64_t(s) == u;
}

}  // namespace

Result<Value> parse(std::string_view text, const ParseOptions& options) {
  if (text.size() > options.max_bytes) {
    return Error(Code::kTooLarge, fmt::format("the document has {} bytes, at most {} are allowed",
                                              text.size(), options.max_bytes));
  }
  boost::json::parse_options limits;
  limits.max_depth = options.max_depth;
  boost::json::basic_parser<TreeHandler> parser(limits, options.duplicate_keys);
  boost::json::error_code error;
  const size_t used = parser.write_some(false, text.data(), text.size(), error);
  if (!error && text.find_first_not_of(" \t\r\n", used) != std::string_view::npos)
    error = boost::json::error::extra_data;
  if (error)
    return Error(Code::kBadRequest, fmt::format("JSON: {} at byte {}", error.message(), used));
  return parser.handler().release();
}

void append(std::string& out, const Value& value) {
  Writer(out, -1).write(value);
}

void append_quoted(std::string& out, std::string_view text) {
  append_string(out, text);
}

std::string serialize(const Value& value) {
  std::string out;
  append(out, value);
  return out;
}

std::string pretty(const Value& value) {
  std::string out;
  Writer(out, 2).write(value);
  return out;
}

const Value* find(const Value& root, Path path) {
  const Value* at = &root;
  for (const std::string_view step : path) {
    const Object* object = at->if_object();
    at = object ? object->if_contains(step) : nullptr;
    if (!at) return nullptr;
  }
  return at;
}

Value* find(Value& root, Path path) {
  return const_cast<Value*>(find(std::as_const(root), path));
}

std::string_view string_at(const Value& root, Path path, std::string_view fallback) {
  const Value* at = find(root, path);
  const String* text = at ? at->if_string() : nullptr;
  return text ? std::string_view(*text) : fallback;
}

int64_t int_at(const Value& root, Path path, int64_t fallback) {
  const Value* at = find(root, path);
  if (!at) return fallback;
  if (const int64_t* n = at->if_int64()) return *n;
  if (const uint64_t* n = at->if_uint64(); n && *n <= uint64_t(INT64_MAX)) return int64_t(*n);
  if (const double* n = at->if_double(); n && std::floor(*n) == *n && std::fabs(*n) < 9e18)
    return int64_t(*n);
  return fallback;
}

bool bool_at(const Value& root, Path path, bool fallback) {
  const Value* at = find(root, path);
  const bool* flag = at ? at->if_bool() : nullptr;
  return flag ? *flag : fallback;
}

const Object& object_at(const Value& root, Path path) {
  static const Object kEmpty;
  const Value* at = find(root, path);
  const Object* object = at ? at->if_object() : nullptr;
  return object ? *object : kEmpty;
}

const Array& array_at(const Value& root, Path path) {
  static const Array kEmpty;
  const Value* at = find(root, path);
  const Array* array = at ? at->if_array() : nullptr;
  return array ? *array : kEmpty;
}

Value& ensure(Value& root, Path path) {
  Value* at = &root;
  if (!at->is_object()) at->emplace_object();
  for (const std::string_view step : path) {
    Value& next = at->get_object()[step];
    if (!next.is_object()) next.emplace_object();
    at = &next;
  }
  return *at;
}

void set(Value& root, Path path, Value value) {
  Value* at = &root;
  for (const std::string_view step : path) {
    if (!at->is_object()) at->emplace_object();
    at = &at->get_object()[step];
  }
  *at = std::move(value);
}

bool erase(Value& root, Path path) {
  Value* at = &root;
  size_t left = path.size();
  for (const std::string_view step : path) {
    Object* object = at->if_object();
    if (!object) return false;
    const auto it = object->find(step);
    if (it == object->end()) return false;
    if (--left == 0) {
      object->stable_erase(it);
      return true;
    }
    at = &it->value();
  }
  return false;
}

bool equal(const Value& a, const Value& b) {
  if (a.is_number() && b.is_number()) return same_number(a, b);
  if (a.kind() != b.kind()) return false;
  switch (a.kind()) {
    case boost::json::kind::array: {
      const Array& x = a.get_array();
      const Array& y = b.get_array();
      return std::equal(x.begin(), x.end(), y.begin(), y.end(),
                        [](auto& l, auto& r) { return equal(l, r); });
    }
    case boost::json::kind::object: {
      const Object& x = a.get_object();
      const Object& y = b.get_object();
      if (x.size() != y.size()) return false;
      return std::all_of(x.begin(), x.end(), [&](const auto& pair) {
        const Value* other = y.if_contains(pair.key());
        return other && equal(pair.value(), *other);
      });
    }
    default:
      return a == b;
  }
}

}  // namespace atl::json
