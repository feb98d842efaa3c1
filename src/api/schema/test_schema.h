#pragma once

#include <string_view>

#include "api/schema/schema.h"
#include "base/core/check.h"
#include "base/text/json.h"

// Schemas for tests, written by hand as short JSON instead of taken from kinds/:
//   "string"                          a scalar type ("object" and "any" stay open)
//   ["string"], ["set","string"]      a list: atomic, or a set
//   ["map","name,port",{...}]         a list of objects with its keys
//   {"a":..., "b":...}                an object
//   {"*":...}                         a map
// Words after "$" change the node: {"$":"atomic retainKeys replace", ...};
// {"$default":v,"$type":"string"} a scalar with a default; lists take "merge" or "merge=key" in
// front: ["merge=name",{...}].
namespace atl::api {

inline Schema* test_schema(SchemaSet& set, const json::Value& text);

namespace test_schema_detail {

inline SchemaType type_of(std::string_view word) {
  if (word == "string") return SchemaType::kString;
  if (word == "integer") return SchemaType::kInteger;
  if (word == "number") return SchemaType::kNumber;
  if (word == "boolean") return SchemaType::kBoolean;
  if (word == "object") return SchemaType::kObject;
  CHECK(word == "any");
  return SchemaType::kAny;
}

inline void read_list(SchemaSet& set, const json::Array& words, Schema& out) {
  out.type = SchemaType::kArray;
  for (const json::Value& word : words) {
    if (&word == &words.back()) break;
    const std::string_view text = word.get_string();
    if (text == "set") {
      out.list_type = ListType::kSet;
    } else if (text == "map") {
      out.list_type = ListType::kMap;
    } else if (text.starts_with("merge")) {
      out.patch_merge = true;
      if (text.size() > 6) out.patch_merge_key = text.substr(6);
    } else {  // keys of the map, joined by commas
      for (size_t from = 0; from <= text.size();) {
        const size_t to = std::min(text.find(',', from), text.size());
        out.list_map_keys.emplace_back(text.substr(from, to - from));
        from = to + 1;
      }
    }
  }
  out.items = test_schema(set, words.back());
}

inline void read_object(SchemaSet& set, const json::Object& members, Schema& out) {
  out.type = SchemaType::kObject;
  for (const auto& [key, value] : members) {
    if (key == "$") {
      const std::string_view words = value.get_string();
      if (words.find("atomic") != words.npos) out.map_type = MapType::kAtomic;
      out.patch_retain_keys = words.find("retainKeys") != words.npos;
      out.patch_replace = words.find("replace") != words.npos;
      out.preserve_unknown = words.find("preserve") != words.npos;
    } else if (key == "$default") {
      out.default_value = value;
    } else if (key == "$type") {
      out.type = type_of(value.get_string());
    } else if (key == "*") {
      out.additional = test_schema(set, value);
    } else {
      out.properties[key].schema = test_schema(set, value);
    }
  }
}

}  // namespace test_schema_detail

inline Schema* test_schema(SchemaSet& set, const json::Value& text) {
  Schema* out = set.make();
  if (const json::String* word = text.if_string()) {
    out->type = test_schema_detail::type_of(*word);
  } else if (const json::Array* words = text.if_array()) {
    test_schema_detail::read_list(set, *words, *out);
  } else {
    test_schema_detail::read_object(set, text.get_object(), *out);
  }
  return out;
}

}  // namespace atl::api
