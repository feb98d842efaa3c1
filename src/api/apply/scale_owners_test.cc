#include "api/apply/scale_owners.h"

#include <gtest/gtest.h>

namespace atl::api {
namespace {

const fields::Path kPlace{"f:spec", "f:replicas"};

json::Value entry(std::string_view manager, std::string_view operation, std::string_view version,
                  std::string_view fields, std::string_view subresource = {}) {
  json::Object out{
      {"apiVersion", version}, {"fieldsType", "FieldsV1"}, {"fieldsV1", *json::parse(fields)},
      {"manager", manager},    {"operation", operation},   {"time", "2026-01-01T00:00:00Z"}};
  if (!subresource.empty()) out["subresource"] = subresource;
  return out;
}

constexpr const char* kReplicas = R"({"f:spec":{"f:replicas":{}}})";
constexpr const char* kBoth = R"({"f:spec":{"f:paused":{},"f:replicas":{}}})";
constexpr const char* kPaused = R"({"f:spec":{"f:paused":{}}})";

TEST(ScaleOwners, AScaleKnowsWhoOwnsItsNumber) {
  const json::Value list = json::Array{entry("helm", "Apply", "apps/v1", kBoth),
                                       entry("other", "Apply", "apps/v1", kPaused),
                                       entry("kubectl", "Update", "apps/v1", kReplicas, "scale")};
  EXPECT_EQ(json::serialize(scale_owners(&list, kPlace)),
            json::serialize(
                json::Array{entry("helm", "Apply", "autoscaling/v1", kReplicas),
                            entry("kubectl", "Update", "autoscaling/v1", kReplicas, "scale")}));
  EXPECT_TRUE(scale_owners(nullptr, kPlace).empty());
}

TEST(ScaleOwners, WhoLostTheNumberKeepsTheRest) {
  const json::Value before = json::Array{entry("helm", "Apply", "apps/v1", kBoth),
                                         entry("old", "Update", "apps/v1", kReplicas, "scale")};
  const json::Value scale =
      json::Array{entry("autoscaler", "Apply", "autoscaling/v1", kReplicas, "scale")};
  EXPECT_EQ(json::serialize(object_owners(&before, &scale, kPlace, "apps/v1")),
            json::serialize(json::Array{entry("autoscaler", "Apply", "apps/v1", kReplicas, "scale"),
                                        entry("helm", "Apply", "apps/v1", kPaused)}));
}

TEST(ScaleOwners, WhoStillOwnsItStaysAsHeIs) {
  const json::Value before = json::Array{entry("helm", "Apply", "apps/v1", kBoth)};
  const json::Value scale = json::Value(scale_owners(&before, kPlace));
  EXPECT_EQ(json::serialize(object_owners(&before, &scale, kPlace, "apps/v1")),
            json::serialize(before));
}

TEST(ScaleOwners, TheNumberMayStandAnywhere) {
  const fields::Path place{"f:spec", "f:workers", "f:count"};
  const json::Value scale = json::Array{entry("a", "Apply", "autoscaling/v1", kReplicas, "scale")};
  EXPECT_EQ(json::serialize(object_owners(nullptr, &scale, place, "e.com/v1")),
            json::serialize(json::Array{entry(
                "a", "Apply", "e.com/v1", R"({"f:spec":{"f:workers":{"f:count":{}}}})", "scale")}));
}

}  // namespace
}  // namespace atl::api
