#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "api/schema/kind.h"
#include "base/async/task.h"
#include "kernel/apiserver/pipeline/exchange.h"

namespace atl::apiserver {

// Discovery, OpenAPI and /version: documents that follow from the kinds alone. Each is made when it
// is first asked for, kept with its ETag until the kinds change, and answered with 304 where the
// client has it. Owned by ApiServer; one executor.
class Documents {
 public:
  explicit Documents(const api::KindSet& kinds) : kinds_(kinds) {}

  // True where the path is one of these; it has been answered then.
  Task<bool> serve(Exchange& exchange);

 private:
  struct Entry {
    uint64_t generation = 0;
    SharedBytes bytes;
    std::string etag;
  };
  // The name of one version's OpenAPI document, and the kinds it was made from: another kind that
  // comes or goes does not change it.
  struct Hash {
    uint64_t generation = 0;
    std::vector<api::KindPtr> kinds;
    std::string text;
  };
  using Maker = std::function<Result<json::Value>()>;
  using Encoder = std::string (*)(const json::Value&);
  Result<const Entry*> entry(const std::string& key, const Maker& make, Encoder encode);
  Task<> reply(Exchange& exchange, std::string key, std::string content_type, Maker make,
               Encoder encode = to_json);
  static std::string to_json(const json::Value& document) { return json::serialize(document); }
  Task<> openapi_v2(Exchange& exchange);
  Task<> discovery_root(Exchange& exchange, bool core);
  const std::string& openapi_hash(const api::GroupVersion& gv);
  Task<> openapi_v3(Exchange& exchange, std::string path);

  const api::KindSet& kinds_;
  std::map<std::string, Entry> entries_;
  std::map<std::string, Hash> hashes_;  // by group and version
};

json::Value version_document();

}  // namespace atl::apiserver
