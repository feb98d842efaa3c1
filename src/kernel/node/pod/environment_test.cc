#include "kernel/node/pod/environment.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace atl::node {
namespace {

using testing::HasSubstr;

PodSpecPtr pod() {
  auto document = json::parse(
      R"({"metadata":{"name":"p","namespace":"ns","uid":"u","labels":{"app":"web","tier":"a\"b"},"annotations":{"k/x":"v"}},)"
      R"("spec":{"serviceAccountName":"sa","containers":[{"name":"c"}]}})");
  return *read_pod(*std::move(document));
}
const PodFacts kFacts{"10.1.2.3", "192.0.2.1", "n1", 2'000, 1 << 30};

json::Value container(const std::string& text) {
  auto value = json::parse(text);
  EXPECT_TRUE(value) << value.error().message();
  return *std::move(value);
}

std::string built(const std::string& text, const EnvironmentSources& sources = {},
                  const Environment& services = {}) {
  auto env = build_environment(container(text), *pod(), kFacts, sources, {"PATH=/bin", "A=image"},
                               services);
  if (!env) return "error: " + env.error().message();
  std::string out;
  for (const std::string& line : env->lines()) out += line + ";";
  return out;
}

TEST(Expand, KnowsReferencesAndEscapes) {
  Environment env;
  env.set("A", "1");
  env.set("B", "two words");
  struct Row {
    const char* sentence;
    const char* text;
    const char* want;
  };
  const Row rows[] = {
      {"a reference", "x$(A)y", "x1y"},
      {"two of them", "$(A)$(B)", "1two words"},
      {"an unknown name stays", "$(NONE)", "$(NONE)"},
      {"an escape", "$$(A)", "$(A)"},
      {"two dollars are one", "a$$b", "a$b"},
      {"a dollar alone", "a$b$", "a$b$"},
      {"an open bracket", "$(A", "$(A"},
      {"no recursion", "$($(A))", "$($(A))"},
      {"shell's form is not ours", "${A}", "${A}"},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.sentence);
    EXPECT_EQ(*expand(row.text, env), row.want);
  }
}

TEST(BuildEnvironment, LayersAndReferences) {
  EnvironmentSources sources;
  sources.config_maps["cm"] = {{"x", "7"}, {"bad name", "no"}};
  sources.secrets["sec"] = {{"pw", "hidden"}, {"raw", std::string("a\0b", 3)}};
  struct Row {
    const char* sentence;
    const char* container;
    const char* want;
  };
  const Row rows[] = {
      {"the image's own", "{}", "PATH=/bin;A=image;"},
      {"a value replaces in place", R"({"env":[{"name":"A","value":"mine"}]})",
       "PATH=/bin;A=mine;"},
      {"values see earlier ones",
       R"({"env":[{"name":"X","value":"1"},{"name":"Y","value":"$(X)2"}]})",
       "PATH=/bin;A=image;X=1;Y=12;"},
      {"a whole map, names that are none left out",
       R"({"envFrom":[{"prefix":"P_","configMapRef":{"name":"cm"}}]})", "PATH=/bin;A=image;P_x=7;"},
      {"a key of a secret",
       R"({"env":[{"name":"PW","valueFrom":{"secretKeyRef":{"name":"sec","key":"pw"}}}]})",
       "PATH=/bin;A=image;PW=hidden;"},
      {"a key that is not text",
       R"({"env":[{"name":"PW","valueFrom":{"secretKeyRef":{"name":"sec","key":"raw"}}}]})",
       "error: key raw in Secret ns/sec holds bytes that no environment variable can hold: mount "
       "it as a volume"},
      {"a missing object",
       R"({"env":[{"name":"PW","valueFrom":{"secretKeyRef":{"name":"no","key":"pw"}}}]})",
       "error: secret \"no\" not found"},
      {"a missing key",
       R"({"env":[{"name":"X","valueFrom":{"configMapKeyRef":{"name":"cm","key":"q"}}}]})",
       "error: couldn't find key q in ConfigMap ns/cm"},
      {"a missing key that may be missing",
       R"({"env":[{"name":"X","valueFrom":{"configMapKeyRef":{"name":"cm","key":"q","optional":true}}}]})",
       "PATH=/bin;A=image;"},
      {"a field",
       R"({"env":[{"name":"IP","valueFrom":{"fieldRef":{"fieldPath":"status.podIP"}}}]})",
       "PATH=/bin;A=image;IP=10.1.2.3;"},
      {"a resource that is not set falls back to the node",
       R"({"env":[{"name":"M","valueFrom":{"resourceFieldRef":{"resource":"limits.memory","divisor":"1Mi"}}}]})",
       "PATH=/bin;A=image;M=1024;"},
      {"a resource rounds up",
       R"({"resources":{"limits":{"cpu":"1500m"}},"env":[{"name":"C","valueFrom":{"resourceFieldRef":{"resource":"limits.cpu"}}}]})",
       "PATH=/bin;A=image;C=2;"},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.sentence);
    EXPECT_EQ(built(row.container, sources), row.want);
  }
}

TEST(BuildEnvironment, IsBounded) {
  // Each line holds the one before ten times: the last would have a hundred million bytes.
  std::string bomb = R"({"name":"V0","value":"0123456789"})";
  std::string list;
  for (int i = 1; i < 8; ++i) {
    std::string ten;
    for (int n = 0; n < 10; ++n) ten += fmt::format("$(V{})", i - 1);
    bomb += fmt::format(R"(,{{"name":"V{}","value":"{}"}})", i, ten);
  }
  for (int i = 0; i < 12; ++i)
    list += fmt::format(R"({}{{"name":"L{}","value":"{}"}})", i ? "," : "", i,
                        std::string(100'000, 'x'));
  const std::string value(130'000, 'y');
  const struct {
    const char* why;
    std::string env;
    std::string error;  // empty: it is built
  } cases[] = {
      {"a reference to references", bomb,
       "environment variable V5: it is longer than 131072 bytes"},
      {"the most that Linux takes", R"({"name":"Y","value":")" + value + R"("})", ""},
      {"one value", R"({"name":"Y","value":")" + value + value + R"("})",
       "environment variable Y: it is longer than 131072 bytes"},
      {"all of them", list,
       "environment variable L10: with it the environment is larger than 1048576 bytes"},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(c.why);
    auto built =
        build_environment(container(R"({"env":[)" + c.env + "]}"), *pod(), kFacts, {}, {}, {});
    EXPECT_EQ(built ? "" : built.error().message(), c.error);
  }
}

TEST(BuildEnvironment, TakesManyVariables) {
  Environment env;
  for (int i = 0; i < 100'000; ++i) env.set("NAME" + std::to_string(i), "v");
  env.set("NAME7", "value");
  EXPECT_EQ(*env.find("NAME7"), "value");
  EXPECT_EQ(env.items().size(), 100'000u);
  size_t bytes = 0;
  for (const std::string& line : env.lines()) bytes += line.size() + 1;
  EXPECT_EQ(env.size_bytes(), bytes);
}

TEST(DecodedData, BinaryDataIsForVolumes) {
  const json::Value map =
      container(R"({"kind":"ConfigMap","data":{"a":"1"},"binaryData":{"b":"AAE="}})");
  EXPECT_EQ(decoded_data(map, DataParts::kText).size(), 1u);
  EXPECT_EQ(decoded_data(map).at("b"), std::string("\0\1", 2));
}

TEST(FieldValue, KnowsTheDownwardApi) {
  struct Row {
    const char* path;
    const char* want;
  };
  const Row rows[] = {{"metadata.name", "p"},
                      {"metadata.namespace", "ns"},
                      {"metadata.uid", "u"},
                      {"metadata.labels['app']", "web"},
                      {"metadata.labels['none']", ""},
                      {"metadata.annotations['k/x']", "v"},
                      {"metadata.labels", "app=\"web\"\ntier=\"a\\\"b\""},
                      {"spec.nodeName", "n1"},
                      {"spec.serviceAccountName", "sa"},
                      {"status.hostIP", "192.0.2.1"}};
  for (const Row& row : rows)
    EXPECT_EQ(*field_value(*pod(), kFacts, row.path), row.want) << row.path;
  EXPECT_FALSE(field_value(*pod(), kFacts, "spec.containers"));
  EXPECT_FALSE(field_value(*pod(), kFacts, "metadata.labels["));
}

TEST(ServiceEnvironment, NamesServicesOfTheNamespaceAndTheApi) {
  const auto service = [](const std::string& ns, const std::string& name, const std::string& ip) {
    auto doc = json::parse(R"({"apiVersion":"v1","kind":"Service","metadata":{"namespace":")" + ns +
                           R"(","name":")" + name + R"("},"spec":{"clusterIP":")" + ip +
                           R"(","ports":[{"name":"http-alt","port":80,"protocol":"TCP"}]}})");
    return *api::Object::from_document(*doc, Revision{});
  };
  const Environment env = service_environment(
      {service("default", "kubernetes", "10.96.0.1"), service("default", "other", "10.96.0.2"),
       service("ns", "my-redis", "10.96.0.3"), service("ns", "headless", "None")},
      "ns");
  const auto value = [&](const char* name) {
    return env.find(name) ? *env.find(name) : std::string("-");
  };
  EXPECT_EQ(value("KUBERNETES_SERVICE_HOST"), "10.96.0.1");
  EXPECT_EQ(value("MY_REDIS_SERVICE_HOST"), "10.96.0.3");
  EXPECT_EQ(value("MY_REDIS_SERVICE_PORT_HTTP_ALT"), "80");
  EXPECT_EQ(value("MY_REDIS_PORT"), "tcp://10.96.0.3:80");
  EXPECT_EQ(value("MY_REDIS_PORT_80_TCP_ADDR"), "10.96.0.3");
  EXPECT_EQ(value("OTHER_SERVICE_HOST"), "-");
  EXPECT_EQ(value("HEADLESS_SERVICE_HOST"), "-");
}

TEST(Needs, NamesEveryObjectOnce) {
  const auto needs = needs_of(container(
      R"({"envFrom":[{"configMapRef":{"name":"a"}},{"secretRef":{"name":"s"}}],)"
      R"("env":[{"name":"X","valueFrom":{"configMapKeyRef":{"name":"a","key":"k"}}},{"name":"Y","valueFrom":{"configMapKeyRef":{"name":"b","key":"k"}}}]})"));
  EXPECT_EQ(needs.config_maps, (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(needs.secrets, (std::vector<std::string>{"s"}));
}

}  // namespace
}  // namespace atl::node
