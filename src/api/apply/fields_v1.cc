#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>

#include "api/apply/field_set.h"

// The stored form of a field set (docs/formats/managed-fields.md): nested objects, "{}" for a
// member with nothing below it, "." for a member that has more below it.
namespace atl::api::fields {
namespace {

constexpr std::string_view kSelf = ".";

Error malformed(std::string_view element, std::string_view why) {
  return Error(Code::kInvalid, fmt::format("fieldsV1: \"{}\": {}", element.substr(0, 120), why));
}

// The element in canonical text; empty where its kind is unknown (a later version's: skipped).
Result<std::string> canonical(std::string_view element) {
  if (element.size() < 2) return malformed(element, "an element has at least two characters");
  if (element[1] != ':') return malformed(element, "missing colon");
  const std::string_view rest = element.substr(2);
  switch (element[0]) {
    case 'f':
      return std::string(element);
    case 'i': {
      int64_t index = 0;
      const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), index);
      if (error != std::errc() || end != rest.data() + rest.size())
        return malformed(element, "not an index");
      return fmt::format("i:{}", index);
    }
    case 'k':
    case 'v': {
      const auto value = json::parse(rest, {.max_depth = 32});
      if (!value) return malformed(element, value.error().message());
      if (element[0] == 'k' && !value->is_object())
        return malformed(element, "keys must be an object");
      return fmt::format("{}:{}", element[0], json::serialize(*value));
    }
    default:
      return std::string();
  }
}

Result<> read(const json::Value& from, Node& into, size_t depth) {
  const json::Object* object = from.if_object();
  if (!object) return malformed(into.key, "must hold an object");
  if (depth > kDepthMax) return malformed(into.key, "nested too deeply");
  for (const auto& [text, below] : *object) {
    if (text == kSelf) {
      into.member = true;
      continue;
    }
    TRY(std::string key, canonical(text));
    if (key.empty()) continue;
    Node child{std::move(key), false, {}};
    TRY_OK(read(below, child, depth + 1));
    into.children.push_back(std::move(child));
  }
  if (into.children.empty()) into.member = true;
  into.sort();
  return Unit();
}

// Two texts of one element ("v:1" and "v:1.0") meet as one node.
void merge_equal(Node& node) {
  std::vector<Node> merged;
  for (Node& child : node.children) {
    merge_equal(child);
    if (merged.empty() || merged.back().key != child.key) {
      merged.push_back(std::move(child));
      continue;
    }
    Node left{{}, false, {}};
    Node right{{}, false, {}};
    const std::string key = child.key;
    left.children.push_back(std::move(merged.back()));
    right.children.push_back(std::move(child));
    merged.back() = *unite(FieldSet(std::move(left)), FieldSet(std::move(right))).root().find(key);
  }
  node.children = std::move(merged);
}

json::Object write(const Node& node) {
  json::Object out;
  if (node.children.empty()) return out;
  out.reserve(node.children.size() + 1);
  if (node.member) out.emplace(kSelf, json::Object());
  for (const Node& child : node.children) out.emplace(child.key, write(child));
  return out;
}

// "name=\"web\",port=80" of an element's keys.
std::string keys_text(std::string_view keys) {
  const auto value = json::parse(keys);
  if (!value || !value->is_object()) return std::string(keys);
  std::vector<std::string> pairs;
  for (const auto& [name, item] : value->get_object()) {
    pairs.push_back(std::string(name) + "=" + json::serialize(item));
  }
  std::sort(pairs.begin(), pairs.end());
  return fmt::format("{}", fmt::join(pairs, ","));
}

}  // namespace

Result<FieldSet> from_json(const json::Value& fields_v1) {
  Node root;
  TRY_OK(read(fields_v1, root, 0));
  merge_equal(root);
  return FieldSet(std::move(root));
}

json::Object to_json(const FieldSet& set) {
  return write(set.root());
}

void unite_json(json::Object& fields_v1, const Node& set) {
  for (const Node& child : set.children) {
    json::Value* have = fields_v1.if_contains(child.key);
    if (!have) {
      fields_v1.emplace(child.key, write(child));
      continue;
    }
    json::Object& below = have->get_object();
    const bool was_member = below.empty() || below.contains(kSelf);
    unite_json(below, child);
    if ((was_member || child.member) && !below.empty()) below[kSelf].emplace_object();
  }
}

void subtract_json(json::Object& fields_v1, const Node& set) {
  for (const Node& child : set.children) {
    const auto it = fields_v1.find(child.key);
    if (it == fields_v1.end()) continue;
    json::Object& below = it->value().get_object();
    if (below.empty()) {  // a member with nothing below
      if (child.member) fields_v1.erase(it);
      continue;
    }
    if (child.member) below.erase(kSelf);
    subtract_json(below, child);
    if (below.empty()) {
      fields_v1.erase(it);
    } else if (below.size() == 1 && below.contains(kSelf)) {
      below.clear();
    }
  }
}

std::string path_text(std::span<const std::string> path) {
  std::string out;
  for (const std::string& element : path) {
    const std::string_view rest = std::string_view(element).substr(2);
    switch (element[0]) {
      case 'f':
        out += fmt::format(".{}", rest);
        break;
      case 'k':
        out += fmt::format("[{}]", keys_text(rest));
        break;
      case 'v':
        out += fmt::format("[={}]", rest);
        break;
      default:
        out += fmt::format("[{}]", rest);
        break;
    }
  }
  return out;
}

}  // namespace atl::api::fields
