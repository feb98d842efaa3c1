#include "api/codec/codec.h"

#include <gmock/gmock.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "api/codec/duration_impl.h"
#include "api/codec/wire_impl.h"

namespace atl::api {
namespace {

using ::testing::HasSubstr;

const KindSet& kinds() {
  static const KindSet set = *KindSet::builtin();
  return set;
}

const Schema* lookup(const Gvk& gvk) {
  return kinds().schema_of(gvk);
}

std::string file(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::stringstream out;
  out << in.rdbuf();
  return out.str();
}

// Where Go keeps the modules it has downloaded; empty where there is none.
std::filesystem::path module_cache() {
  if (const char* set = std::getenv("GOMODCACHE")) return set;
  if (const char* set = std::getenv("GOPATH")) return std::filesystem::path(set) / "pkg/mod";
  if (const char* home = std::getenv("HOME")) return std::filesystem::path(home) / "go/pkg/mod";
  return {};
}

void expect_same(const json::Value& got, const json::Value& want) {
  if (!json::equal(got, want)) EXPECT_EQ(json::pretty(got), json::pretty(want));
}

// Decodes a .pb file, compares it with the .json file beside it, and goes there and back again.
void check_fixture(const std::filesystem::path& pb) {
  SCOPED_TRACE(pb.filename());
  auto json_path = pb;
  json_path.replace_extension(".json");
  const auto want = json::parse(file(json_path));
  ASSERT_TRUE(want) << want.error().message();
  const auto got = decode_protobuf(file(pb), lookup);
  ASSERT_TRUE(got) << got.error().message();
  expect_same(*got, *want);
  const GroupVersion gv = *parse_group_version(json::string_at(*want, {"apiVersion"}));
  const Schema* schema =
      lookup({gv.group, gv.version, std::string(json::string_at(*want, {"kind"}))});
  const auto encoded = encode_protobuf(*want, *schema);
  ASSERT_TRUE(encoded) << encoded.error().message();
  const auto again = decode_protobuf(*encoded, lookup);
  ASSERT_TRUE(again) << again.error().message();
  expect_same(*again, *want);
}

TEST(Protobuf, OurFixtures) {
  size_t count = 0;
  for (const auto& entry :
       std::filesystem::directory_iterator(ATOLL_SOURCE_DIR "/src/api/codec/testdata")) {
    if (entry.path().extension() != ".pb") continue;
    check_fixture(entry.path());
    ++count;
  }
  EXPECT_GE(count, 3u);
}

TEST(Protobuf, PublishedFixturesOfEveryKind) {
  size_t count = 0;
  for (const char* folder : {"k8s.io/api@v0.36.0/testdata/HEAD",
                             "k8s.io/apiextensions-apiserver@v0.36.0/pkg/apis/testdata/HEAD"}) {
    const auto path = module_cache() / folder;
    if (!std::filesystem::exists(path))
      GTEST_SKIP() << "no published fixtures: go mod download k8s.io/api@v0.36.0 fetches them to "
                   << path;
    for (const auto& entry : std::filesystem::directory_iterator(path)) {
      if (entry.path().extension() != ".pb") continue;
      // group.version.Kind.pb
      const std::string name = entry.path().stem().string();
      const size_t kind_at = name.rfind('.'), version_at = name.rfind('.', kind_at - 1);
      const std::string group = name.substr(0, version_at);
      const Gvk gvk{group == "core" ? "" : group,
                    name.substr(version_at + 1, kind_at - version_at - 1),
                    name.substr(kind_at + 1)};
      if (!lookup(gvk)) continue;
      check_fixture(entry.path());
      ++count;
    }
  }
  EXPECT_GE(count, 70u);
  RecordProperty("fixtures", int(count));
}

// An envelope around a raw message of `kind`.
std::string envelope(std::string_view api_version, std::string_view kind, std::string_view raw) {
  std::string type, out("k8s\0", 4);
  wire::put_bytes(type, 1, api_version);
  wire::put_bytes(type, 2, kind);
  wire::put_bytes(out, 1, type);
  wire::put_bytes(out, 2, raw);
  return out;
}

TEST(Protobuf, ZeroValuesThatGoLeavesOutAreLeftOut) {
  std::string port, spec, service;
  wire::put_bytes(port, 1, "");  // name: omitempty
  wire::put_number(port, 3, 0);  // port: always there
  wire::put_number(port, 5, 0);  // nodePort: omitempty
  wire::put_bytes(spec, 1, port);
  wire::put_bytes(spec, 7, "None");
  wire::put_bytes(service, 2, spec);
  wire::put_bytes(service, 3, "");  // status: an empty message
  const auto got = decode_protobuf(envelope("v1", "Service", service), lookup);
  ASSERT_TRUE(got) << got.error().message();
  EXPECT_EQ(json::serialize(*json::find(*got, {"spec", "ports"})), R"([{"port":0}])");
  EXPECT_EQ(json::serialize(*json::find(*got, {"status"})), "{}");
}

TEST(Protobuf, OptionsOfDeleteComeInEveryGroup) {
  std::string options;
  wire::put_number(options, 1, 0);
  wire::put_bytes(options, 4, "Background");
  const auto got = decode_protobuf(envelope("apps/v1", "DeleteOptions", options), lookup);
  ASSERT_TRUE(got) << got.error().message();
  EXPECT_EQ(
      json::serialize(*got),
      R"({"apiVersion":"apps/v1","gracePeriodSeconds":0,"kind":"DeleteOptions","propagationPolicy":"Background"})");
}

TEST(Protobuf, RefusesWhatIsBroken) {
  const struct {
    const char* name;
    std::string body;
    const char* part;
  } cases[] = {
      {"nothing", "", "magic number"},
      {"JSON", "{}", "magic number"},
      {"no envelope", std::string("k8s\0", 4), "does not name"},
      {"an unknown kind", envelope("v1", "Nothing", ""),
       "no kind \"Nothing\" is registered for version \"v1\""},
      {"a length past the end", envelope("v1", "Pod", "\x0a\x7f"), "longer than its message"},
      {"an endless number", envelope("v1", "Pod", std::string(20, '\xff')), "more than 64 bits"},
      {"a group", envelope("v1", "Pod", "\x0b"), "illegal wire type"},
      {"field zero", envelope("v1", "Pod", std::string_view("\x02\x00", 2)),
       "illegal field number"},
      {"a number where a message belongs", envelope("v1", "Pod", std::string_view("\x08\x01", 2)),
       "metadata: protobuf: a message was expected"},
      {"broken UTF-8", envelope("v1", "ConfigMap", "\x0a\x03\x0a\x01\xff"), "not valid UTF-8"},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(c.name);
    const auto got = decode_protobuf(c.body, lookup);
    ASSERT_FALSE(got);
    EXPECT_EQ(got.error().code(), Code::kBadRequest);
    EXPECT_THAT(got.error().message(), HasSubstr(c.part));
  }
}

TEST(Protobuf, NestedSchemasAreBounded) {
  // JSONSchemaProps.not (24) inside itself, without end.
  std::string schema;
  for (int i = 0; i < 1000; ++i) {
    std::string next;
    wire::put_bytes(next, 28, schema);
    schema = std::move(next);
  }
  std::string validation, version, spec, crd;
  wire::put_bytes(validation, 1, schema);
  wire::put_bytes(version, 4, validation);
  wire::put_bytes(spec, 7, version);
  wire::put_bytes(crd, 2, spec);
  const auto got =
      decode_protobuf(envelope("apiextensions.k8s.io/v1", "CustomResourceDefinition", crd), lookup);
  ASSERT_FALSE(got);
  EXPECT_THAT(got.error().message(), HasSubstr("nested deeper"));
}

TEST(Text, MediaTypes) {
  EXPECT_EQ(*media_type("application/json; charset=utf-8"), MediaType::kJson);
  EXPECT_EQ(*media_type("Application/YAML"), MediaType::kYaml);
  EXPECT_EQ(*media_type("application/vnd.kubernetes.protobuf"), MediaType::kProtobuf);
  const auto other = media_type("text/plain");
  ASSERT_FALSE(other);
  EXPECT_EQ(other.error().code(), Code::kUnsupportedMedia);
}

TEST(Text, BodiesAreObjectsAndDuplicatesAreNoticed) {
  Strictness strictness;
  const auto value =
      decode_text(MediaType::kYaml, "kind: Pod\nspec:\n  a: 1\n  a: 2\n", strictness);
  ASSERT_TRUE(value);
  EXPECT_THAT(strictness.duplicate_fields, ::testing::ElementsAre("spec.a"));
  for (const char* bad : {"[]", "1", "", "null"}) {
    EXPECT_FALSE(decode_text(MediaType::kJson, bad, strictness)) << bad;
    EXPECT_FALSE(decode_text(MediaType::kYaml, bad, strictness)) << bad;
  }
}

TEST(Duration, GoTexts) {
  const struct {
    int64_t nanoseconds;
    const char* text;
  } cases[] = {{0, "0s"},
               {1, "1ns"},
               {1'500, "1.5µs"},
               {1'500'000, "1.5ms"},
               {1'500'000'000, "1.5s"},
               {90'000'000'000, "1m30s"},
               {5'400'000'000'000, "1h30m0s"},
               {-1'000'000'000, "-1s"}};
  for (const auto& c : cases) {
    EXPECT_EQ(duration_text(c.nanoseconds), c.text);
    EXPECT_EQ(parse_duration(c.text), c.nanoseconds);
  }
  for (const char* bad : {"", "1", "s", "1x", "--1s", "1e3s", "99999999h"})
    EXPECT_FALSE(parse_duration(bad)) << bad;
}

}  // namespace
}  // namespace atl::api
