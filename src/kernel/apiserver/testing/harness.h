#pragma once

#include <functional>
#include <memory>
#include <string>

#include <boost/asio/io_context.hpp>

#include "base/async/run.h"
#include "kernel/apiserver/server/server.h"
#include "kernel/apiserver/testing/fake_http.h"
#include "store/memory/memory_store.h"

namespace atl::apiserver {

// A whole API server over the memory store, in virtual time, reached by calling its handler. The
// caller is who the header "x-test-user" says (groups: "x-test-group"), "admin" otherwise;
// everybody may do everything unless another authorizer is given.
class Harness {
 public:
  struct Setup {
    Authorizer* authorizer = nullptr;
    std::function<void(Harness&)> before_start;  // adds hooks and admission steps
    Fairness::Limits limits = {};
    AuditTrail* trail = nullptr;
  };
  Harness();
  explicit Harness(Setup setup);
  ~Harness();

  // Runs one coroutine with the server in the background. Fails the test where it returns an error.
  void run(std::function<Task<>()> body);

  using ReplyPtr = std::shared_ptr<FakeReply>;
  // One request to its end.
  Async<ReplyPtr> call(std::string method, std::string target, std::string body = {},
                       net::Headers headers = {});
  // A request that goes on in the background; ended by stop or by itself.
  ReplyPtr open(std::string target, net::Headers headers = {});
  // The same for a request whose body is still to come.
  ReplyPtr send(std::string method, std::string target, std::shared_ptr<net::BodyReader> body,
                net::Headers headers = {});
  // The next line of a stream as a document; null at its end.
  Async<json::Value> next_line(ReplyPtr reply);

  asio::io_context loop;
  SimTimer timer;
  SeededRng rng{1};
  store::MemoryStore store;
  api::KindSet kinds;
  std::unique_ptr<WatchCache> cache;
  Versions versions{kinds};
  HookTable hooks;
  AdmissionChain admission;
  std::unique_ptr<ApiServer> server;

 private:
  class TestUsers;
  Task<> start();
  net::Request request(std::string method, std::string target, std::string body,
                       net::Headers headers) const;

  Setup setup_;
  std::unique_ptr<Authenticator> users_;
  AllowAll allow_all_;
  std::unique_ptr<TaskGroup> streams_;
};

}  // namespace atl::apiserver
