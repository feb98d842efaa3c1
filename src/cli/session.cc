#include "cli/session.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdlib>

#include <boost/asio/io_context.hpp>

#include "base/async/run.h"
#include "base/async/timer.h"
#include "base/io/files.h"
#include "base/io/layout.h"

namespace atl::cli {
namespace {

constexpr Duration kHeadDeadline = std::chrono::seconds(60);
constexpr size_t kReplyMax = 512 << 20;

Code code_of(int status, std::string_view reason) {
  switch (status) {
    case 400:
      return Code::kBadRequest;
    case 401:
      return Code::kUnauthorized;
    case 403:
      return Code::kForbidden;
    case 404:
      return Code::kNotFound;
    case 405:
      return Code::kMethodNotAllowed;
    case 406:
      return Code::kNotAcceptable;
    case 409:
      return reason == "AlreadyExists" ? Code::kExists : Code::kConflict;
    case 410:
      return Code::kGone;
    case 413:
      return Code::kTooLarge;
    case 415:
      return Code::kUnsupportedMedia;
    case 422:
      return Code::kInvalid;
    case 429:
      return Code::kTooMany;
    case 503:
      return Code::kUnavailable;
    case 504:
      return Code::kTimeout;
    default:
      return Code::kInternal;
  }
}

// A refusal in the server's own words.
Error refused(int status, const std::string& body) {
  const auto document = json::parse(body);
  if (document && json::string_at(*document, {"kind"}) == "Status") {
    return Error(code_of(status, json::string_at(*document, {"reason"})),
                 std::string(json::string_at(*document, {"message"})));
  }
  if (body.starts_with('<')) {
    return Error(code_of(status, ""),
                 fmt::format("the server answers {} with a page for browsers: the kubeconfig may "
                             "name another address than the API's",
                             status));
  }
  return Error(code_of(status, ""),
               fmt::format("the server answers {}: {}", status, body.substr(0, 300)));
}

std::string from_environment(const char* name) {
  const char* value = std::getenv(name);
  return value ? value : "";
}

}  // namespace

std::string kubeconfig_file(const Common& common) {
  if (!common.kubeconfig.empty()) return common.kubeconfig;
  if (common.home.empty()) {
    const std::string named = from_environment("KUBECONFIG");
    if (!named.empty()) return named.substr(0, named.find(':'));
    const std::string own = from_environment("HOME") + "/.kube/config";
    const std::string admin = io::Layout::of("").admin_kubeconfig();
    return ::access(admin.c_str(), R_OK) != 0 && ::access(own.c_str(), R_OK) == 0 ? own : admin;
  }
  return io::Layout::of(common.home).admin_kubeconfig();
}

struct Session::Loop {
  asio::io_context io;
  SystemTimer timer;
  std::unique_ptr<net::HttpClient> client;
};

Session::Session(api::ClusterAccess access)
    : access_(std::move(access)), loop_(std::make_unique<Loop>()) {
  loop_->client = net::HttpClient::make(loop_->io.get_executor(), loop_->timer, access_.endpoint);
}

Session::~Session() = default;

Result<std::unique_ptr<Session>> Session::open(const Common& common) {
  const std::string file = kubeconfig_file(common);
  auto access = api::load_kubeconfig(file, common.context);
  if (!access && access.error().code() == Code::kNotFound && ::access(file.c_str(), F_OK) != 0) {
    return Error(Code::kNotFound, "there is no kubeconfig at " + file +
                                      "; start Atoll with ./up, or name one with --kubeconfig");
  }
  if (!access && access.error().code() == Code::kForbidden) {
    return Error(
        Code::kForbidden,
        file + " belongs to root; run the command with sudo, or name your own with --kubeconfig");
  }
  if (!access) return std::move(access).error();
  if (!common.ns.empty()) access->ns = common.ns;
  return std::unique_ptr<Session>(new Session(*std::move(access)));
}

net::ClientRequest Session::request(std::string method, std::string target,
                                    std::string accept) const {
  net::ClientRequest out{std::move(method), access_.path_prefix + target, {}, {}};
  out.headers.add("accept", std::move(accept));
  out.headers.add("user-agent", "atoll/" ATOLL_VERSION);
  if (!access_.token.empty()) out.headers.add("authorization", "Bearer " + access_.token);
  return out;
}

Task<net::ClientResponse> Session::send(net::ClientRequest request) {
  auto response = co_await loop_->client->send(std::move(request), kHeadDeadline);
  if (response || response.error().code() != Code::kUnavailable) co_return response;
  co_return Error(
      Code::kUnavailable,
      fmt::format("the API at {}:{} does not answer ({}); look with: atoll doctor",
                  access_.endpoint.host, access_.endpoint.port, response.error().message()));
}

Result<Session::Reply> Session::call(std::string method, std::string target, std::string body,
                                     std::string content_type, std::string accept) {
  Reply reply;
  const auto done = atl::run(loop_->io, [&]() -> Task<> {
    net::ClientRequest out = request(std::move(method), std::move(target), std::move(accept));
    if (!content_type.empty()) out.headers.add("content-type", content_type);
    out.body = std::move(body);
    CO_TRY(auto response, co_await send(std::move(out)));
    reply.status = response.status;
    CO_TRY(reply.body, co_await response.body->read_all(kReplyMax));
    co_return Unit{};
  });
  if (!done) return done.error();
  if (reply.status >= 400) return refused(reply.status, reply.body);
  return reply;
}

Result<json::Value> Session::get(const std::string& target, const std::string& accept) {
  TRY(const Reply reply, call("GET", target, {}, {}, accept));
  return json::parse(reply.body, {.max_bytes = kReplyMax});
}

Result<> Session::stream(std::string target, std::string accept,
                         std::function<bool(std::string_view)> on_piece) {
  return atl::run(loop_->io, [&]() -> Task<> {
    CO_TRY(auto response, co_await send(request("GET", std::move(target), std::move(accept))));
    if (response.status >= 400) {
      CO_TRY(const std::string body, co_await response.body->read_all(kReplyMax));
      co_return refused(response.status, body);
    }
    for (;;) {
      CO_TRY(const std::string piece, co_await response.body->read_some());
      if (piece.empty() || !on_piece(piece)) co_return Unit{};
    }
  });
}

Result<Session::Reply> Session::upload(const std::string& target, const std::string& file) {
  TRY(std::string bytes, io::read_file(file, size_t(4) << 30));
  return call("POST", target, std::move(bytes), "application/x-tar");
}

Result<> Session::run(
    std::function<Task<>(net::HttpClient& client, net::ClientRequest base)> body) {
  return atl::run(loop_->io, [&]() -> Task<> {
    co_return co_await body(*loop_->client, request("GET", "", "*/*"));
  });
}

std::string segment(std::string_view text) {
  return net::percent_encode(text);
}

}  // namespace atl::cli
