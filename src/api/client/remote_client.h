#pragma once

#include <memory>
#include <string>
#include <vector>

#include "api/client/client.h"
#include "api/client/kubeconfig.h"
#include "base/async/timer.h"
#include "base/core/rng.h"
#include "base/net/client.h"

namespace atl::api {

// The Kubernetes API over HTTP(S), of Atoll or of any conformant cluster. Speaks JSON. Owned by the
// wiring; one executor; outlives its watches. Errors: the server's Status; kUnavailable where it
// cannot be reached; kTimeout past the deadline; kTooLarge where an answer is larger than
// kAnswerMax.
class RemoteClient final : public Client {
 public:
  struct Options {
    std::string field_manager = "atoll";  // of writes that name none
    std::string user_agent = "atoll";
    std::string impersonate_user;  // acts as somebody else; needs the right to
    std::vector<std::string> impersonate_groups;
    Duration deadline = std::chrono::seconds(30);  // for each request but watches
    Duration watch_time =
        std::chrono::minutes(5);  // a watch ends after this to twice this, at random
  };
  RemoteClient(Executor executor, Timer& timer, Rng& rng, ClusterAccess access, Options options);

  Task<ObjectPtr> get(Gvr resource, ObjectKey key) override;
  Task<ObjectList> list(Gvr resource, ListOptions options) override;
  Task<std::unique_ptr<Watch>> watch(Gvr resource, WatchOptions options) override;
  Task<ObjectPtr> create(Gvr resource, std::string ns, json::Value document,
                         WriteOptions options) override;
  Task<ObjectPtr> update(Gvr resource, ObjectKey key, json::Value document,
                         WriteOptions options) override;
  Task<ObjectPtr> patch(Gvr resource, ObjectKey key, PatchType type, json::Value patch,
                        PatchOptions options) override;
  Task<> remove(Gvr resource, ObjectKey key, DeleteOptions options) override;
  Task<json::Value> post(Gvr resource, ObjectKey key, std::string subresource,
                         json::Value document) override;

 private:
  net::ClientRequest request(std::string method, std::string target) const;
  Task<std::string> send(net::ClientRequest request);
  Task<ObjectPtr> write(net::ClientRequest request, json::Value document, std::string content_type);
  std::string write_query(const WriteOptions& options) const;

  Timer& timer_;
  Rng& rng_;
  ClusterAccess access_;
  Options options_;
  std::unique_ptr<net::HttpClient> http_;
};

}  // namespace atl::api
