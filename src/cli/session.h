#pragma once

#include <functional>
#include <memory>
#include <string>

#include "api/client/kubeconfig.h"
#include "base/async/task.h"
#include "base/net/client.h"
#include "base/text/json.h"
#include "cli/options.h"

namespace boost::asio {
class io_context;
}

namespace atl::cli {

// The file a command would use, whether it exists or not.
std::string kubeconfig_file(const Common& common);

// One connection to the API with the user's own credentials, for the life of one command.
// Blocking towards its caller: each call runs the loop until the answer is there.
class Session {
 public:
  // kNotFound with the next command where there is no kubeconfig.
  static Result<std::unique_ptr<Session>> open(const Common& common);
  ~Session();

  struct Reply {
    int status = 0;
    std::string body;
  };
  // Replies of 4xx and 5xx are Errors with the API's own words.
  Result<Reply> call(std::string method, std::string target, std::string body = {},
                     std::string content_type = {}, std::string accept = "application/json");
  Result<json::Value> get(const std::string& target,
                          const std::string& accept = "application/json");
  // Pieces of the body as they come, until the end or until `on_piece` says false.
  Result<> stream(std::string target, std::string accept,
                  std::function<bool(std::string_view)> on_piece);
  // Sends a file as the body. Shows progress where stderr is a terminal.
  Result<Reply> upload(const std::string& target, const std::string& file);

  const std::string& ns() const { return access_.ns; }
  const api::ClusterAccess& access() const { return access_; }
  // Runs a coroutine with the client; for exec.
  Result<> run(std::function<Task<>(net::HttpClient& client, net::ClientRequest base)> body);

 private:
  explicit Session(api::ClusterAccess access);
  net::ClientRequest request(std::string method, std::string target, std::string accept) const;
  Task<net::ClientResponse> send(net::ClientRequest request);

  struct Loop;
  api::ClusterAccess access_;
  std::unique_ptr<Loop> loop_;
};

// "web" and "a/b" → safe in a path.
std::string segment(std::string_view text);

}  // namespace atl::cli
