#include "kernel/apiserver/pipeline/negotiate.h"

#include <gtest/gtest.h>

namespace atl::apiserver {
namespace {

TEST(Negotiate, ChoosesTheFormOfAnAnswer) {
  struct Case {
    const char* what;
    const char* accept;
    const char* want;  // id of the view and content type, or "none"
  };
  const Case cases[] = {
      {"nothing is JSON", "", "json application/json"},
      {"anything is JSON", "*/*", "json application/json"},
      {"a table by parameters in any order",
       "application/json;g=meta.k8s.io;v=v1;as=Table,application/json",
       "json;table=v1;include=1 application/json"},
      {"the old table", "application/json;as=Table;v=v1beta1;g=meta.k8s.io",
       "json;table=v1beta1;include=1 application/json"},
      {"metadata", "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io",
       "json;partial application/json"},
      {"an unknown form falls to the next", "application/json;as=Poem;g=x;v=v1,application/json",
       "json application/json"},
      {"an unknown form alone", "application/json;as=Poem;g=x;v=v1", "none"},
      {"protobuf beside JSON is JSON", "application/vnd.kubernetes.protobuf,application/json",
       "json application/json"},
      {"protobuf alone", "application/vnd.kubernetes.protobuf",
       "pb application/vnd.kubernetes.protobuf"},
      {"YAML", "application/yaml", "json application/yaml"},
      {"what is better liked goes first", "application/yaml;q=0.5, application/json;q=0.9",
       "json application/json"},
      {"what is refused is not taken", "application/json;q=0", "none"},
      {"a stream's name does not matter", "application/json;stream=watch", "json application/json"},
      {"nothing that is offered", "text/html", "none"},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.what);
    const auto view = choose_view({{"accept", c.accept}}, {}, ProtobufForm::kKnown);
    const std::string got = view ? view->id() + " " + std::string(view->content_type()) : "none";
    EXPECT_EQ(got, c.want);
  }
}

TEST(Negotiate, ProtobufOnlyWhereTheKindHasIt) {
  EXPECT_FALSE(
      choose_view({{"accept", "application/vnd.kubernetes.protobuf"}}, {}, ProtobufForm::kNone)
          .has_value());
}

}  // namespace
}  // namespace atl::apiserver
