#include "kernel/apiserver/pipeline/documents.h"

#include <fmt/format.h>

#include "api/openapi/openapi.h"
#include "api/openapi/openapi_v2_protobuf.h"
#include "kernel/apiserver/pipeline/negotiate.h"

namespace atl::apiserver {
namespace {

constexpr std::string_view kAggregated =
    "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";
constexpr std::string_view kOpenApiV3 = "/openapi/v3";

// Names content in an ETag; no defence against anybody.
std::string fingerprint(std::string_view bytes) {
  uint64_t a = 0xcbf29ce484222325, b = 0x84222325cbf29ce4;
  for (const char c : bytes) {
    a = (a ^ uint8_t(c)) * 0x100000001b3;
    b = (b + uint8_t(c)) * 0x9e3779b97f4a7c15 ^ (b >> 29);
  }
  return fmt::format("{:016X}{:016X}", a, b);
}

bool wants_aggregated(const net::Headers& headers) {
  for (const MediaRange& range : parse_accept(headers.get("accept"))) {
    if (range.as == "APIGroupDiscoveryList" && range.group == "apidiscovery.k8s.io" &&
        range.version == "v2")
      return true;
    if (range.as.empty() && (range.type == "application/json" || range.type == "*/*")) return false;
  }
  return false;
}

bool takes_json(const net::Headers& headers) {
  for (const MediaRange& range : parse_accept(headers.get("accept"))) {
    if (range.type == "application/json" || range.type == "application/*" || range.type == "*/*")
      return true;
  }
  return false;
}

bool same_etag(std::string_view known, std::string_view etag) {
  return !known.empty() && (known == "*" || known.find(etag) != std::string_view::npos);
}

// "api/v1" or "apis/apps/v1"
std::optional<api::GroupVersion> openapi_group_version(std::string_view path) {
  if (path.starts_with("api/")) return api::GroupVersion{"", std::string(path.substr(4))};
  if (!path.starts_with("apis/")) return std::nullopt;
  path.remove_prefix(5);
  const size_t slash = path.find('/');
  if (slash == std::string_view::npos) return std::nullopt;
  return api::GroupVersion{std::string(path.substr(0, slash)), std::string(path.substr(slash + 1))};
}

}  // namespace

json::Value version_document() {
  return json::Object{{"major", "1"},
                      {"minor", "36"},
                      {"gitVersion", "v1.36.0+atoll." ATOLL_VERSION},
                      {"gitCommit", ""},
                      {"gitTreeState", "clean"},
                      {"buildDate", "1970-01-01T00:00:00Z"},
                      {"goVersion", "none"},
                      {"compiler", "clang"},
                      {"platform", "linux/amd64"},
                      {"emulationMajor", "1"},
                      {"emulationMinor", "36"},
                      {"minCompatibilityMajor", "1"},
                      {"minCompatibilityMinor", "35"}};
}

Result<const Documents::Entry*> Documents::entry(const std::string& key, const Maker& make,
                                                 Encoder encode) {
  Entry& slot = entries_[key];
  if (!slot.bytes || slot.generation != kinds_.generation()) {
    auto document = make();
    if (!document) {
      entries_.erase(key);
      return std::move(document).error();
    }
    slot.bytes = share(encode(*document));
    slot.etag = "\"" + fingerprint(*slot.bytes) + "\"";
    slot.generation = kinds_.generation();
  }
  return &slot;
}

Task<> Documents::reply(Exchange& exchange, std::string key, std::string content_type, Maker make,
                        Encoder encode) {
  CO_TRY(const Entry* found, entry(key, make, encode));
  exchange.headers.set("etag", found->etag);
  exchange.headers.set("vary", "Accept");
  if (!exchange.headers.has("cache-control")) exchange.headers.set("cache-control", "public");
  if (same_etag(exchange.http.headers.get("if-none-match"), found->etag)) {
    co_return co_await exchange.reply(304, "", std::vector<SharedBytes>());
  }
  std::vector<SharedBytes> body;
  body.push_back(found->bytes);
  co_return co_await exchange.reply(200, std::move(content_type), std::move(body));
}

Task<> Documents::discovery_root(Exchange& exchange, bool core) {
  if (wants_aggregated(exchange.http.headers)) {
    const Maker make = [this, core]() -> Result<json::Value> {
      return api::aggregated_discovery(kinds_, core);
    };
    co_return co_await reply(exchange, core ? "aggregated core" : "aggregated groups",
                             std::string(kAggregated), make);
  }
  const Maker make = [this, core]() -> Result<json::Value> {
    return core ? api::api_versions() : api::api_group_list(kinds_);
  };
  co_return co_await reply(exchange, core ? "/api" : "/apis", "application/json", make);
}

const std::string& Documents::openapi_hash(const api::GroupVersion& gv) {
  Hash& known = hashes_[gv.text()];
  if (!known.text.empty() && known.generation == kinds_.generation()) return known.text;
  std::vector<api::KindPtr> members;
  for (const api::KindPtr& kind : kinds_.all()) {
    if (kind->gvr.group_version() == gv) members.push_back(kind);
  }
  if (known.text.empty() || known.kinds != members) known.text = api::openapi_hash(kinds_, gv);
  known.kinds = std::move(members);
  known.generation = kinds_.generation();
  return known.text;
}

// What older clients ask for, and newer ones for a kind that version 3 does not know.
Task<> Documents::openapi_v2(Exchange& exchange) {
  const Maker make = [this]() -> Result<json::Value> { return api::openapi_v2(kinds_); };
  for (const MediaRange& range : parse_accept(exchange.http.headers.get("accept"))) {
    if (range.type != api::kOpenApiV2Protobuf && range.type != api::kOpenApiV2ProtobufAsked)
      continue;
    co_return co_await reply(exchange, "/openapi/v2 protobuf", std::string(api::kOpenApiV2Protobuf),
                             make, api::openapi_v2_protobuf);
  }
  if (takes_json(exchange.http.headers))
    co_return co_await reply(exchange, "/openapi/v2", "application/json", make);
  co_return Error(Code::kNotAcceptable,
                  fmt::format("only the following media types are accepted: application/json, {}",
                              api::kOpenApiV2Protobuf));
}

Task<> Documents::openapi_v3(Exchange& exchange, std::string path) {
  if (!takes_json(exchange.http.headers)) {
    co_return Error(Code::kNotAcceptable,
                    "only the following media types are accepted: application/json");
  }
  if (path.empty()) {
    const Maker index = [this]() -> Result<json::Value> {
      auto document = api::openapi_v3_index(
          kinds_, [this](const api::GroupVersion& gv) { return openapi_hash(gv); });
      std::erase_if(hashes_, [this](const auto& item) {
        return item.second.generation != kinds_.generation();  // a group that went
      });
      return document;
    };
    co_return co_await reply(exchange, std::string(kOpenApiV3), "application/json", index);
  }
  const auto gv = openapi_group_version(path);
  bool known = false;
  for (const api::GroupVersion& each : kinds_.group_versions())
    known = known || (gv && each == *gv);
  if (!known) co_return unknown_resource();
  // A document named by its hash never changes: the client may keep it. A stale name leads to the
  // new one.
  if (const std::string_view asked = exchange.query.get("hash"); !asked.empty()) {
    const std::string& hash = openapi_hash(*gv);
    if (asked != hash) {
      exchange.headers.set("location", fmt::format("{}/{}?hash={}", kOpenApiV3, path, hash));
      co_return co_await exchange.reply(301, "", std::vector<SharedBytes>());
    }
    exchange.headers.set("cache-control", "public, immutable, max-age=31536000");
  }
  const Maker make = [this, gv]() -> Result<json::Value> { return api::openapi_v3(kinds_, *gv); };
  co_return co_await reply(exchange, "/openapi/v3/" + path, "application/json", make);
}

Task<bool> Documents::serve(Exchange& exchange) {
  std::string path = exchange.info.path;
  while (path.size() > 1 && path.ends_with('/')) path.pop_back();
  const bool ours = path == "/api" || path == "/apis" || path == "/version" ||
                    path.starts_with("/api/") || path.starts_with("/apis/") ||
                    path == "/openapi/v2" || path.starts_with(kOpenApiV3);
  if (!ours) co_return false;
  if (exchange.http.method != "GET" && exchange.http.method != "HEAD")
    co_return method_not_allowed();
  if (path == "/api" || path == "/apis") {
    CO_TRY_OK(co_await discovery_root(exchange, path == "/api"));
    co_return true;
  }
  if (path == "/version") {
    CO_TRY_OK(co_await exchange.reply_document(200, version_document()));
    co_return true;
  }
  if (path == "/openapi/v2") {
    CO_TRY_OK(co_await openapi_v2(exchange));
    co_return true;
  }
  if (path == kOpenApiV3 || path.starts_with("/openapi/v3/")) {
    CO_TRY_OK(co_await openapi_v3(exchange, path.size() > 12 ? path.substr(12) : std::string()));
    co_return true;
  }
  const bool core = path.starts_with("/api/");
  const std::string tail = path.substr(core ? 5 : 6);
  const bool group_only = !core && tail.find('/') == std::string::npos;
  const size_t slash = tail.find('/');
  const api::GroupVersion gv =
      core ? api::GroupVersion{"", tail}
           : api::GroupVersion{tail.substr(0, slash), group_only ? "" : tail.substr(slash + 1)};
  const Maker make = [this, gv, group_only]() -> Result<json::Value> {
    if (group_only) return api::api_group(kinds_, gv.group);
    return api::api_resource_list(kinds_, gv);
  };
  auto done = co_await reply(exchange, path, "application/json", make);
  if (!done && done.error().code() == Code::kNotFound) co_return false;  // plain 404
  if (!done) co_return std::move(done).error();
  co_return true;
}

}  // namespace atl::apiserver
