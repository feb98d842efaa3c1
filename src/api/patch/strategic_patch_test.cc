#include <gtest/gtest.h>

#include "api/patch/patch.h"
#include "api/schema/test_schema.h"

namespace atl::api {
namespace {

// A small world with every merge rule that the built-in kinds have.
constexpr const char* kWorld = R"({
  "name": "string", "value": "string", "count": "integer",
  "simpleMap": {"*": "string"},
  "strategy": {"$": "retainKeys", "type": "string", "rolling": {"surge": "integer", "extra": "string"}},
  "selector": {"$": "replace", "labels": {"*": "string"}},
  "items": ["merge=name", {"name": "string", "value": "string", "other": "string",
                           "sub": ["merge=name", {"name": "string", "value": "string"}],
                           "ports": ["merge=port", {"port": "integer", "protocol": "string"}]}],
  "finalizers": ["merge", "string"], "numbers": ["merge", "integer"],
  "args": ["string"], "atomicItems": [{"name": "string", "value": "string"}],
  "open": "any"
})";

json::Value parsed(std::string_view text) {
  auto value = json::parse(text);
  EXPECT_TRUE(value) << text;
  return value ? *std::move(value) : json::Value();
}

class StrategicPatch : public ::testing::Test {
 protected:
  Result<json::Value> patch(const char* document, const char* with) {
    return strategic_patch(*schema_, parsed(document), parsed(with));
  }
  SchemaSet set_;
  Schema* schema_ = test_schema(set_, parsed(kWorld));
};

struct Case {
  const char* why;
  const char* document;
  const char* patch;
  const char* want;
};

TEST_F(StrategicPatch, Objects) {
  const Case cases[] = {
      {"scalars replace", R"({"name":"a","count":1})", R"({"name":"b"})",
       R"({"name":"b","count":1})"},
      {"null deletes", R"({"name":"a","count":1})", R"({"count":null})", R"({"name":"a"})"},
      {"null on nothing is nothing", R"({"name":"a"})", R"({"count":null})", R"({"name":"a"})"},
      {"maps merge", R"({"simpleMap":{"a":"1","b":"2"}})", R"({"simpleMap":{"b":"3","a":null}})",
       R"({"simpleMap":{"b":"3"}})"},
      {"nulls in a new map are not stored", R"({})", R"({"simpleMap":{"a":"1","b":null}})",
       R"({"simpleMap":{"a":"1"}})"},
      {"$patch: replace takes the map whole", R"({"simpleMap":{"a":"1"}})",
       R"({"simpleMap":{"$patch":"replace","b":"2"}})", R"({"simpleMap":{"b":"2"}})"},
      {"$patch: delete empties the map", R"({"simpleMap":{"a":"1"}})",
       R"({"simpleMap":{"$patch":"delete"}})", R"({"simpleMap":{}})"},
      {"a directive for a map that is not there is nothing", R"({"name":"a"})",
       R"({"simpleMap":{"$patch":"delete"}})", R"({"name":"a"})"},
      {"$patch at the root", R"({"name":"a","count":1})", R"({"$patch":"replace","name":"b"})",
       R"({"name":"b"})"},
      {"$retainKeys drops what it does not list",
       R"({"strategy":{"type":"Rolling","rolling":{"surge":1}}})",
       R"({"strategy":{"$retainKeys":["type"],"type":"Recreate"}})",
       R"({"strategy":{"type":"Recreate"}})"},
      {"$retainKeys with a merged child",
       R"({"strategy":{"type":"x","rolling":{"surge":1,"extra":"e"}}})",
       R"({"strategy":{"$retainKeys":["rolling"],"rolling":{"surge":2}}})",
       R"({"strategy":{"rolling":{"surge":2,"extra":"e"}}})"},
      {"$retainKeys allows nulls that it does not list",
       R"({"strategy":{"type":"x","rolling":{"surge":1}}})",
       R"({"strategy":{"$retainKeys":["type"],"type":"y","rolling":null}})",
       R"({"strategy":{"type":"y"}})"},
      {"the replace strategy takes an object whole", R"({"selector":{"labels":{"a":"1"}}})",
       R"({"selector":{"labels":{"b":"2"}}})", R"({"selector":{"labels":{"b":"2"}}})"},
      {"another type replaces", R"({"open":[1]})", R"({"open":{"a":1}})", R"({"open":{"a":1}})"},
      {"open objects merge", R"({"open":{"a":{"x":1}}})", R"({"open":{"a":{"y":2}}})",
       R"({"open":{"a":{"x":1,"y":2}}})"},
      {"open lists replace", R"({"open":{"a":[1]}})", R"({"open":{"a":[2]}})",
       R"({"open":{"a":[2]}})"},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.why);
    const auto result = patch(c.document, c.patch);
    ASSERT_TRUE(result) << result.error().message();
    EXPECT_EQ(json::serialize(*result), json::serialize(parsed(c.want)));
  }
}

TEST_F(StrategicPatch, Lists) {
  const Case cases[] = {
      {"items merge by key", R"({"items":[{"name":"a","value":"1","other":"o"},{"name":"b"}]})",
       R"({"items":[{"name":"a","value":"2"}]})",
       R"({"items":[{"name":"a","value":"2","other":"o"},{"name":"b"}]})"},
      {"a new item goes to the front, as in the field", R"({"items":[{"name":"a"}]})",
       R"({"items":[{"name":"b"}]})", R"({"items":[{"name":"b"},{"name":"a"}]})"},
      {"patched items take the order of the patch",
       R"({"items":[{"name":"a"},{"name":"b"},{"name":"c"}]})",
       R"({"items":[{"name":"c","value":"1"},{"name":"a","value":"2"}]})",
       R"({"items":[{"name":"b"},{"name":"c","value":"1"},{"name":"a","value":"2"}]})"},
      {"null in an item deletes", R"({"items":[{"name":"a","value":"1"}]})",
       R"({"items":[{"name":"a","value":null}]})", R"({"items":[{"name":"a"}]})"},
      {"$patch: delete removes an item", R"({"items":[{"name":"a"},{"name":"b"}]})",
       R"({"items":[{"name":"a","$patch":"delete"}]})", R"({"items":[{"name":"b"}]})"},
      {"all items of that key",
       R"({"items":[{"name":"a","value":"1"},{"name":"b"},{"name":"a","value":"2"}]})",
       R"({"items":[{"name":"a","$patch":"delete"}]})", R"({"items":[{"name":"b"}]})"},
      {"delete and add in one patch", R"({"items":[{"name":"a","value":"1"}]})",
       R"({"items":[{"name":"a","$patch":"delete"},{"name":"a","other":"o"}]})",
       R"({"items":[{"name":"a","other":"o"}]})"},
      {"$patch: replace takes the list whole", R"({"items":[{"name":"a"},{"name":"b"}]})",
       R"({"items":[{"name":"c"},{"$patch":"replace"}]})", R"({"items":[{"name":"c"}]})"},
      {"an item that is not there is not deleted", R"({"items":[{"name":"b"}]})",
       R"({"items":[{"name":"a","$patch":"delete"}]})", R"({"items":[{"name":"b"}]})"},
      {"a deletion in a list that is not there", R"({})",
       R"({"items":[{"name":"a","$patch":"delete"},{"name":"b"}]})", R"({"items":[{"name":"b"}]})"},
      {"lists in items merge too",
       R"({"items":[{"name":"a","sub":[{"name":"x","value":"1"},{"name":"y"}]}]})",
       R"({"items":[{"name":"a","sub":[{"name":"x","value":"2"},{"name":"y","$patch":"delete"}]}]})",
       R"({"items":[{"name":"a","sub":[{"name":"x","value":"2"}]}]})"},
      {"numbers are keys", R"({"items":[{"name":"a","ports":[{"port":80,"protocol":"TCP"}]}]})",
       R"({"items":[{"name":"a","ports":[{"port":80,"protocol":"UDP"},{"port":81}]}]})",
       R"({"items":[{"name":"a","ports":[{"port":80,"protocol":"UDP"},{"port":81}]}]})"},
      {"atomic lists are replaced", R"({"args":["a","b"]})", R"({"args":["c"]})",
       R"({"args":["c"]})"},
      {"atomic lists of objects too", R"({"atomicItems":[{"name":"a"}]})",
       R"({"atomicItems":[{"name":"b"}]})", R"({"atomicItems":[{"name":"b"}]})"},
      {"null removes a list", R"({"items":[{"name":"a"}]})", R"({"items":null})", "{}"},
      {"the empty list changes nothing in a merged one", R"({"items":[{"name":"a"}]})",
       R"({"items":[]})", R"({"items":[{"name":"a"}]})"},
      {"the empty list replaces an atomic one", R"({"args":["a"]})", R"({"args":[]})",
       R"({"args":[]})"},
      {"primitive lists unite", R"({"finalizers":["a","b"]})", R"({"finalizers":["c","a"]})",
       R"({"finalizers":["c","a","b"]})"},
      {"$deleteFromPrimitiveList", R"({"finalizers":["a","b","c"]})",
       R"({"$deleteFromPrimitiveList/finalizers":["a","x"]})", R"({"finalizers":["b","c"]})"},
      {"with additions", R"({"numbers":[1,2,3]})",
       R"({"$deleteFromPrimitiveList/numbers":[1],"numbers":[4]})", R"({"numbers":[4,2,3]})"},
      {"from a list that is not there", R"({"name":"a"})",
       R"({"$deleteFromPrimitiveList/finalizers":["a"]})", R"({"name":"a"})"},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.why);
    const auto result = patch(c.document, c.patch);
    ASSERT_TRUE(result) << result.error().message();
    EXPECT_EQ(json::serialize(*result), json::serialize(parsed(c.want)));
  }
}

TEST_F(StrategicPatch, SetElementOrder) {
  const Case cases[] = {
      {"orders without other changes", R"({"items":[{"name":"a"},{"name":"b"},{"name":"c"}]})",
       R"({"$setElementOrder/items":[{"name":"c"},{"name":"a"},{"name":"b"}]})",
       R"({"items":[{"name":"c"},{"name":"a"},{"name":"b"}]})"},
      {"items of others keep their place before what they preceded",
       R"({"items":[{"name":"x"},{"name":"a"},{"name":"b"}]})",
       R"({"$setElementOrder/items":[{"name":"b"},{"name":"a"}]})",
       R"({"items":[{"name":"x"},{"name":"b"},{"name":"a"}]})"},
      {"a new item of the patch stands where the order says",
       R"({"items":[{"name":"a"},{"name":"b"}]})",
       R"({"$setElementOrder/items":[{"name":"a"},{"name":"n"},{"name":"b"}],"items":[{"name":"n","value":"1"}]})",
       R"({"items":[{"name":"a"},{"name":"n","value":"1"},{"name":"b"}]})"},
      {"deletions need not be in the order", R"({"items":[{"name":"a"},{"name":"b"}]})",
       R"({"$setElementOrder/items":[{"name":"b"}],"items":[{"name":"a","$patch":"delete"}]})",
       R"({"items":[{"name":"b"}]})"},
      {"primitives", R"({"finalizers":["a","b","s"]})",
       R"({"$setElementOrder/finalizers":["b","n","a"],"finalizers":["n"]})",
       R"({"finalizers":["b","n","a","s"]})"},
      {"primitives with deletions", R"({"finalizers":["a","b","c"]})",
       R"({"$setElementOrder/finalizers":["c","a"],"$deleteFromPrimitiveList/finalizers":["b"]})",
       R"({"finalizers":["c","a"]})"},
      {"in a list that is not there", R"({})",
       R"({"$setElementOrder/items":[{"name":"b"},{"name":"a"}],"items":[{"name":"b"},{"name":"a"}]})",
       R"({"items":[{"name":"b"},{"name":"a"}]})"},
      {"of a list nobody has", R"({"name":"n"})", R"({"$setElementOrder/items":[{"name":"b"}]})",
       R"({"name":"n"})"},
      {"directives of a field taken whole are not stored", R"({})",
       R"({"strategy":{"$retainKeys":["type"],"$setElementOrder/x":["a"],"type":"y"}})",
       R"({"strategy":{"type":"y"}})"},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.why);
    const auto result = patch(c.document, c.patch);
    ASSERT_TRUE(result) << result.error().message();
    EXPECT_EQ(json::serialize(*result), json::serialize(parsed(c.want)));
  }
}

TEST_F(StrategicPatch, Refuses) {
  struct {
    const char* why;
    const char* document;
    const char* patch;
    Code code;
    const char* message;
  } const cases[] = {
      {"not an object", R"({})", "[]", Code::kBadRequest, "invalid JSON document"},
      {"an unknown directive", R"({"simpleMap":{}})", R"({"simpleMap":{"$patch":"merge"}})",
       Code::kBadRequest, "unknown patch type: \"merge\""},
      {"an unknown directive of an item", R"({"items":[]})", R"({"items":[{"$patch":"frob"}]})",
       Code::kBadRequest, "unknown patch type: \"frob\""},
      {"merge is no directive of lists", R"({"items":[]})", R"({"items":[{"$patch":"merge"}]})",
       Code::kBadRequest, "merging lists cannot yet be specified in the patch"},
      {"an item without its key", R"({"items":[{"name":"a"}]})", R"({"items":[{"value":"1"}]})",
       Code::kBadRequest, "does not contain declared merge key: name"},
      {"a deletion without its key", R"({"items":[{"name":"a"}]})",
       R"({"items":[{"$patch":"delete"}]})", Code::kBadRequest,
       "does not contain declared merge key: name"},
      {"mixed items", R"({"finalizers":["a"]})", R"({"finalizers":[1]})", Code::kBadRequest,
       "list element types are not identical"},
      {"lists of lists", R"({"finalizers":["a"]})", R"({"finalizers":[["a"]]})", Code::kBadRequest,
       "not identical"},
      {"lists of lists alone", R"({"finalizers":[]})", R"({"finalizers":[["a"]]})", Code::kInvalid,
       "lists of lists are not supported"},
      {"$retainKeys is no list", R"({"strategy":{}})", R"({"strategy":{"$retainKeys":"type"}})",
       Code::kBadRequest, "invalid patch format of retainKeys"},
      {"a field that is not retained", R"({"strategy":{}})",
       R"({"strategy":{"$retainKeys":["type"],"rolling":{}}})", Code::kBadRequest,
       "invalid patch format of retainKeys"},
      {"an order that is no list", R"({"items":[]})", R"({"$setElementOrder/items":"a"})",
       Code::kBadRequest, "invalid patch format of setElementOrder list"},
      {"an order that the patch does not follow", R"({"items":[{"name":"a"}]})",
       R"({"$setElementOrder/items":[{"name":"a"},{"name":"b"}],"items":[{"name":"b"},{"name":"a"}]})",
       Code::kBadRequest, "doesn't match $setElementOrder list"},
      {"an order that lacks an item", R"({"items":[{"name":"a"}]})",
       R"({"$setElementOrder/items":[{"name":"a"}],"items":[{"name":"b"}]})", Code::kBadRequest,
       "doesn't match"},
      {"a deletion that is no list", R"({"finalizers":["a"]})",
       R"({"$deleteFromPrimitiveList/finalizers":"a"})", Code::kBadRequest,
       "invalid patch format of primitive list"},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(c.why);
    const auto result = patch(c.document, c.patch);
    ASSERT_FALSE(result) << json::serialize(*result);
    EXPECT_EQ(result.error().code(), c.code);
    EXPECT_NE(result.error().message().find(c.message), std::string::npos)
        << result.error().message();
  }
}

TEST_F(StrategicPatch, LargeListsTakeLinearTime) {
  json::Array live;
  json::Array patch_items;
  json::Array order;
  for (int i = 0; i < 20'000; ++i) {
    const std::string name = "item-" + std::to_string(i);
    live.push_back(json::Object{{"name", name}, {"value", "1"}});
    patch_items.push_back(json::Object{{"name", name}, {"value", "2"}});
    order.push_back(json::Object{{"name", name}});
  }
  const auto result =
      strategic_patch(*schema_, json::Object{{"items", live}},
                      json::Object{{"items", patch_items}, {"$setElementOrder/items", order}});
  ASSERT_TRUE(result) << result.error().message();
  EXPECT_EQ(json::serialize(*json::find(*result, {"items"})), json::serialize(patch_items));
}

}  // namespace
}  // namespace atl::api
