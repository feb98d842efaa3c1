// Numbers of pods and shares of them, where many kinds name them.
#include <gtest/gtest.h>

#include "kernel/apiserver/admission/kinds/pod_template.h"
#include "kernel/apiserver/admission/kinds/test_writes.h"

namespace atl::apiserver {
namespace {

TEST(Parts, AreNumbersOrAtMostAllOfThem) {
  struct Case {
    const char* name;
    json::Value value;
    const char* finding;
  };
  const Case cases[] = {
      {"a number", 3, ""},
      {"a share", "25%", ""},
      {"all", "100%", ""},
      {"all, with zeros before", "0100%", ""},
      {"none", "0%", ""},
      {"more than all", "101%", "p: Invalid value: \"101%\": must not be greater than 100%"},
      {"more than a machine counts", "9999999999999999999%",
       "p: Invalid value: \"9999999999999999999%\": must not be greater than 100%"},
      {"less than none", -1, "p: Invalid value: -1: must be greater than or equal to 0"},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name);
    api::Findings found;
    check_part(&c.value, "p", found);
    EXPECT_EQ(texts(found), c.finding);
  }
}

}  // namespace
}  // namespace atl::apiserver
