#include <fmt/format.h>

#include "base/text/jsonpath_impl.h"

namespace atl {

struct JsonPathTemplate::Node {
  std::string text;  // literal text, where there is no path
  std::optional<JsonPath> path;
  std::vector<Node> body;  // of {range path} ... {end}
  bool range = false;
};

namespace {

using Node = JsonPathTemplate::Node;

class Parser {
 public:
  explicit Parser(std::string_view text) : whole_(text), rest_(text) {}

  // Up to the end of the text, or to {end} inside a range.
  Result<std::vector<Node>> nodes(size_t depth) {
    if (depth > JsonPathTemplate::kNestingMax) return fail("ranges are nested too deeply");
    std::vector<Node> out;
    while (!rest_.empty()) {
      const size_t brace = rest_.find('{');
      if (brace != 0) {
        out.push_back({.text = std::string(rest_.substr(0, brace)), .path = {}, .body = {}});
        rest_.remove_prefix(std::min(brace, rest_.size()));
        continue;
      }
      rest_.remove_prefix(1);
      spaces();
      if (rest_.starts_with("end")) {
        rest_.remove_prefix(3);
        TRY_OK(close());
        if (depth == 0) return fail("{end} without {range}");
        return out;
      }
      TRY(Node node, action(depth));
      out.push_back(std::move(node));
    }
    if (depth != 0) return fail("{range} without {end}");
    return out;
  }

 private:
  Error fail(std::string_view what) const {
    return Error(Code::kInvalid, fmt::format("JSONPath: {} at byte {} of \"{}\"", what,
                                             rest_.data() - whole_.data(), whole_.substr(0, 200)));
  }

  void spaces() {
    while (rest_.starts_with(' ')) rest_.remove_prefix(1);
  }

  Result<> close() {
    spaces();
    if (!rest_.starts_with('}')) return fail("} is expected");
    rest_.remove_prefix(1);
    return Unit{};
  }

  Result<Node> action(size_t depth) {
    Node node;
    if (rest_.starts_with('"') || rest_.starts_with('\'')) {
      TRY(node.text, parse_quoted(rest_, whole_));
      TRY_OK(close());
      return node;
    }
    node.range = rest_.starts_with("range ");
    if (node.range) {
      rest_.remove_prefix(6);
      spaces();
    }
    if (rest_.starts_with('}')) return fail("a path is expected");
    TRY(node.path, parse_path(rest_, whole_));
    TRY_OK(close());
    if (node.range) {
      TRY(node.body, nodes(depth + 1));
    }
    return node;
  }

  std::string_view whole_;
  std::string_view rest_;
};

Result<> append(std::string& out, std::string_view text) {
  if (out.size() + text.size() > JsonPathTemplate::kOutputBytesMax) {
    return Error(Code::kTooLarge, fmt::format("JSONPath: the output has more than {} bytes",
                                              JsonPathTemplate::kOutputBytesMax));
  }
  out += text;
  return Unit{};
}

Result<> print(const std::vector<Node>& nodes, const json::Value& root, std::string& out) {
  for (const Node& node : nodes) {
    if (!node.path) {
      TRY_OK(append(out, node.text));
      continue;
    }
    bool first = true;
    for (const json::Value* value : node.path->select(root)) {
      if (node.range) {
        TRY_OK(print(node.body, *value, out));
        continue;
      }
      if (!first) TRY_OK(append(out, " "));
      first = false;
      if (value->is_string())
        TRY_OK(append(out, value->get_string()));
      else if (!value->is_null())
        TRY_OK(append(out, json::serialize(*value)));
    }
  }
  return Unit{};
}

}  // namespace

Result<JsonPathTemplate> JsonPathTemplate::parse(std::string_view text) {
  if (text.size() > 16 * JsonPath::kBytesMax)
    return Error(Code::kInvalid, "JSONPath: the template is too long");
  TRY(Nodes nodes, Parser(text).nodes(0));
  return JsonPathTemplate(std::make_shared<const Nodes>(std::move(nodes)));
}

Result<std::string> JsonPathTemplate::render(const json::Value& root) const {
  std::string out;
  TRY_OK(print(*nodes_, root, out));
  return out;
}

}  // namespace atl
