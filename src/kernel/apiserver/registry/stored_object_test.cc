#include "kernel/apiserver/registry/stored_object.h"

#include <gtest/gtest.h>

#include "kernel/apiserver/registry/continue_token.h"
#include "kernel/apiserver/registry/store_keys.h"

namespace atl::apiserver {
namespace {

json::Value document(std::string_view text) {
  return *json::parse(text);
}

TEST(StoredObject, TheRevisionIsSplicedIntoItsPlace) {
  const json::Value object = document(
      R"({"kind":"A","apiVersion":"v1","metadata":{"uid":"u","name":"n","resourceVersion":"9","labels":{"z":"1","b":"2"}},"zz":{"uid":1}})");
  const auto value = encode_stored(object);
  ASSERT_TRUE(value.has_value());
  const auto text = decode_stored(*value, Revision{42});
  ASSERT_TRUE(text.has_value());
  EXPECT_EQ(
      *text,
      R"({"apiVersion":"v1","kind":"A","metadata":{"labels":{"b":"2","z":"1"},"name":"n","resourceVersion":"42","uid":"u"},"zz":{"uid":1}})");
  json::Value expected = object;
  json::set(expected, {"metadata", "resourceVersion"}, json::Value("42"));
  EXPECT_EQ(*text, json::serialize(expected)) << "canonical, as if it had been written whole";
}

TEST(StoredObject, RefusesWhatCannotBeStoredOrRead) {
  EXPECT_FALSE(encode_stored(document(R"({"metadata":{"name":"no uid"}})")).has_value());
  json::Value large = document(R"({"metadata":{"uid":"u"}})");
  json::set(large, {"data"}, json::Value(std::string(kStoredBytesMax, 'x')));
  const auto refused = encode_stored(large);
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code(), Code::kTooLarge);
  for (const std::string_view damaged :
       {"", "AO1\n", "XXXX\1\0\0\0{}", "AO1\n\xff\xff\xff\xff{}"}) {
    const auto text = decode_stored(damaged, Revision{1});
    ASSERT_FALSE(text.has_value());
    EXPECT_EQ(text.error().code(), Code::kInternal);
  }
}

TEST(StoreKeys, GoThereAndBack) {
  EXPECT_EQ(resource_prefix("", "pods") + item_key({"d", "p"}), "/core/pods/d/p");
  EXPECT_EQ(resource_prefix("apps", "deployments") + item_key({"", "x"}), "/apps/deployments/x");
  const auto key = read_store_key("/core/pods/d/p");
  ASSERT_TRUE(key.has_value());
  EXPECT_EQ(key->group, "");
  EXPECT_EQ(key->resource, "pods");
  EXPECT_EQ(key->item, "d/p");
  for (const std::string_view odd : {"", "core/pods/x", "/core", "/core/pods", "/core/pods/"}) {
    EXPECT_FALSE(read_store_key(odd).has_value()) << odd;
  }
}

TEST(ContinueTokens, GoThereAndBack) {
  for (const ContinueToken& token :
       {ContinueToken{Revision{7}, "a/b"}, ContinueToken{std::nullopt, std::string("k\0", 2)}}) {
    const auto back = decode_continue(encode_continue(token));
    ASSERT_TRUE(back.has_value());
    EXPECT_EQ(back->start, token.start);
    EXPECT_EQ(back->revision, token.revision);
  }
  for (const std::string_view odd : {"", "e30", "!", "eyJ2IjoieCJ9"})
    EXPECT_FALSE(decode_continue(odd).has_value()) << odd;
}

}  // namespace
}  // namespace atl::apiserver
