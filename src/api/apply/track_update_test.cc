#include "api/apply/managed_fields.h"
#include "api/apply/test_world.h"
#include "api/apply/typed.h"

namespace atl::api {
namespace {

const ManagerId kKubectl{"kubectl-create", "apps/v1", ""};
const ManagerId kController{"controller", "apps/v1", "status"};

constexpr const char* kDeployment = R"({"apiVersion":"apps/v1","kind":"Deployment",
  "metadata":{"name":"web","namespace":"n","uid":"u","creationTimestamp":"2026-01-01T00:00:00Z","generation":1,"resourceVersion":"5",
              "labels":{"app":"web"},"finalizers":["a/b"],"ownerReferences":[{"apiVersion":"v1","kind":"X","name":"x","uid":"u-1"}]},
  "spec":{"replicas":2,"selector":{"matchLabels":{"app":"web"}},"strategy":{"type":"RollingUpdate","rollingUpdate":{"maxSurge":"25%"}},
    "template":{"metadata":{"labels":{"app":"web"}},"spec":{"containers":[{"name":"web","image":"nginx","resources":{},
      "ports":[{"containerPort":80,"protocol":"TCP"}],"env":[{"name":"A","value":"1"}],"args":["x","y"]}]}}},
  "status":{}})";

TEST(TrackUpdate, ACreateOwnsWhatWasSentAsKubernetesRecordsIt) {
  json::Value deployment = parsed(kDeployment);
  track_update(builtin("apps", "v1", "Deployment"), nullptr, deployment, kKubectl, kNow);
  EXPECT_EQ(owners(deployment), json::serialize(parsed(R"({"kubectl-create Update":{
    "f:metadata":{"f:finalizers":{".":{},"v:\"a/b\"":{}},"f:labels":{".":{},"f:app":{}},"f:ownerReferences":{".":{},"k:{\"uid\":\"u-1\"}":{}}},
    "f:spec":{"f:replicas":{},"f:selector":{},"f:strategy":{"f:rollingUpdate":{".":{},"f:maxSurge":{}},"f:type":{}},
      "f:template":{"f:metadata":{"f:labels":{".":{},"f:app":{}}},
        "f:spec":{"f:containers":{"k:{\"name\":\"web\"}":{".":{},"f:args":{},"f:env":{".":{},"k:{\"name\":\"A\"}":{".":{},"f:name":{},"f:value":{}}},
            "f:image":{},"f:name":{},"f:ports":{".":{},"k:{\"containerPort\":80,\"protocol\":\"TCP\"}":{".":{},"f:containerPort":{},"f:protocol":{}}},"f:resources":{}}}}}}}})")));
  const json::Value& entry = json::array_at(deployment, {"metadata", "managedFields"})[0];
  EXPECT_EQ(json::string_at(entry, {"time"}), kNowText);
  EXPECT_EQ(json::string_at(entry, {"apiVersion"}), "apps/v1");
  EXPECT_EQ(json::string_at(entry, {"fieldsType"}), "FieldsV1");
}

TEST(TrackUpdate, ChangedFieldsChangeTheirOwner) {
  const Schema& schema = builtin("apps", "v1", "Deployment");
  json::Value before = parsed(kDeployment);
  track_update(schema, nullptr, before, kKubectl, kNow);
  json::Value after = before;
  json::set(after, {"spec", "replicas"}, 5);
  json::set(after, {"spec", "paused"}, true);
  json::erase(after, {"metadata", "labels"});
  track_update(schema, &before, after, {"scaler", "apps/v1", ""}, kNow + std::chrono::hours(1));
  const std::string text = owners(after);
  EXPECT_NE(text.find(R"("scaler Update":{"f:spec":{"f:paused":{},"f:replicas":{}}})"),
            std::string::npos)
      << text;
  EXPECT_EQ(text.find("f:labels\":{\".\":{},\"f:app\":{}},\"f:ownerReferences"), std::string::npos)
      << "a removed field has no owner";
  EXPECT_EQ(text.find("f:replicas\":{},\"f:selector"), std::string::npos);
  EXPECT_EQ(json::string_at(json::array_at(after, {"metadata", "managedFields"})[0], {"time"}),
            kNowText)
      << "losing a field is no action";
}

TEST(TrackUpdate, NothingChangesWhereNothingChanged) {
  const Schema& schema = builtin("apps", "v1", "Deployment");
  json::Value before = parsed(kDeployment);
  track_update(schema, nullptr, before, kKubectl, kNow);
  json::Value after = before;
  track_update(schema, &before, after, {"other", "apps/v1", ""}, kNow + std::chrono::hours(1));
  EXPECT_EQ(json::serialize(after), json::serialize(before));
  json::erase(after, {"metadata", "managedFields"});  // a client that does not know them
  track_update(schema, &before, after, {"other", "apps/v1", ""}, kNow + std::chrono::hours(1));
  EXPECT_EQ(json::serialize(after), json::serialize(before));
  json::set(after, {"metadata", "resourceVersion"}, "77");
  json::set(after, {"metadata", "generation"}, 9);
  track_update(schema, &before, after, {"other", "apps/v1", ""}, kNow + std::chrono::hours(1));
  EXPECT_EQ(owners(after), owners(before)) << "the server's own metadata has no owner";
}

TEST(TrackUpdate, ASubresourceIsAManagerOfItsOwnAndCannotEditManagedFields) {
  const Schema& schema = builtin("apps", "v1", "Deployment");
  json::Value before = parsed(kDeployment);
  track_update(schema, nullptr, before, kKubectl, kNow);
  json::Value after = before;
  json::set(after, {"status", "replicas"}, 2);
  json::set(after, {"metadata", "managedFields"}, json::Array());
  track_update(schema, &before, after, kController, kNow);
  const std::string text = owners(after);
  EXPECT_NE(text.find(R"("controller Update/status":{"f:status":{"f:replicas":{}}})"),
            std::string::npos)
      << text;
  EXPECT_NE(text.find("kubectl-create Update"), std::string::npos);
}

TEST(TrackUpdate, AClientMayEditOrResetManagedFields) {
  const Schema& schema = world();
  json::Value before = parsed(
      R"({"apiVersion":"x/v1","kind":"W","metadata":{"name":"w","uid":"u"},"spec":{"name":"a","replicas":1}})");
  track_update(schema, nullptr, before, {"m", "x/v1", ""}, kNow);

  json::Value reset = before;
  json::set(reset, {"metadata", "managedFields"}, json::Array());
  track_update(schema, &before, reset, {"m", "x/v1", ""}, kNow);
  EXPECT_EQ(json::find(reset, {"metadata", "managedFields"}), nullptr);
  json::Value later = reset;
  json::set(later, {"spec", "name"}, "b");
  track_update(schema, &reset, later, {"m", "x/v1", ""}, kNow);
  EXPECT_EQ(json::find(later, {"metadata", "managedFields"}), nullptr)
      << "not tracked until the next apply";

  json::Value edited = before;
  json::set(
      edited, {"metadata", "managedFields"},
      parsed(
          R"([{"manager":"kubectl","operation":"Apply","apiVersion":"x/v1","fieldsType":"FieldsV1",
    "time":"2026-05-05T05:05:05Z","fieldsV1":{"f:spec":{"f:set":{"v:\"\\u003c\"":{}},"f:name":{}}}}])"));
  track_update(schema, &before, edited, {"m", "x/v1", ""}, kNow);
  EXPECT_EQ(owners(edited), R"({"kubectl Apply":{"f:spec":{"f:name":{},"f:set":{"v:\"<\"":{}}}}})");

  for (
      const char* broken :
      {R"([{"manager":"m"}])", R"("x")",
       R"([{"manager":"m","operation":"Update","apiVersion":"x/v1","fieldsType":"FieldsV2"}])",
       R"([{"manager":"m","operation":"Update","apiVersion":"x/v1","fieldsType":"FieldsV1","fieldsV1":{"zz":{}}}])"}) {
    json::Value bad = before;
    json::set(bad, {"metadata", "managedFields"}, parsed(broken));
    track_update(schema, &before, bad, {"m", "x/v1", ""}, kNow);
    EXPECT_EQ(json::serialize(bad), json::serialize(before)) << broken;
  }
}

TEST(TrackUpdate, BrokenStoredManagedFieldsAreGivenUp) {
  json::Value before = parsed(
      R"({"metadata":{"name":"w","managedFields":[{"manager":"m","operation":"Update","apiVersion":"v1","fieldsType":"FieldsV1","fieldsV1":{"f:a":[1]}}]},"spec":{"name":"a"}})");
  json::Value after = before;
  json::set(after, {"spec", "name"}, "b");
  track_update(world(), &before, after, {"m", "v1", ""}, kNow);
  EXPECT_EQ(json::find(after, {"metadata", "managedFields"}), nullptr);
}

TEST(TrackUpdate, TheEleventhUpdaterMergesTheOldestTwo) {
  json::Value before = parsed(R"({"metadata":{"name":"w"},"spec":{"map":{}}})");
  track_update(world(), nullptr, before, {"m0", "x/v1", ""}, kNow);
  for (int i = 1; i <= 12; ++i) {
    json::Value after = before;
    json::set(after, {"spec", "map", "k" + std::to_string(i)}, "v");
    track_update(world(), &before, after, {"m" + std::to_string(i), i == 3 ? "x/v2" : "x/v1", ""},
                 kNow + std::chrono::seconds(i));
    before = std::move(after);
  }
  const json::Array& list = json::array_at(before, {"metadata", "managedFields"});
  EXPECT_EQ(list.size(), fields::kUpdateManagersMax);
  const std::string text = owners(before);
  EXPECT_NE(
      text.find(
          R"("ancient-changes Update":{"f:spec":{".":{},"f:map":{".":{},"f:k1":{},"f:k2":{},"f:k4":{}}}})"),
      std::string::npos)
      << text;
  EXPECT_NE(text.find("\"m3 Update\""), std::string::npos) << "another version is no bucket for it";
  EXPECT_NE(text.find("\"m5 Update\""), std::string::npos);
}

TEST(TrackUpdate, ListItemsAreKnownByTheirKeysAndDefaults) {
  json::Value doc = parsed(
      R"({"metadata":{"name":"w"},"spec":{"ports":[{"port":80},{"port":80,"protocol":"UDP"}]}})");
  track_update(world(), nullptr, doc, {"m", "x/v1", ""}, kNow);
  EXPECT_NE(owners(doc).find(R"("k:{\"port\":80,\"protocol\":\"TCP\"}":{".":{},"f:port":{}})"),
            std::string::npos)
      << owners(doc);
  json::Value moved = parsed(
      R"({"metadata":{"name":"w"},"spec":{"ports":[{"port":80,"protocol":"UDP"},{"port":80}]}})");
  track_update(world(), &doc, moved, {"other", "x/v1", ""}, kNow);
  EXPECT_EQ(owners(moved), owners(doc)) << "the order of items is nobody's";
}

TEST(TrackUpdate, OddDocumentsAreTrackedAsLeaves) {
  for (
      const char* odd :
      {R"({"metadata":{"name":"w"},"spec":{"items":[{"value":"no key"},1,null],"set":[{"a":1}],"ports":"text","struct":[],"map":null}})",
       R"({"metadata":{"labels":[1],"finalizers":{"a":1},"ownerReferences":[1]}})",
       R"({"metadata":{"name":"w"},"spec":{"items":[{"name":"a"},{"name":"a"}]}})"}) {
    json::Value doc = parsed(odd);
    track_update(world(), nullptr, doc, {"m", "x/v1", ""}, kNow);
    json::Value again = doc;
    json::set(again, {"spec"}, json::Object{{"name", "x"}});
    track_update(world(), &doc, again, {"m", "x/v1", ""}, kNow);
    EXPECT_NE(owners(again).find("f:name"), std::string::npos) << odd;
  }
}

}  // namespace
}  // namespace atl::api
