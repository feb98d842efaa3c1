#include <algorithm>
#include <string_view>

#include "base/text/jsonpath_impl.h"

namespace atl {
namespace {

using Selected = std::vector<const json::Value*>;
using Step = JsonPath::Step;

void add(Selected& out, const json::Value& value) {
  if (out.size() < JsonPath::kSelectedMax) out.push_back(&value);
}

void children(const json::Value& value, Selected& out) {
  if (const json::Array* array = value.if_array()) {
    for (const json::Value& item : *array) add(out, item);
  } else if (const json::Object* object = value.if_object()) {
    // In the order of keys, as a printed object has them.
    std::vector<const boost::json::key_value_pair*> pairs;
    for (const auto& pair : *object) pairs.push_back(&pair);
    std::sort(pairs.begin(), pairs.end(), [](auto* a, auto* b) { return a->key() < b->key(); });
    for (const auto* pair : pairs) add(out, pair->value());
  }
}

// The value itself and everything below. The depth is bounded by the parser of the document.
void descendants(const json::Value& value, Selected& out) {
  add(out, value);
  if (out.size() >= JsonPath::kSelectedMax) return;
  Selected inner;
  children(value, inner);
  for (const json::Value* child : inner) {
    if (child->is_structured()) descendants(*child, out);
  }
}

void by_index(const json::Array& array, int64_t index, Selected& out) {
  const auto size = int64_t(array.size());
  if (index < 0) index += size;
  if (index >= 0 && index < size) add(out, array[size_t(index)]);
}

void slice(const json::Array& array, const Step& step, Selected& out) {
  const auto size = int64_t(array.size());
  const auto bound = [&](std::optional<int64_t> given, int64_t otherwise) {
    if (!given) return otherwise;
    return std::clamp(*given < 0 ? *given + size : *given, int64_t(0), size);
  };
  const int64_t end = bound(step.to, size);
  const int64_t width = std::min(step.step.value_or(1), size + 1);
  for (int64_t i = bound(step.from, 0); i < end; i += width) add(out, array[size_t(i)]);
}

// The order of two values, nothing where they cannot be compared.
std::partial_ordering order(const json::Value& a, const json::Value& b) {
  if (a.is_number() && b.is_number()) return a.to_number<double>() <=> b.to_number<double>();
  if (a.is_string() && b.is_string())
    return std::string_view(a.get_string()) <=> std::string_view(b.get_string());
  return json::equal(a, b) ? std::partial_ordering::equivalent : std::partial_ordering::unordered;
}

bool holds(Compare compare, std::partial_ordering found) {
  switch (compare) {
    case Compare::kExists:
      return true;
    case Compare::kEqual:
      return found == 0;
    case Compare::kNotEqual:
      return found != 0;
    case Compare::kLess:
      return found < 0;
    case Compare::kLessOrEqual:
      return found <= 0;
    case Compare::kGreater:
      return found > 0;
    case Compare::kGreaterOrEqual:
      return found >= 0;
  }
  return false;
}

bool passes(const Step& step, const json::Value& item) {
  const auto side = [&](const Operand& operand) {
    return operand.path ? operand.path->first(item) : &operand.literal;
  };
  const json::Value* left = side(step.left);
  if (!left) return false;
  if (step.compare == Compare::kExists) return true;
  const json::Value* right = side(step.right);
  return right && holds(step.compare, order(*left, *right));
}

void filter(const Step& step, const json::Value& value, Selected& out) {
  Selected items;
  if (value.is_array())
    children(value, items);
  else
    items.push_back(&value);
  for (const json::Value* item : items) {
    if (passes(step, *item)) add(out, *item);
  }
}

void apply(const Step& step, const json::Value& value, Selected& out) {
  switch (step.kind) {
    case Step::Kind::kField:
      for (const std::string& name : step.names) {
        const json::Object* object = value.if_object();
        if (const json::Value* member = object ? object->if_contains(name) : nullptr)
          add(out, *member);
      }
      return;
    case Step::Kind::kAll:
      return children(value, out);
    case Step::Kind::kRecursive:
      return descendants(value, out);
    case Step::Kind::kIndices:
      if (!value.is_array()) return;
      for (const int64_t index : step.indices) by_index(value.get_array(), index, out);
      return;
    case Step::Kind::kSlice:
      if (value.is_array()) slice(value.get_array(), step, out);
      return;
    case Step::Kind::kFilter:
      return filter(step, value, out);
  }
}

}  // namespace

std::vector<const json::Value*> JsonPath::select(const json::Value& root) const {
  Selected current{&root};
  for (const Step& step : *steps_) {
    Selected next;
    for (const json::Value* value : current) {
      apply(step, *value, next);
      if (next.size() >= kSelectedMax) break;
    }
    current = std::move(next);
  }
  return current;
}

const json::Value* JsonPath::first(const json::Value& root) const {
  // The plain case, fields only, without a list.
  const json::Value* at = &root;
  for (const Step& step : *steps_) {
    if (step.kind != Step::Kind::kField || step.names.size() != 1) {
      const auto all = select(root);
      return all.empty() ? nullptr : all.front();
    }
    const json::Object* object = at->if_object();
    at = object ? object->if_contains(step.names.front()) : nullptr;
    if (!at) return nullptr;
  }
  return at;
}

}  // namespace atl
