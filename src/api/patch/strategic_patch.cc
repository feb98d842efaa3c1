#include <fmt/format.h>

#include <algorithm>
#include <unordered_set>

#include "api/patch/strategic_impl.h"

// Strategic merge patch. The rules, in the order in which one object is merged:
//   1. $patch: replace|delete takes the whole object;
//   2. $retainKeys drops every live field it does not list;
//   3. $setElementOrder/<list> merges <list> and puts it in that order;
//   4. $deleteFromPrimitiveList/<list> removes values;
//   5. every other field: null deletes, a field that is not there is taken, objects merge, lists
//      merge where the schema has a merge strategy and are replaced otherwise.
// A value taken whole carries neither nulls nor directives, so none is ever stored.
namespace atl::api {
namespace strategic {
namespace {

bool is_directive(std::string_view key) {
  return key == kDirective || key == kRetainKeys ||
         key.starts_with(std::string(kDeletePrefix) + "/") ||
         key.starts_with(std::string(kOrderPrefix) + "/");
}

const Schema* member_schema(const Schema* schema, std::string_view key) {
  if (!schema) return nullptr;
  const Property* property = schema->property(key);
  return property ? property->schema : schema->additional;
}

ListRule rule_of(const Schema* list, std::string_view field) {
  if (!list) return {false, {}, nullptr, field};
  return {list->patch_merge, list->patch_merge_key, list->items, field};
}

Error malformed_order() {
  return Error(Code::kBadRequest, "invalid patch format of setElementOrder list");
}

// Takes a member of the patch over as it is.
void take(json::Object& live, std::string_view key, const json::Value& patch) {
  json::Value value;
  if (clean(patch, value)) {
    live[key] = std::move(value);
  } else {
    live.erase(key);
  }
}

Result<> apply_retain_keys(json::Object& live, const json::Object& patch) {
  const json::Value* list = patch.if_contains(kRetainKeys);
  if (!list) return Unit();
  const Error malformed(Code::kBadRequest, "invalid patch format of retainKeys");
  if (!list->is_array()) return malformed;
  std::vector<std::string_view> keep;
  for (const json::Value& key : list->get_array()) {
    if (key.is_string()) keep.emplace_back(key.get_string());
  }
  std::sort(keep.begin(), keep.end());
  const auto kept = [&](std::string_view key) {
    return std::binary_search(keep.begin(), keep.end(), key);
  };
  for (const auto& [key, value] : patch) {
    if (!value.is_null() && !is_directive(key) && !kept(key)) return malformed;
  }
  std::vector<std::string> gone;
  for (const auto& [key, value] : live) {
    if (!kept(key)) gone.emplace_back(key);
  }
  for (const std::string& key : gone) live.erase(key);
  return Unit();
}

// $setElementOrder/<field>: merges the field and orders it; the caller skips the field afterwards.
Result<> apply_order(const Schema* schema, json::Object& live, const json::Object& patch,
                     std::string_view field, const json::Value& order) {
  if (!order.is_array()) return malformed_order();
  const json::Value* wanted = patch.if_contains(field);
  json::Value* have = live.if_contains(field);
  if ((wanted && !wanted->is_array()) || (have && !have->is_array())) return malformed_order();
  if (!wanted && !have) return Unit();
  ListRule rule = rule_of(member_schema(schema, field), field);
  if (wanted) TRY_OK(check_order(rule, wanted->get_array(), order.get_array()));
  const json::Array before = have ? have->get_array() : json::Array();
  if (!have) {
    take(live, field, *wanted);
  } else if (wanted && rule.merge) {
    TRY_OK(merge_list(rule, have->get_array(), wanted->get_array()));
  } else if (wanted) {
    take(live, field, *wanted);
  }
  return order_list(rule, live[field].get_array(), order.get_array(), before);
}

Result<> delete_from_list(json::Object& live, std::string_view field, const json::Value& gone) {
  if (!gone.is_array()) return Error(Code::kBadRequest, "invalid patch format of primitive list");
  json::Value* have = live.if_contains(field);
  if (have && have->is_array()) delete_primitives(have->get_array(), gone.get_array());
  return Unit();
}

Result<> merge_member(const Schema* schema, json::Object& live, std::string_view key,
                      const json::Value& patch) {
  if (patch.is_null()) {
    live.erase(key);
    return Unit();
  }
  json::Value* have = live.if_contains(key);
  const Schema* member = member_schema(schema, key);
  if (have && have->is_object() && patch.is_object() && !(member && member->patch_replace)) {
    return merge_object(member, have->get_object(), patch.get_object());
  }
  const ListRule rule = rule_of(member, key);
  if (have && have->is_array() && patch.is_array() && rule.merge) {
    return merge_list(rule, have->get_array(), patch.get_array());
  }
  take(live, key, patch);
  return Unit();
}

}  // namespace

bool clean(const json::Value& patch, json::Value& out) {
  if (const json::Object* object = patch.if_object()) {
    if (object->contains(kDirective)) return false;
    json::Object& result = out.emplace_object();
    for (const auto& [key, value] : *object) {
      if (value.is_null() || is_directive(key)) continue;
      json::Value member;
      if (clean(value, member)) result[key] = std::move(member);
    }
  } else if (const json::Array* array = patch.if_array()) {
    json::Array& result = out.emplace_array();
    for (const json::Value& value : *array) {
      json::Value item;
      if (clean(value, item)) result.push_back(std::move(item));
    }
  } else {
    out = patch;
  }
  return true;
}

Result<> merge_object(const Schema* schema, json::Object& live, const json::Object& patch) {
  if (const json::Value* directive = patch.if_contains(kDirective)) {
    const json::String* word = directive->if_string();
    if (!word || (*word != "replace" && *word != "delete")) {
      return Error(Code::kBadRequest, fmt::format("unknown patch type: {} in map",
                                                  json::serialize(*directive).substr(0, 80)));
    }
    json::Value rest;
    if (*word == "replace") {
      json::Object without = patch;
      without.erase(kDirective);
      clean(json::Value(std::move(without)), rest);
    } else {
      rest.emplace_object();
    }
    live = std::move(rest.get_object());
    return Unit();
  }
  TRY_OK(apply_retain_keys(live, patch));
  std::unordered_set<std::string_view> ordered;  // lists that are done
  for (const auto& [key, value] : patch) {
    const std::string_view name = key;
    if (!name.starts_with(kOrderPrefix)) continue;
    if (!is_directive(name)) return malformed_order();
    const std::string_view field = name.substr(kOrderPrefix.size() + 1);
    ordered.insert(field);
    TRY_OK(apply_order(schema, live, patch, field, value));
  }
  for (const auto& [key, value] : patch) {
    const std::string_view name = key;
    if (!name.starts_with(kDeletePrefix)) continue;
    if (!is_directive(name))
      return Error(Code::kBadRequest, "invalid patch format of primitive list");
    TRY_OK(delete_from_list(live, name.substr(kDeletePrefix.size() + 1), value));
  }
  for (const auto& [key, value] : patch) {
    if (is_directive(key) || ordered.contains(key)) continue;
    TRY_OK(merge_member(schema, live, key, value));
  }
  return Unit();
}

}  // namespace strategic

Result<json::Value> strategic_patch(const Schema& schema, json::Value document,
                                    const json::Value& patch) {
  if (!patch.is_object() || !document.is_object()) {
    return Error(Code::kBadRequest,
                 "invalid JSON document: a strategic merge patch must be an object");
  }
  TRY_OK(strategic::merge_object(&schema, document.get_object(), patch.get_object()));
  return document;
}

}  // namespace atl::api
