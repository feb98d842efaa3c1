#include "api/openapi/openapi_v2_protobuf.h"

#include <gtest/gtest.h>

#include "api/openapi/openapi.h"

namespace atl::api {
namespace {

std::string hex(std::string_view bytes) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string out;
  for (const unsigned char c : bytes) {
    out += kDigits[c >> 4];
    out += kDigits[c & 15];
  }
  return out;
}

// Read back by Go's google/gnostic-models 0.7.0: every field is where it looks for it, and no
// unknown field is left.
TEST(OpenApiV2Protobuf, IsWhatGnosticReads) {
  const json::Value document = *json::parse(
      R"({"swagger":"2.0","info":{"title":"t","version":"1"},"paths":{"/a":{"patch":{"operationId":"p",")"
      R"(parameters":[{"in":"query","name":"q","type":"string"}],"x-k":{"a":1}}}},"definitions":{"D":{"t)"
      R"(ype":"object","required":["n"],"properties":{"n":{"$ref":"#/definitions/E","default":1},"m":{"t)"
      R"(ype":"array","items":{"type":"integer","maximum":2},"enum":["z"]}},"additionalProperties":true}}})");
  EXPECT_EQ(hex(openapi_v2_protobuf(document)),
            "0a03322e3012060a0174120131423912370a022f611231422f2a017042180a1612141a12120571756572"
            "792201713206737472696e676a100a03782d6b120912077b2261223a317d4a6e0a6c0a014412679a0101"
            "6eaa01021001b201080a066f626a656374ca01500a1b0a016e12160a0f232f646566696e6974696f6e73"
            "2f452a031201310a310a016d122ca201051203227a22b201070a056172726179ba01170a153900000000"
            "00000040b201090a07696e7465676572");
}

TEST(OpenApiV2Protobuf, TakesEveryKind) {
  const KindSet kinds = *KindSet::builtin();
  const std::string bytes = openapi_v2_protobuf(openapi_v2(kinds));
  EXPECT_NE(bytes.find("io.k8s.api.apps.v1.Deployment"), std::string::npos);
  EXPECT_NE(bytes.find("fieldValidation"), std::string::npos);
}

}  // namespace
}  // namespace atl::api
