#include "api/object/object.h"

#include <gtest/gtest.h>

namespace atl::api {
namespace {

TEST(Object, HeaderComesFromTheDocument) {
  auto document = json::parse(
      R"({"kind":"Pod","apiVersion":"v1","metadata":{"name":"a","namespace":"n","uid":"u","resourceVersion":"1",
    "labels":{"z":"1","a":"2"},"deletionTimestamp":"2026-01-01T00:00:00Z","ownerReferences":[{"apiVersion":"apps/v1","kind":"ReplicaSet","name":"r","uid":"ru","controller":true}]}})");
  ASSERT_TRUE(document);
  const auto object = Object::from_document(*document, Revision{42});
  ASSERT_TRUE(object) << object.error().message();
  const Header& h = (*object)->header();
  EXPECT_EQ(h.gvk, (Gvk{"", "v1", "Pod"}));
  EXPECT_EQ(h.key.text(), "n/a");
  EXPECT_TRUE(h.deleting);
  EXPECT_EQ(label(h.labels, "z"), "1");
  ASSERT_NE(h.controller(), nullptr);
  EXPECT_EQ(h.controller()->uid, "ru");
  EXPECT_NE((*object)->text().find("\"resourceVersion\":\"42\""), std::string::npos);
  const auto again = Object::from_text((*object)->text());
  ASSERT_TRUE(again);
  EXPECT_EQ((*again)->revision(), Revision{42});
}

TEST(Object, WrongTypesAreNamed) {
  for (const char* bad : {R"([])", R"({"metadata":[]})", R"({"metadata":{"name":5}})",
                          R"({"metadata":{"labels":{"a":1}}})", R"({"apiVersion":"a/b/c"})",
                          R"({"metadata":{"ownerReferences":["x"]}})"}) {
    const auto object = Object::from_document(*json::parse(bad), {});
    EXPECT_FALSE(object) << bad;
  }
}

}  // namespace
}  // namespace atl::api
