#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "api/patch/patch.h"

// Inside api/patch: how the lists of a strategic merge patch merge and order.
namespace atl::api::strategic {

inline constexpr std::string_view kDirective = "$patch";
inline constexpr std::string_view kRetainKeys = "$retainKeys";
inline constexpr std::string_view kDeletePrefix = "$deleteFromPrimitiveList";
inline constexpr std::string_view kOrderPrefix = "$setElementOrder";

// Merges one object into another; implemented in strategic_patch.cc, used for items of lists.
Result<> merge_object(const Schema* schema, json::Object& live, const json::Object& patch);

// A patch's value where nothing live stands below it: without nulls and directives. False where the
// value itself is a directive and nothing remains.
bool clean(const json::Value& patch, json::Value& out);

// How a list is to be merged: from its schema, or a plain replacement where none is known.
struct ListRule {
  bool merge = false;
  std::string_view key;  // merge key; empty for lists of primitives
  const Schema* item = nullptr;
  std::string_view field;  // for messages
};

Result<> merge_list(const ListRule& rule, json::Array& live, const json::Array& patch);
void delete_primitives(json::Array& live, const json::Array& gone);
// Sorts `merged` so that items named in `order` stand as there; items it does not name keep their
// places relative to `before`, the list as it was.
Result<> order_list(const ListRule& rule, json::Array& merged, const json::Array& order,
                    const json::Array& before);
// The items of the patch must be in `order`, in that sequence.
Result<> check_order(const ListRule& rule, const json::Array& patch, const json::Array& order);

}  // namespace atl::api::strategic
