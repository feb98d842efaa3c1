#include <fmt/format.h>
#include <yaml.h>

#include <map>

#include "base/text/yaml.h"
#include "base/text/yaml_scalar_impl.h"

// Builds JSON trees from libyaml's events. Aliases are copied where they stand, so what they may
// add is bounded; anchors are known once their value is complete, so a value cannot contain itself.
namespace atl::yaml {
namespace {

class Event {
 public:
  ~Event() { clear(); }
  void clear() {
    if (filled_) yaml_event_delete(&event_);
    filled_ = false;
  }
  bool next(yaml_parser_t& parser) {
    clear();
    filled_ = yaml_parser_parse(&parser, &event_) != 0;
    return filled_;
  }
  yaml_event_type_t type() const { return event_.type; }
  const yaml_event_t& operator*() const { return event_; }
  size_t line() const { return event_.start_mark.line + 1; }

 private:
  yaml_event_t event_{};
  bool filled_ = false;
};

std::string_view text(const yaml_char_t* chars) {
  return chars ? std::string_view(reinterpret_cast<const char*>(chars)) : std::string_view();
}

struct Weight {
  size_t values = 0;
  size_t bytes = 0;
};

struct Anchored {
  json::Value value;
  Weight weight;
};

class Builder {
 public:
  Builder(std::string_view input, const ParseOptions& options) : options_(options) {
    yaml_parser_initialize(&parser_);
    yaml_parser_set_encoding(&parser_, YAML_UTF8_ENCODING);
    const char* data = input.empty() ? "" : input.data();  // libyaml takes no null
    yaml_parser_set_input_string(&parser_, reinterpret_cast<const unsigned char*>(data),
                                 input.size());
  }
  ~Builder() { yaml_parser_delete(&parser_); }
  Builder(const Builder&) = delete;
  Builder& operator=(const Builder&) = delete;

  Result<std::vector<json::Value>> documents() {
    std::vector<json::Value> out;
    for (;;) {
      TRY_OK(advance());
      if (event_.type() == YAML_STREAM_END_EVENT) return out;
      if (event_.type() != YAML_DOCUMENT_START_EVENT) continue;
      if (out.size() >= options_.max_documents)
        return fail(fmt::format("more than {} documents", options_.max_documents));
      anchors_.clear();
      TRY_OK(advance());
      TRY(json::Value root, node(0));
      TRY_OK(advance());  // the end of the document
      out.push_back(std::move(root));
    }
  }

 private:
  Result<> advance() {
    if (event_.next(parser_)) return Unit{};
    std::string message = parser_.problem ? parser_.problem : "cannot be read";
    if (parser_.error == YAML_READER_ERROR) {
      return Error(Code::kBadRequest,
                   fmt::format("yaml: {} at byte {}", message, parser_.problem_offset));
    }
    if (parser_.context) message = fmt::format("{} {}", parser_.context, message);
    return Error(Code::kBadRequest,
                 fmt::format("yaml: line {}: {}", parser_.problem_mark.line + 1, message));
  }

  Error fail(std::string_view what) const {
    return Error(Code::kBadRequest, fmt::format("yaml: line {}: {}", event_.line(), what));
  }

  template <class T>
  Result<T> here(Result<T> result) const {
    if (result) return result;
    return fail(result.error().message());
  }

  // The value that begins with the current event; afterwards the current event is its last.
  Result<json::Value> node(size_t depth) {
    if (depth > options_.max_depth)
      return fail(fmt::format("nested deeper than {} levels", options_.max_depth));
    switch (event_.type()) {
      case YAML_ALIAS_EVENT:
        return alias();
      case YAML_SCALAR_EVENT:
        return scalar();
      case YAML_SEQUENCE_START_EVENT:
        return sequence(depth);
      case YAML_MAPPING_START_EVENT:
        return mapping(depth);
      default:
        return fail("a value was expected");
    }
  }

  Result<json::Value> alias() {
    const auto it = anchors_.find(text((*event_).data.alias.anchor));
    if (it == anchors_.end()) {
      return fail(fmt::format("unknown anchor '{}' referenced",
                              text((*event_).data.alias.anchor).substr(0, 64)));
    }
    aliased_.values += it->second.weight.values;
    aliased_.bytes += it->second.weight.bytes;
    if (aliased_.values > options_.max_alias_values || aliased_.bytes > options_.max_alias_bytes) {
      return fail("document contains excessive aliasing");
    }
    weight_.values += it->second.weight.values;
    weight_.bytes += it->second.weight.bytes;
    return it->second.value;
  }

  Result<json::Value> scalar() {
    const auto& data = (*event_).data.scalar;
    const std::string_view value(reinterpret_cast<const char*>(data.value), data.length);
    const std::string anchor(text(data.anchor));
    const std::string_view tag = text(data.tag);
    const Weight before = weight_;
    weight_.values += 1;
    weight_.bytes += value.size();
    const bool plain = data.style == YAML_PLAIN_SCALAR_STYLE;
    Result<json::Value> result = !tag.empty() && tag != "!" ? resolve_tagged(tag, value)
                                 : plain && tag.empty()     ? resolve_plain(value)
                                                            : json::Value(json::String(value));
    TRY(json::Value resolved, here(std::move(result)));
    remember(anchor, resolved, before);
    return resolved;
  }

  Result<json::Value> sequence(size_t depth) {
    TRY_OK(check_tag(text((*event_).data.sequence_start.tag), "seq"));
    const std::string anchor(text((*event_).data.sequence_start.anchor));
    const Weight before = weight_;
    weight_.values += 1;
    json::Array items;
    const size_t length = path_.size();
    for (;;) {
      TRY_OK(advance());
      if (event_.type() == YAML_SEQUENCE_END_EVENT) break;
      if (options_.duplicate_keys) path_ += fmt::format("[{}]", items.size());
      TRY(json::Value item, node(depth + 1));
      path_.resize(length);
      items.push_back(std::move(item));
    }
    json::Value value(std::move(items));
    remember(anchor, value, before);
    return value;
  }

  Result<json::Value> mapping(size_t depth) {
    TRY_OK(check_tag(text((*event_).data.mapping_start.tag), "map"));
    const std::string anchor(text((*event_).data.mapping_start.anchor));
    const Weight before = weight_;
    weight_.values += 1;
    json::Object members;
    std::vector<json::Value> merged;
    for (;;) {
      TRY_OK(advance());
      if (event_.type() == YAML_MAPPING_END_EVENT) break;
      const bool merge = is_merge_key();
      TRY(json::Value key_value, node(depth + 1));
      TRY(std::string key, here(key_text(key_value)));
      TRY_OK(advance());
      const size_t length = path_.size();
      if (options_.duplicate_keys) path_ += (path_.empty() ? "" : ".") + key;
      if (options_.duplicate_keys && !merge && members.contains(key) &&
          options_.duplicate_keys->size() < json::kDuplicatesMax) {
        options_.duplicate_keys->push_back(json::short_path(path_));
      }
      TRY(json::Value value, node(depth + 1));
      path_.resize(length);
      weight_.bytes += key.size();
      if (merge) {
        merged.push_back(std::move(value));
      } else {
        members.insert_or_assign(key, std::move(value));
      }
    }
    for (const json::Value& from : merged) TRY_OK(merge_into(members, from));
    json::Value value(std::move(members));
    remember(anchor, value, before);
    return value;
  }

  bool is_merge_key() const {
    if (event_.type() != YAML_SCALAR_EVENT) return false;
    const auto& data = (*event_).data.scalar;
    return data.style == YAML_PLAIN_SCALAR_STYLE && !data.tag &&
           std::string_view(reinterpret_cast<const char*>(data.value), data.length) == "<<";
  }

  // Keys that stand in the mapping itself win; of several merged mappings the first.
  Result<> merge_into(json::Object& members, const json::Value& from) const {
    if (const json::Object* object = from.if_object()) {
      for (const auto& pair : *object) members.emplace(pair.key(), pair.value());
      return Unit{};
    }
    const json::Array* list = from.if_array();
    if (!list) return fail("map merge requires map or sequence of maps as the value");
    for (const json::Value& item : *list) {
      if (!item.is_object()) return fail("map merge requires map or sequence of maps as the value");
      TRY_OK(merge_into(members, item));
    }
    return Unit{};
  }

  Result<> check_tag(std::string_view tag, std::string_view expected) const {
    if (tag.empty() || tag == "!" || tag == fmt::format("tag:yaml.org,2002:{}", expected))
      return Unit{};
    return fail(fmt::format("unknown tag {}", tag.substr(0, 64)));
  }

  void remember(const std::string& anchor, const json::Value& value, const Weight& before) {
    if (anchor.empty()) return;
    anchors_.insert_or_assign(
        anchor, Anchored{value, {weight_.values - before.values, weight_.bytes - before.bytes}});
  }

  const ParseOptions& options_;
  yaml_parser_t parser_{};
  Event event_;
  std::map<std::string, Anchored, std::less<>> anchors_;
  Weight weight_;   // of everything built so far
  Weight aliased_;  // of what came from aliases
  std::string path_;
};

Result<std::vector<json::Value>> read(std::string_view text, const ParseOptions& options) {
  if (text.size() > options.max_bytes) {
    return Error(Code::kTooLarge, fmt::format("the document has {} bytes, at most {} are allowed",
                                              text.size(), options.max_bytes));
  }
  return Builder(text, options).documents();
}

}  // namespace

Result<json::Value> parse(std::string_view text, const ParseOptions& options) {
  TRY(std::vector<json::Value> all, read(text, options));
  if (all.empty()) return json::Value();
  // A separator after the last document starts another, empty one.
  for (size_t i = 1; i < all.size(); ++i) {
    if (!all[i].is_null())
      return Error(Code::kBadRequest,
                   fmt::format("yaml: one document is expected here, there are {}", all.size()));
  }
  return std::move(all.front());
}

Result<std::vector<json::Value>> parse_all(std::string_view text, const ParseOptions& options) {
  TRY(std::vector<json::Value> all, read(text, options));
  std::erase_if(all, [](const json::Value& value) { return value.is_null(); });
  return all;
}

}  // namespace atl::yaml
