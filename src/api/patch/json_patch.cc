#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <optional>

#include "api/patch/patch.h"

// RFC 6902. A document comes from a parser that bounds its depth, so the depth of the result is
// checked wherever a value is put in: a few copies of the root into itself would otherwise build a
// tree that no recursive reader survives.
namespace atl::api {
namespace {

// RFC 6901.
struct Pointer {
  std::string text;
  std::vector<std::string> steps;
};

// What cannot be read as a list of operations at all.
Error malformed(std::string what) {
  return Error(Code::kBadRequest, "error decoding patch: " + std::move(what));
}
// An operation that cannot be carried out, whatever the document holds.
Error unusable(std::string what) {
  return Error(Code::kInvalid, "error in patch: " + std::move(what));
}

Result<Pointer> parse_pointer(std::string_view text) {
  Pointer pointer{std::string(text), {}};
  if (text.empty()) return pointer;
  if (text[0] != '/') return unusable(fmt::format("path \"{}\" must start with /", text));
  for (const char c : text) {
    if (c == '/') {
      pointer.steps.emplace_back();
    } else {
      pointer.steps.back() += c;
    }
  }
  for (std::string& step : pointer.steps) {
    std::string plain;
    for (size_t i = 0; i < step.size(); ++i) {
      if (step[i] != '~') {
        plain += step[i];
        continue;
      }
      const char next = ++i < step.size() ? step[i] : '\0';
      if (next != '0' && next != '1')
        return unusable(fmt::format("path \"{}\": ~ stands before 0 or 1 only", text));
      plain += next == '0' ? '~' : '/';
    }
    step = std::move(plain);
  }
  return pointer;
}

// An array index: decimal, no sign, no leading zero.
std::optional<size_t> parse_index(std::string_view step) {
  if (step.empty() || (step.size() > 1 && step[0] == '0') || step[0] == '+' || step[0] == '-')
    return std::nullopt;
  size_t index = 0;
  const auto [end, error] = std::from_chars(step.data(), step.data() + step.size(), index);
  if (error != std::errc() || end != step.data() + step.size()) return std::nullopt;
  return index;
}

struct Size {
  size_t nodes = 0;
  size_t bytes = 0;  // roughly, as text
  size_t depth = 0;
};

void measure(const json::Value& value, size_t depth, Size& size) {
  ++size.nodes;
  size.depth = std::max(size.depth, depth);
  if (const json::Object* object = value.if_object()) {
    for (const auto& [key, member] : *object) {
      size.bytes += key.size() + 4;
      measure(member, depth + 1, size);
    }
  } else if (const json::Array* array = value.if_array()) {
    size.bytes += array->size() + 2;
    for (const json::Value& item : *array) measure(item, depth + 1, size);
  } else if (const json::String* text = value.if_string()) {
    size.bytes += text->size() + 2;
  } else {
    size.bytes += 4;
  }
}

class Patcher {
 public:
  explicit Patcher(json::Value document) : document_(std::move(document)) {}

  Result<> run(const json::Value& operation) {
    if (!operation.is_object()) return malformed("an operation must be an object");
    op_ = json::string_at(operation, {"op"});
    const json::Value* path = json::find(operation, {"path"});
    if (!path || !path->is_string()) return unusable("an operation needs a path");
    TRY(const Pointer at, parse_pointer(path->get_string()));
    const json::Value* value = json::find(operation, {"value"});
    if (op_ == "add" || op_ == "replace" || op_ == "test") {
      if (!value) return unusable(fmt::format("operation {} needs a value", op_));
      if (op_ == "test") return test(at, *value);
      return op_ == "add" ? add(at, *value) : replace(at, *value);
    }
    if (op_ == "remove") {
      TRY_OK(remove(at));
      return Unit();
    }
    if (op_ != "move" && op_ != "copy") return unusable(fmt::format("Unexpected kind: {}", op_));
    const json::Value* from = json::find(operation, {"from"});
    if (!from || !from->is_string()) return unusable(fmt::format("operation {} needs from", op_));
    TRY(const Pointer source, parse_pointer(from->get_string()));
    return op_ == "move" ? move(source, at) : copy(source, at);
  }

  json::Value take() && { return std::move(document_); }

 private:
  Error missing(const Pointer& at, std::string_view what = "path") const {
    return Error(
        Code::kInvalid,
        fmt::format("{} operation does not apply: doc is missing {}: \"{}\": missing value", op_,
                    what, at.text));
  }
  Error bad_index(const Pointer& at) const {
    return Error(Code::kInvalid,
                 fmt::format("{} operation does not apply: \"{}\": invalid index referenced: {}",
                             op_, at.text, at.steps.back()));
  }

  // The value `steps` below the root, null where a step is missing.
  json::Value* walk(const Pointer& at, size_t steps) {
    json::Value* value = &document_;
    for (size_t i = 0; i < steps && value; ++i) {
      if (json::Object* object = value->if_object()) {
        value = object->if_contains(at.steps[i]);
      } else if (json::Array* array = value->if_array()) {
        const auto index = parse_index(at.steps[i]);
        value = index && *index < array->size() ? &(*array)[*index] : nullptr;
      } else {
        return nullptr;
      }
    }
    return value;
  }
  json::Value* parent(const Pointer& at) { return walk(at, at.steps.size() - 1); }

  Result<> spend(size_t work) {
    work_ += work;
    if (work_ <= kJsonPatchWorkMax) return Unit();
    return Error(Code::kTooLarge,
                 "the JSON patch shifts or moves too many elements; send the whole list or object");
  }

  Result<> check_depth(const Pointer& at, const Size& size) const {
    if (at.steps.size() + size.depth <= kPatchedDepthMax) return Unit();
    return Error(
        Code::kInvalid,
        fmt::format(
            "{} operation does not apply: \"{}\": the document would be nested deeper than {}", op_,
            at.text.substr(0, 200), kPatchedDepthMax));
  }

  Result<> add(const Pointer& at, json::Value value) {
    Size size;
    measure(value, 1, size);
    TRY_OK(check_depth(at, size));
    return put(at, std::move(value));
  }

  Result<> put(const Pointer& at, json::Value value) {
    if (at.steps.empty()) {
      document_ = std::move(value);
      return Unit();
    }
    json::Value* into = parent(at);
    if (!into) return missing(at);
    if (json::Object* object = into->if_object()) {
      (*object)[at.steps.back()] = std::move(value);
      return Unit();
    }
    json::Array* array = into->if_array();
    if (!array) return missing(at);
    const auto index =
        at.steps.back() == "-" ? std::optional(array->size()) : parse_index(at.steps.back());
    if (!index || *index > array->size()) return bad_index(at);
    TRY_OK(spend(array->size() - *index));
    array->insert(array->begin() + ptrdiff_t(*index), std::move(value));
    return Unit();
  }

  Result<> replace(const Pointer& at, const json::Value& value) {
    json::Value* target = walk(at, at.steps.size());
    if (!target) return missing(at, parent_exists(at) ? "key" : "path");
    Size size;
    measure(value, 1, size);
    TRY_OK(check_depth(at, size));
    *target = value;
    return Unit();
  }
  bool parent_exists(const Pointer& at) { return !at.steps.empty() && parent(at); }

  Result<json::Value> remove(const Pointer& at) {
    if (at.steps.empty())
      return Error(Code::kInvalid,
                   fmt::format("{} operation does not apply: the root cannot go", op_));
    json::Value* from = parent(at);
    if (!from) return missing(at);
    json::Value taken;
    if (json::Object* object = from->if_object()) {
      const auto it = object->find(at.steps.back());
      if (it == object->end()) return missing(at, "key");
      taken = std::move(it->value());
      object->erase(it);
      return taken;
    }
    json::Array* array = from->if_array();
    if (!array) return missing(at);
    const auto index = parse_index(at.steps.back());
    if (!index || *index >= array->size()) return bad_index(at);
    TRY_OK(spend(array->size() - *index));
    taken = std::move((*array)[*index]);
    array->erase(array->begin() + ptrdiff_t(*index));
    return taken;
  }

  Result<> test(const Pointer& at, const json::Value& wanted) {
    const json::Value* have = walk(at, at.steps.size());
    if (!have && parent_exists(at) && parent(at)->is_object() && wanted.is_null()) return Unit();
    if (have && json::equal(*have, wanted)) return Unit();
    return Error(Code::kInvalid, fmt::format("testing value {} failed: test failed", at.text));
  }

  Result<> move(const Pointer& from, const Pointer& to) {
    if (from.steps == to.steps)
      return walk(from, from.steps.size()) ? Result<>(Unit()) : missing(from, "from path");
    const bool inside = from.steps.size() < to.steps.size() &&
                        std::equal(from.steps.begin(), from.steps.end(), to.steps.begin());
    if (inside) {
      return Error(Code::kInvalid,
                   fmt::format("move operation does not apply: \"{}\" lies inside \"{}\"", to.text,
                               from.text));
    }
    TRY(json::Value value, remove(from));
    Size size;
    measure(value, 1, size);
    TRY_OK(spend(size.nodes));
    TRY_OK(check_depth(to, size));
    return put(to, std::move(value));
  }

  Result<> copy(const Pointer& from, const Pointer& to) {
    const json::Value* source = walk(from, from.steps.size());
    if (!source) return missing(from, "from path");
    Size size;
    measure(*source, 1, size);
    copied_bytes_ += size.bytes;
    if (copied_bytes_ > kPatchedBytesMax) {
      return Error(Code::kTooLarge, fmt::format("Unable to complete the copy, the accumulated size "
                                                "increase of copy is {}, exceeding the limit {}",
                                                copied_bytes_, kPatchedBytesMax));
    }
    TRY_OK(check_depth(to, size));
    return put(to, json::Value(*source));
  }

  json::Value document_;
  std::string_view op_;
  size_t work_ = 0;
  size_t copied_bytes_ = 0;
};

}  // namespace

Result<json::Value> json_patch(json::Value document, const json::Value& patch) {
  if (!patch.is_array()) return malformed("a JSON patch must be an array of operations");
  const json::Array& operations = patch.get_array();
  if (operations.size() > kJsonPatchOperationsMax) {
    return Error(Code::kTooLarge,
                 fmt::format("The allowed maximum operations in a JSON patch is {}, got {}",
                             kJsonPatchOperationsMax, operations.size()));
  }
  Patcher patcher(std::move(document));
  for (const json::Value& operation : operations) TRY_OK(patcher.run(operation));
  return std::move(patcher).take();
}

}  // namespace atl::api
