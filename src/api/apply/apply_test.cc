#include "api/apply/apply.h"

#include "api/apply/test_world.h"

namespace atl::api {
namespace {

std::string with_head(std::string_view spec, std::string_view metadata = R"("name":"w")") {
  return "{\"apiVersion\":\"x/v1\",\"kind\":\"W\",\"metadata\":{" + std::string(metadata) +
         "},\"spec\":" + std::string(spec) + "}";
}

// A cluster of one object.
class Apply : public ::testing::Test {
 protected:
  Result<Applied> apply_as(const char* who, std::string_view spec, bool force = false) {
    now_ += std::chrono::seconds(1);
    auto applied = apply(world(), live_.is_null() ? nullptr : &live_, parsed(with_head(spec)),
                         {who, "x/v1", ""}, force, now_);
    if (applied) live_ = applied->document;
    return applied;
  }
  void update_as(const char* who, std::string_view spec, std::string_view subresource = "") {
    now_ += std::chrono::seconds(1);
    json::Value after = live_.is_null() ? parsed(with_head(spec)) : live_;
    json::set(after, {"spec"}, parsed(spec));
    track_update(world(), live_.is_null() ? nullptr : &live_, after,
                 {who, "x/v1", std::string(subresource)}, now_);
    live_ = std::move(after);
  }
  std::string spec() const {
    const json::Value* at = json::find(live_, {"spec"});
    return at ? json::serialize(*at) : "";
  }

  json::Value live_;
  WallTime now_ = kNow;
};

TEST_F(Apply, CreatesAndOwnsWhatItNames) {
  const auto applied = apply_as(
      "a",
      R"({"replicas":1,"items":[{"name":"x","value":"1"}],"set":["s"],"atomicList":["l"],"map":{"k":"v"},"atomicMap":{"k":"v"},"mapOfStructs":{"m":{"x":1}}})");
  ASSERT_TRUE(applied) << applied.error().message();
  EXPECT_TRUE(applied->changed);
  EXPECT_EQ(
      owners(live_),
      json::serialize(parsed(
          R"({"a Apply":{"f:spec":{"f:replicas":{},"f:items":{"k:{\"name\":\"x\"}":{".":{},"f:name":{},"f:value":{}}},
      "f:set":{"v:\"s\"":{}},"f:atomicList":{},"f:map":{"f:k":{}},"f:atomicMap":{},"f:mapOfStructs":{"f:m":{".":{},"f:x":{}}}}}})")));
}

TEST_F(Apply, AgainChangesNothing) {
  ASSERT_TRUE(apply_as("a", R"({"replicas":1,"items":[{"name":"x"}]})"));
  const std::string before = json::serialize(live_);
  const auto again = apply_as("a", R"({"items":[{"name":"x"}],"replicas":1})");
  ASSERT_TRUE(again);
  EXPECT_FALSE(again->changed);
  EXPECT_EQ(json::serialize(live_), before);
}

TEST_F(Apply, ConflictsNameManagerAndField) {
  update_as("ctl", R"({"replicas":1,"name":"n"})");
  auto conflict = apply_as("a", R"({"replicas":2})");
  ASSERT_FALSE(conflict);
  EXPECT_EQ(conflict.error().code(), Code::kConflict);
  EXPECT_EQ(conflict.error().message(),
            R"(Apply failed with 1 conflict: conflict with "ctl" using x/v1: .spec.replicas)");
  EXPECT_EQ(conflict.error().causes(),
            (std::vector<Cause>{
                {"FieldManagerConflict", R"(conflict with "ctl" using x/v1)", ".spec.replicas"}}));
  conflict = apply_as("a", R"({"replicas":2,"name":"m"})");
  ASSERT_FALSE(conflict);
  EXPECT_EQ(conflict.error().message(),
            "Apply failed with 2 conflicts: conflicts with \"ctl\" using x/v1:\n- .spec.name\n- "
            ".spec.replicas");
  ASSERT_TRUE(apply_as("a", R"({"replicas":2})", true));
  EXPECT_EQ(spec(), R"({"name":"n","replicas":2})");
  EXPECT_EQ(
      owners(live_),
      R"({"a Apply":{"f:spec":{"f:replicas":{}}},"ctl Update":{"f:spec":{".":{},"f:name":{}}}})");
  const auto second = apply_as("b", R"({"replicas":3})");
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().message(),
            R"(Apply failed with 1 conflict: conflict with "a": .spec.replicas)")
      << "appliers have no version";
}

TEST_F(Apply, ConflictsOfASubresourceSaySo) {
  update_as("ctl", R"({"replicas":1})", "");
  update_as("ctl", R"({"replicas":2})", "scale");
  const auto conflict = apply_as("a", R"({"replicas":3})");
  ASSERT_FALSE(conflict);
  EXPECT_EQ(
      conflict.error().message(),
      R"(Apply failed with 1 conflict: conflict with "ctl" with subresource "scale" using x/v1: .spec.replicas)");
}

TEST_F(Apply, TheSameValueIsShared) {
  ASSERT_TRUE(apply_as("a", R"({"replicas":1,"name":"n"})"));
  const auto shared = apply_as("b", R"({"replicas":1})");
  ASSERT_TRUE(shared) << shared.error().message();
  EXPECT_TRUE(shared->changed);
  EXPECT_EQ(
      owners(live_),
      R"({"a Apply":{"f:spec":{"f:name":{},"f:replicas":{}}},"b Apply":{"f:spec":{"f:replicas":{}}}})");
  ASSERT_TRUE(apply_as("a", R"({"name":"n"})"));
  EXPECT_EQ(spec(), R"({"name":"n","replicas":1})") << "the other still owns it";
  ASSERT_TRUE(apply_as("b", "{}"));
  EXPECT_EQ(spec(), R"({"name":"n"})");
}

struct Step {
  const char* who;
  const char* spec;
};
struct Removal {
  const char* why;
  std::vector<Step> steps;
  const char* want;
};

TEST_F(Apply, WhatIsLeftOutGoes) {
  const Removal cases[] = {
      {"a field",
       {{"a", R"({"replicas":1,"name":"n"})"}, {"a", R"({"name":"n"})"}},
       R"({"name":"n"})"},
      {"a struct",
       {{"a", R"({"name":"n","struct":{"a":1,"b":"x"}})"}, {"a", R"({"name":"n"})"}},
       R"({"name":"n"})"},
      {"a field of a struct",
       {{"a", R"({"struct":{"a":1,"b":"x"}})"}, {"a", R"({"struct":{"a":1}})"}},
       R"({"struct":{"a":1}})"},
      {"an item of a map",
       {{"a", R"({"map":{"x":"1","y":"2"}})"}, {"a", R"({"map":{"x":"1"}})"}},
       R"({"map":{"x":"1"}})"},
      {"an item of a list",
       {{"a", R"({"items":[{"name":"x"},{"name":"y"}]})"}, {"a", R"({"items":[{"name":"y"}]})"}},
       R"({"items":[{"name":"y"}]})"},
      {"an item of a set",
       {{"a", R"({"set":["x","y"]})"}, {"a", R"({"set":["y"]})"}},
       R"({"set":["y"]})"},
      {"a field of an item",
       {{"a", R"({"items":[{"name":"x","value":"1"}]})"}, {"a", R"({"items":[{"name":"x"}]})"}},
       R"({"items":[{"name":"x"}]})"},
      {"a set within an item",
       {{"a", R"({"items":[{"name":"x","sub":["p","q"]}]})"},
        {"a", R"({"items":[{"name":"x","sub":["q"]}]})"}},
       R"({"items":[{"name":"x","sub":["q"]}]})"},
      {"an atomic list is replaced",
       {{"a", R"({"atomicList":["x","y"]})"}, {"a", R"({"atomicList":["z"]})"}},
       R"({"atomicList":["z"]})"},
      {"an atomic map is replaced",
       {{"a", R"({"atomicMap":{"x":"1","y":"2"}})"}, {"a", R"({"atomicMap":{"z":"1"}})"}},
       R"({"atomicMap":{"z":"1"}})"},
      {"an item that another applier holds stays",
       {{"a", R"({"set":["x","y"]})"}, {"b", R"({"set":["x"]})"}, {"a", R"({"set":["y"]})"}},
       R"({"set":["x","y"]})"},
      {"a field of an item that another holds",
       {{"a", R"({"items":[{"name":"x","value":"1"}]})"},
        {"b", R"({"items":[{"name":"x","other":"o"}]})"},
        {"a", R"({"name":"n"})"}},
       R"({"items":[{"name":"x","other":"o"}],"name":"n"})"},
      {"a map entry with fields of two",
       {{"a", R"({"mapOfStructs":{"m":{"x":1}}})"},
        {"b", R"({"mapOfStructs":{"m":{"y":2}}})"},
        {"a", R"({"name":"n"})"}},
       R"({"mapOfStructs":{"m":{"y":2}},"name":"n"})"},
      {"the last of all",
       {{"a", R"({"set":["x"],"name":"n"})"}, {"a", R"({"name":"n"})"}},
       R"({"name":"n"})"},
      {"the protocol of a port has a default",
       {{"a", R"({"ports":[{"port":80}]})"},
        {"a", R"({"ports":[{"port":80,"protocol":"TCP","name":"http"}]})"}},
       R"({"ports":[{"name":"http","port":80,"protocol":"TCP"}]})"},
  };
  for (const Removal& c : cases) {
    SCOPED_TRACE(c.why);
    live_ = json::Value();
    for (const Step& step : c.steps) {
      const auto applied = apply_as(step.who, step.spec);
      ASSERT_TRUE(applied) << applied.error().message();
    }
    EXPECT_EQ(spec(), c.want);
  }
}

TEST_F(Apply, WhatUpdatersWroteStays) {
  ASSERT_TRUE(apply_as("a", R"({"items":[{"name":"x","value":"1"}],"struct":{"a":1}})"));
  update_as("ctl",
            R"({"items":[{"name":"x","value":"1","other":"o"}],"struct":{"a":1,"b":"set"}})");
  ASSERT_TRUE(apply_as("a", R"({"name":"n"})"));
  // A struct stays while somebody owns a field of it; an item goes with the last owner of the item
  // itself.
  EXPECT_EQ(spec(), R"({"name":"n","struct":{"b":"set"}})");
}

TEST_F(Apply, ItemsKeepTheOrderOfTheConfigurationAndTheirPlace) {
  ASSERT_TRUE(apply_as("a", R"({"set":["a","b","c","d"]})"));
  ASSERT_TRUE(apply_as("b", R"({"set":["d","x","b"]})"));
  EXPECT_EQ(spec(), R"({"set":["a","c","d","x","b"]})");
  ASSERT_TRUE(apply_as("c", R"({"set":["e"]})"));
  EXPECT_EQ(spec(), R"({"set":["a","c","d","x","b","e"]})");
}

TEST_F(Apply, OneThatWasNeverTrackedHasAnOwnerFirst) {
  live_ = parsed(with_head(R"({"replicas":1,"name":"n"})", R"("name":"w","uid":"u")"));
  const auto conflict = apply_as("a", R"({"replicas":2})");
  ASSERT_FALSE(conflict);
  EXPECT_EQ(
      conflict.error().message(),
      R"(Apply failed with 1 conflict: conflict with "before-first-apply" using x/v1: .spec.replicas)");
  ASSERT_TRUE(apply_as("a", R"({"replicas":1})"));
  EXPECT_EQ(
      owners(live_),
      R"({"a Apply":{"f:spec":{"f:replicas":{}}},"before-first-apply Update":{"f:spec":{".":{},"f:name":{},"f:replicas":{}}}})");
}

TEST_F(Apply, Refuses) {
  struct {
    const char* why;
    const char* config;
    const char* message;
  } const cases[] = {
      {"another version", R"({"apiVersion":"x/v2","kind":"W","metadata":{"name":"w"}})",
       "Incorrect version specified in apply patch. Specified patch version: x/v2, expected: x/v1"},
      {"managedFields",
       R"({"apiVersion":"x/v1","kind":"W","metadata":{"name":"w","managedFields":[]}})",
       "metadata.managedFields must be nil"},
      {"an unknown field", R"({"apiVersion":"x/v1","kind":"W","spec":{"struct":{"zz":1}}})",
       "failed to create typed patch object: .spec.struct.zz: field not declared in schema"},
      {"duplicate items",
       R"({"apiVersion":"x/v1","kind":"W","spec":{"items":[{"name":"a"},{"name":"a"}]}})",
       R"(.spec.items: duplicate entries for key [name="a"])"},
      {"duplicates of a set", R"({"apiVersion":"x/v1","kind":"W","spec":{"set":["a","a"]}})",
       R"(duplicate entries for key [="a"])"},
      {"an item without its keys",
       R"({"apiVersion":"x/v1","kind":"W","spec":{"items":[{"value":"a"}]}})",
       "element 0: associative list with keys has an element that omits all key fields"},
      {"an item that is no object", R"({"apiVersion":"x/v1","kind":"W","spec":{"items":[1]}})",
       "may not have non-map elements"},
      {"null in a set", R"({"apiVersion":"x/v1","kind":"W","spec":{"set":[null]}})",
       "explicit null"},
      {"a list for an object", R"({"apiVersion":"x/v1","kind":"W","spec":{"struct":[]}})",
       ".spec.struct: expected map, got list"},
      {"text for a list", R"({"apiVersion":"x/v1","kind":"W","spec":{"set":"x"}})",
       ".spec.set: expected list, got scalar"},
      {"an object for text", R"({"apiVersion":"x/v1","kind":"W","spec":{"name":{}}})",
       ".spec.name: expected scalar, got map"},
      {"no object at all", "[]", "must be an object"},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(c.why);
    const auto applied = apply(world(), nullptr, parsed(c.config), {"a", "x/v1", ""}, false, kNow);
    ASSERT_FALSE(applied);
    EXPECT_EQ(applied.error().code(), Code::kBadRequest);
    EXPECT_NE(applied.error().message().find(c.message), std::string::npos)
        << applied.error().message();
  }
}

TEST_F(Apply, DuplicatesThatAreStoredAreTolerated) {
  update_as("ctl", R"({"items":[{"name":"a","value":"1"},{"name":"a","value":"2"},{"name":"b"}]})");
  const auto applied = apply_as("m", R"({"items":[{"name":"b","value":"3"}]})");
  ASSERT_TRUE(applied) << applied.error().message();
  EXPECT_EQ(
      spec(),
      R"({"items":[{"name":"a","value":"1"},{"name":"a","value":"2"},{"name":"b","value":"3"}]})");
  ASSERT_TRUE(apply_as("m", R"({"items":[{"name":"a","value":"3"}]})", true));
  EXPECT_NE(spec().find(R"({"name":"a","value":"3"})"), std::string::npos) << spec();
}

TEST_F(Apply, ATypeThatBecameAtomicIsOwnedWhole) {
  live_ = parsed(with_head(
      R"({"atomicStruct":{"a":1,"b":"x"}})",
      R"("name":"w","managedFields":[{"manager":"a","operation":"Apply","apiVersion":"x/v1","fieldsType":"FieldsV1","fieldsV1":{"f:spec":{"f:atomicStruct":{"f:a":{}}}}}])"));
  const auto conflict = apply_as("b", R"({"atomicStruct":{"b":"y"}})");
  ASSERT_FALSE(conflict);
  EXPECT_EQ(conflict.error().message(),
            R"(Apply failed with 1 conflict: conflict with "a": .spec.atomicStruct)");
}

// kubectl apply (client side), later kubectl apply --server-side.
TEST_F(Apply, KubectlTakesOverWhatItAppliedFromTheClient) {
  const std::string annotation =
      json::serialize(json::Value(with_head(R"({"replicas":1,"name":"n"})") + "\n"));
  live_ = parsed(
      with_head(R"({"replicas":1,"name":"n"})",
                R"("name":"w","annotations":{"kubectl.kubernetes.io/last-applied-configuration":)" +
                    annotation + "}"));
  json::Value tracked = live_;
  track_update(world(), nullptr, tracked, {"kubectl-client-side-apply", "x/v1", ""}, kNow);
  live_ = std::move(tracked);
  ASSERT_FALSE(apply_as("other", R"({"replicas":2})")) << "not for another manager";
  ASSERT_TRUE(apply_as("kubectl", R"({"replicas":2,"name":"n"})"));
  EXPECT_EQ(spec(), R"({"name":"n","replicas":2})");
  const std::string kept(json::string_at(
      live_, {"metadata", "annotations", "kubectl.kubernetes.io/last-applied-configuration"}));
  EXPECT_EQ(kept,
            "{\"apiVersion\":\"x/"
            "v1\",\"kind\":\"W\",\"metadata\":{\"name\":\"w\"},\"spec\":{\"name\":\"n\","
            "\"replicas\":2}}\n");

  // What somebody changed since is a conflict all the same.
  update_as("ctl", R"({"replicas":7,"name":"n"})");
  const auto conflict = apply_as("kubectl", R"({"replicas":2,"name":"n"})");
  ASSERT_FALSE(conflict);
  EXPECT_EQ(conflict.error().message(),
            R"(Apply failed with 1 conflict: conflict with "ctl" using x/v1: .spec.replicas)");
}

// kubectl rewrites managedFields by a JSON patch: the entry of its client-side apply turns into one
// of Apply.
TEST_F(Apply, KubectlMigratesItsEntry) {
  update_as("kubectl-client-side-apply", R"({"replicas":1,"name":"n"})");
  json::Value migrated = live_;
  json::Value& entry = json::find(migrated, {"metadata", "managedFields"})->get_array()[0];
  json::set(entry, {"manager"}, "kubectl");
  json::set(entry, {"operation"}, "Apply");
  track_update(world(), &live_, migrated, {"kubectl", "x/v1", ""}, kNow);
  live_ = migrated;
  EXPECT_EQ(owners(live_), R"({"kubectl Apply":{"f:spec":{".":{},"f:name":{},"f:replicas":{}}}})");
  ASSERT_TRUE(apply_as("kubectl", R"({"replicas":3})"));
  EXPECT_EQ(spec(), R"({"replicas":3})");
}

TEST_F(Apply, TimesFollowWhatAManagerDoes) {
  ASSERT_TRUE(apply_as("a", R"({"replicas":1})"));
  ASSERT_TRUE(apply_as("b", R"({"name":"n"})"));
  const auto time_of = [&](size_t i) {
    return std::string(
        json::string_at(json::array_at(live_, {"metadata", "managedFields"})[i], {"time"}));
  };
  EXPECT_EQ(time_of(0), "2027-01-15T08:00:01Z");
  EXPECT_EQ(time_of(1), "2027-01-15T08:00:02Z");
  ASSERT_TRUE(apply_as("b", R"({"name":"n","replicas":2})", true));
  EXPECT_EQ(json::array_at(live_, {"metadata", "managedFields"}).size(), 1u)
      << "an owner of nothing is no owner";
}

TEST(ApplyBuiltin, ADeploymentWithTwoManagers) {
  const Schema& schema = builtin("apps", "v1", "Deployment");
  const json::Value config = parsed(
      R"({"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"web","labels":{"app":"web"}},
    "spec":{"replicas":1,"selector":{"matchLabels":{"app":"web"}},"template":{"metadata":{"labels":{"app":"web"}},
      "spec":{"containers":[{"name":"web","image":"nginx:1","ports":[{"containerPort":80}]}]}}}})");
  auto live = apply(schema, nullptr, config, {"kubectl", "apps/v1", ""}, false, kNow);
  ASSERT_TRUE(live) << live.error().message();
  const auto sidecar =
      apply(schema, &live->document,
            parsed(R"({"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"web"},
    "spec":{"template":{"spec":{"containers":[{"name":"side","image":"envoy"},{"name":"web","env":[{"name":"A","value":"1"}]}]}}}})"),
            {"mesh", "apps/v1", ""}, false, kNow);
  ASSERT_TRUE(sidecar) << sidecar.error().message();
  const auto image =
      apply(schema, &sidecar->document,
            parsed(R"({"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"web"},
    "spec":{"template":{"spec":{"containers":[{"name":"web","image":"nginx:2"}]}}}})"),
            {"ci", "apps/v1", ""}, false, kNow);
  ASSERT_FALSE(image);
  EXPECT_EQ(
      image.error().message(),
      R"(Apply failed with 1 conflict: conflict with "kubectl": .spec.template.spec.containers[name="web"].image)");
  const auto gone =
      apply(schema, &sidecar->document,
            parsed(R"({"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"web"}})"),
            {"mesh", "apps/v1", ""}, false, kNow);
  ASSERT_TRUE(gone);
  EXPECT_EQ(without_managed_fields(gone->document), without_managed_fields(live->document))
      << "the sidecar is gone without a trace";
}

}  // namespace
}  // namespace atl::api
