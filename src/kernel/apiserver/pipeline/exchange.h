#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/async/task.h"
#include "base/core/clock.h"
#include "base/net/http.h"
#include "kernel/apiserver/contract/request_info.h"
#include "kernel/apiserver/contract/status.h"
#include "kernel/apiserver/contract/user.h"
#include "kernel/apiserver/pipeline/fairness.h"

namespace atl::apiserver {

// One request on its way through the stages, and the one place where it is answered. Lives in the
// coroutine of the connection that carries it.
class Exchange {
 public:
  Exchange(net::Request request, net::Responder& responder)
      : http(std::move(request)), responder_(responder) {}
  Exchange(const Exchange&) = delete;
  Exchange& operator=(const Exchange&) = delete;

  net::Request http;
  net::Query query;
  RequestInfo info;
  UserPtr user;
  std::string impersonator;  // who really asks, where that is another one
  std::string audit_id;
  // Warning headers of the answer; operations add to them.
  std::shared_ptr<std::vector<std::string>> warnings = std::make_shared<std::vector<std::string>>();
  net::Headers headers;   // further headers of the answer
  StatusSubject subject;  // what an error of this request is about
  std::string kind;       // of the resource, where it is one
  MonoTime begun;
  std::optional<Fairness::Ticket> place;  // among the requests under way
  bool body_arriving = false;
  // Asks again who the caller is and whether this request is still allowed: streams outlive tokens
  // and roles. An error ends the stream. Set by ApiServer.
  std::function<Task<>()> revalidate;
  // What is left to do once all stages have returned: a stream that lives for hours does not keep
  // their coroutines. Set by who answers; empty: nothing.
  std::function<Task<>()> go_on;

  bool answered() const { return status_ != 0; }
  int status() const { return status_; }
  net::Responder& responder() { return responder_; }

  Task<> reply(int status, std::string content_type, std::vector<SharedBytes> body);
  Task<> reply(int status, std::string content_type, std::string body);
  // JSON, or what the Accept header prefers of JSON and YAML; indented where `pretty` is asked for.
  Task<> reply_document(int status, const json::Value& document);
  // A Status. Does nothing where the answer has begun already.
  Task<> reply_error(Error error);
  Task<std::unique_ptr<net::ResponseStream>> stream(int status, std::string content_type);
  // For hooks that answer through the responder themselves.
  void answered_by_hook(int status) { status_ = status; }
  // Headers of every answer: audit id, warnings, caching.
  net::Headers common_headers() const;

 private:
  net::Responder& responder_;
  int status_ = 0;  // of the answer, once it has begun
};

// `299 - "text"`, with quotes and control characters made harmless.
std::string warning_header(std::string_view text);

}  // namespace atl::apiserver
