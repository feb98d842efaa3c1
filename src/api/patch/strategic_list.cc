#include <fmt/format.h>

#include <algorithm>
#include <unordered_map>
#include <unordered_set>

#include "api/patch/strategic_impl.h"

// Lists of a strategic merge patch. An item is known by its identity: the text of its merge key's
// value in lists of objects, its own text in lists of primitives. Of two live items with one
// identity the first is merged, as the field has it; a deletion removes both.
namespace atl::api::strategic {
namespace {

std::string excerpt(const json::Value& value) {
  std::string text = json::serialize(value);
  if (text.size() > 200) text = text.substr(0, 200) + "...";
  return text;
}

Error no_merge_key(const json::Value& item, std::string_view key) {
  return Error(Code::kBadRequest,
               fmt::format("map: {} does not contain declared merge key: {}", excerpt(item), key));
}

Result<std::string> identity(const ListRule& rule, const json::Value& item) {
  if (rule.key.empty()) return json::serialize(item);
  const json::Object* object = item.if_object();
  if (!object)
    return Error(Code::kBadRequest,
                 fmt::format("{}: {} is not an object", rule.field, excerpt(item)));
  const json::Value* key = object->if_contains(rule.key);
  if (!key) return no_merge_key(item, rule.key);
  return json::serialize(*key);
}

using Positions = std::unordered_map<std::string, size_t>;

// Where each identity stands first.
Result<Positions> positions(const ListRule& rule, const json::Array& list) {
  Positions found;
  for (size_t i = 0; i < list.size(); ++i) {
    TRY(std::string id, identity(rule, list[i]));
    found.emplace(std::move(id), i);
  }
  return found;
}

enum class Sort : uint8_t { kObject, kArray, kText, kNumber, kBool, kNull };
Sort sort_of(const json::Value& value) {
  if (value.is_object()) return Sort::kObject;
  if (value.is_array()) return Sort::kArray;
  if (value.is_string()) return Sort::kText;
  if (value.is_bool()) return Sort::kBool;
  return value.is_null() ? Sort::kNull : Sort::kNumber;
}

// All items of both lists must be of one type, and not lists.
Result<Sort> item_sort(std::string_view field, const json::Array& live, const json::Array& patch) {
  const Sort first = sort_of(live.empty() ? patch[0] : live[0]);
  if (first == Sort::kArray) return Error(Code::kInvalid, "lists of lists are not supported");
  const auto differs = [&](const json::Value& item) { return sort_of(item) != first; };
  if (std::any_of(live.begin(), live.end(), differs) ||
      std::any_of(patch.begin(), patch.end(), differs)) {
    return Error(Code::kBadRequest, fmt::format("{}: list element types are not identical", field));
  }
  return first;
}

void append_missing(json::Array& live, const json::Array& patch) {
  std::unordered_set<std::string> seen;
  json::Array both;
  for (const json::Array* list : {static_cast<const json::Array*>(&live), &patch}) {
    for (const json::Value& item : *list) {
      if (seen.insert(json::serialize(item)).second) both.push_back(item);
    }
  }
  live = std::move(both);
}

struct Special {
  std::unordered_set<std::string> deleted;  // identities
  bool replace = false;
  std::vector<const json::Object*> items;  // the ones without directive
};

Result<Special> sort_out(const ListRule& rule, const json::Array& patch) {
  Special special;
  for (const json::Value& item : patch) {
    const json::Object& object = item.get_object();  // item_sort checked it
    const json::Value* directive = object.if_contains(kDirective);
    if (!directive) {
      special.items.push_back(&object);
      continue;
    }
    const json::String* word = directive->if_string();
    if (word && *word == "delete") {
      TRY(std::string id, identity(rule, item));
      special.deleted.insert(std::move(id));
    } else if (word && *word == "replace") {
      special.replace = true;
    } else if (word && *word == "merge") {
      return Error(Code::kBadRequest, "merging lists cannot yet be specified in the patch");
    } else {
      return Error(Code::kBadRequest, fmt::format("unknown patch type: {} in map: {}",
                                                  excerpt(*directive), excerpt(item)));
    }
  }
  return special;
}

Result<> merge_objects(const ListRule& rule, json::Array& live,
                       const std::vector<const json::Object*>& patch) {
  TRY(Positions at, positions(rule, live));
  for (const json::Object* object : patch) {
    const json::Value* key = object->if_contains(rule.key);
    if (!key) return no_merge_key(json::Value(*object), rule.key);
    const auto [it, fresh] = at.emplace(json::serialize(*key), live.size());
    if (!fresh) {
      TRY_OK(merge_object(rule.item, live[it->second].get_object(), *object));
      continue;
    }
    json::Value item;
    if (clean(json::Value(*object), item)) live.push_back(std::move(item));
  }
  return Unit();
}

struct Placed {
  size_t rank;      // where to stand among its like
  ptrdiff_t place;  // where it stood before, -1 if nowhere
  json::Value item;
};

// `rest` and `named`, each by rank, interleaved: an item of `rest` goes first only where the list
// before had it in front of the next named one.
json::Array interleave(std::vector<Placed> rest, std::vector<Placed> named) {
  const auto by_rank = [](const Placed& a, const Placed& b) { return a.rank < b.rank; };
  std::sort(rest.begin(), rest.end(), by_rank);
  std::sort(named.begin(), named.end(), by_rank);
  json::Array out;
  out.reserve(rest.size() + named.size());
  size_t left = 0;
  size_t right = 0;
  while (left < rest.size() || right < named.size()) {
    bool take_left = right == named.size();
    if (!take_left && left < rest.size()) {
      take_left =
          rest[left].place >= 0 && named[right].place >= 0 && rest[left].place < named[right].place;
    }
    out.push_back(std::move(take_left ? rest[left++].item : named[right++].item));
  }
  return out;
}

}  // namespace

void delete_primitives(json::Array& live, const json::Array& gone) {
  std::unordered_set<std::string> names;
  for (const json::Value& item : gone) names.insert(json::serialize(item));
  json::Array kept;
  for (json::Value& item : live) {
    if (!names.contains(json::serialize(item))) kept.push_back(std::move(item));
  }
  live = std::move(kept);
}

Result<> order_list(const ListRule& rule, json::Array& merged, const json::Array& order,
                    const json::Array& before) {
  TRY(const Positions wanted, positions(rule, order));
  TRY(const Positions was, positions(rule, before));
  std::vector<Placed> named;
  std::vector<Placed> rest;
  for (size_t i = 0; i < merged.size(); ++i) {
    TRY(const std::string id, identity(rule, merged[i]));
    const auto old = was.find(id);
    const ptrdiff_t place = old == was.end() ? -1 : ptrdiff_t(old->second);
    // Items of equal rank (one identity twice) keep their sequence.
    const auto rank = [&](size_t main) { return main * (merged.size() + 1) + i; };
    if (const auto it = wanted.find(id); it != wanted.end()) {
      named.push_back({rank(it->second), place, std::move(merged[i])});
    } else {
      rest.push_back(
          {rank(place < 0 ? before.size() : size_t(place)), place, std::move(merged[i])});
    }
  }
  merged = interleave(std::move(rest), std::move(named));
  return Unit();
}

Result<> merge_list(const ListRule& rule, json::Array& live, const json::Array& patch) {
  if (live.empty() && patch.empty()) return Unit();
  TRY(const Sort sort, item_sort(rule.field, live, patch));
  ListRule by = rule;
  if (sort != Sort::kObject) {
    by.key = {};
    const json::Array before = live;
    append_missing(live, patch);
    return order_list(by, live, patch, before);
  }
  if (rule.key.empty()) {
    return Error(Code::kBadRequest,
                 fmt::format("cannot merge lists without merge key for {}", rule.field));
  }
  TRY(const Special special, sort_out(rule, patch));
  json::Array kept;
  if (!special.replace) {
    for (json::Value& item : live) {
      TRY(const std::string id, identity(rule, item));
      if (!special.deleted.contains(id)) kept.push_back(std::move(item));
    }
  }
  live = std::move(kept);
  json::Array keys;  // the order to give: that of the patch
  for (const json::Object* object : special.items) keys.emplace_back(*object);
  const json::Array before = live;
  TRY_OK(merge_objects(rule, live, special.items));
  return order_list(rule, live, keys, before);
}

Result<> check_order(const ListRule& rule, const json::Array& patch, const json::Array& order) {
  if (order.empty()) return Unit();
  size_t at = 0;
  for (const json::Value& item : patch) {
    if (item.is_object() && item.get_object().contains(kDirective)) continue;
    TRY(const std::string id, identity(rule, item));
    for (; at < order.size(); ++at) {
      TRY(const std::string other, identity(rule, order[at]));
      if (other == id) break;
    }
    if (at++ >= order.size()) {
      return Error(
          Code::kBadRequest,
          fmt::format("The order in patch list:\n{}\n doesn't match $setElementOrder list:\n{}\n",
                      excerpt(json::Value(patch)), excerpt(json::Value(order))));
    }
  }
  return Unit();
}

}  // namespace atl::api::strategic
