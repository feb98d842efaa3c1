// Bodies made from good ones by a rule: cut at every byte, a byte changed, a value of another type
// at each place. Each is answered with a Status that is no fault of the server's, and the server
// goes on.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "kernel/apiserver/testing/harness.h"

namespace atl::apiserver {
namespace {

constexpr const char* kDeployments = "/apis/apps/v1/namespaces/d/deployments?dryRun=All";
constexpr const char* kProtobuf = "application/vnd.kubernetes.protobuf";

std::string file(const std::string& name) {
  std::ifstream in(std::filesystem::path(ATOLL_SOURCE_DIR) / "src/api/codec/testdata" / name,
                   std::ios::binary);
  std::stringstream text;
  text << in.rdbuf();
  EXPECT_FALSE(text.str().empty()) << name;
  return text.str();
}

class BadBodies : public testing::Test {
 protected:
  // The body may be good or bad, but it must not be a fault of the server.
  Async<int> send(std::string body, std::string content_type, std::string path = kDeployments) {
    const auto reply = co_await harness_.call("POST", std::move(path), std::move(body),
                                              {{"content-type", std::move(content_type)}});
    EXPECT_LT(reply->status, 500) << reply->body;
    const auto document = json::parse(reply->body);
    EXPECT_TRUE(document.has_value()) << reply->body;
    if (reply->status != 201 && document) {
      EXPECT_EQ(json::string_at(*document, {"kind"}), "Status") << reply->body;
      EXPECT_NE(json::string_at(*document, {"message"}), "") << reply->body;
    }
    co_return reply->status;
  }
  Async<void> expect_works() {
    const int status = co_await send(file("deployment.json"), "application/json");
    EXPECT_EQ(status, 201);
  }

  Harness harness_;
};

TEST_F(BadBodies, JsonCutAtEveryByte) {
  harness_.run([&]() -> Task<> {
    const std::string whole = json::serialize(*json::parse(file("deployment.json")));
    for (size_t size = 0; size < whole.size(); ++size) {
      const int status = co_await send(whole.substr(0, size), "application/json");
      EXPECT_EQ(status, 400) << "at byte " << size;
    }
    co_await expect_works();
    co_return Unit{};
  });
}

TEST_F(BadBodies, YamlCutAtEveryByte) {
  harness_.run([&]() -> Task<> {
    const std::string whole =
        "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: w\n  labels: {a: \"b\"}\nspec:\n"
        "  selector: &s\n    matchLabels: {a: b}\n  template:\n    metadata: {labels: {a: b}}\n"
        "    spec:\n      containers:\n      - {name: a, image: >-\n          x}\n";
    for (size_t size = 0; size < whole.size(); ++size) {
      co_await send(whole.substr(0, size), "application/yaml");
    }
    co_await expect_works();
    co_return Unit{};
  });
}

TEST_F(BadBodies, ProtobufCutAtEveryByte) {
  harness_.run([&]() -> Task<> {
    const std::string whole = file("deployment.pb");
    for (size_t size = 0; size < whole.size(); ++size) {
      const int status = co_await send(whole.substr(0, size), kProtobuf);
      // The envelope ends in two fields that say nothing.
      const bool whole_object = size + 4 >= whole.size();
      if (!whole_object) EXPECT_NE(status, 201) << "at byte " << size;
    }
    const int status = co_await send(whole, kProtobuf);
    EXPECT_EQ(status, 201);
    co_return Unit{};
  });
}

TEST_F(BadBodies, ProtobufWithEachByteChanged) {
  harness_.run([&]() -> Task<> {
    const std::string whole = file("deployment.pb");
    for (size_t at = 0; at < whole.size(); ++at) {
      for (const char other : {'\x00', '\x7f', '\xff'}) {
        std::string changed = whole;
        changed[at] = other;
        co_await send(std::move(changed), kProtobuf);
      }
    }
    co_await expect_works();
    co_return Unit{};
  });
}

// Replaces the value at each place of a document, one at a time.
void each_replaced(json::Value& document, json::Value& at, const json::Value& by,
                   const std::function<void()>& visit) {
  const json::Value kept = at;
  at = by;
  visit();
  at = kept;
  if (at.is_object()) {
    for (auto& pair : at.get_object()) each_replaced(document, pair.value(), by, visit);
  } else if (at.is_array()) {
    for (json::Value& item : at.get_array()) each_replaced(document, item, by, visit);
  }
}

TEST_F(BadBodies, AnotherTypeAtEachPlace) {
  const json::Value others[] = {nullptr,
                                true,
                                -1,
                                1e300,
                                "x",
                                json::Array{nullptr, 1},
                                json::Array{},
                                json::Object{},
                                json::Object{{"x", nullptr}}};
  std::vector<std::string> bodies;
  json::Value document = *json::parse(file("deployment.json"));
  for (const json::Value& other : others) {
    each_replaced(document, document, other, [&] { bodies.push_back(json::serialize(document)); });
  }
  EXPECT_GT(bodies.size(), 400U);
  harness_.run([&]() -> Task<> {
    for (const std::string& body : bodies) co_await send(body, "application/json");
    co_await expect_works();
    co_return Unit{};
  });
}

}  // namespace
}  // namespace atl::apiserver
