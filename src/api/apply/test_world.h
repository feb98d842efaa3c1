#pragma once

#include <gtest/gtest.h>

#include "api/apply/apply.h"
#include "api/apply/test_kind.h"
#include "api/schema/kind.h"
#include "api/schema/test_schema.h"

// What tests of api/apply share.
namespace atl::api {

inline json::Value parsed(std::string_view text) {
  auto value = json::parse(text);
  EXPECT_TRUE(value) << text << "\n" << value.error().message();
  return value ? *std::move(value) : json::Value();
}

inline const KindSet& builtin_kinds() {
  static const KindSet kinds = [] {
    auto set = KindSet::builtin();
    EXPECT_TRUE(set) << set.error().message();
    return *std::move(set);
  }();
  return kinds;
}
inline const Schema& builtin(std::string_view group, std::string_view version,
                             std::string_view kind) {
  const KindPtr found =
      builtin_kinds().find(Gvk{std::string(group), std::string(version), std::string(kind)});
  EXPECT_NE(found, nullptr) << kind;
  return *found->schema;
}

inline const Schema& world() {
  static SchemaSet set;
  static const Schema* schema = test_schema(set, parsed(kWorldSchema));
  return *schema;
}

inline constexpr WallTime kNow{std::chrono::seconds(1'800'000'000)};
inline constexpr const char* kNowText = "2027-01-15T08:00:00Z";

// {"manager operation[/subresource]": fieldsV1} of a document.
inline std::string owners(const json::Value& document) {
  json::Object out;
  for (const json::Value& entry : json::array_at(document, {"metadata", "managedFields"})) {
    std::string key(json::string_at(entry, {"manager"}));
    key += " " + std::string(json::string_at(entry, {"operation"}));
    if (json::find(entry, {"subresource"}))
      key += "/" + std::string(json::string_at(entry, {"subresource"}));
    out[key] = *json::find(entry, {"fieldsV1"});
  }
  return json::serialize(json::Value(out));
}

inline std::string without_managed_fields(json::Value document) {
  json::erase(document, {"metadata", "managedFields"});
  return json::serialize(document);
}

}  // namespace atl::api
