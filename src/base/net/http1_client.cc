#include <fmt/format.h>

#include "base/net/body_pipe_impl.h"
#include "base/net/fields_impl.h"
#include "base/net/http1_client_impl.h"

namespace atl::net {
namespace {

// Holds the connection until its end was read; dropped before, the connection closes.
class ResponseBody final : public BodyReader {
 public:
  explicit ResponseBody(std::shared_ptr<Http1Client> connection)
      : connection_(std::move(connection)) {}

  Task<std::string> read_some() override {
    if (connection_ == nullptr) co_return std::string();
    auto piece = co_await connection_->read_body();
    if (!piece || !piece->empty()) co_return piece;
    trailers_ = connection_->trailers();
    connection_.reset();
    co_return std::string();
  }
  Headers trailers() const override { return trailers_; }

 private:
  std::shared_ptr<Http1Client> connection_;
  Headers trailers_;
};

bool wants_length(const std::string& method) {
  return method == "POST" || method == "PUT" || method == "PATCH";
}

std::string request_head(const ClientRequest& request, const std::string& host) {
  std::string text;
  text.reserve(256);
  text.append(request.method).append(" ").append(request.target).append(" HTTP/1.1\r\n");
  if (!request.headers.has("host")) text.append("host: ").append(host).append("\r\n");
  const bool upgrades = request.headers.has("upgrade");
  for (const auto& [name, value] : request.headers.items()) {
    const bool ours =
        name == "content-length" || (is_hop_by_hop(name) && !(upgrades && name == "upgrade"));
    if (!ours) text.append(name).append(": ").append(value).append("\r\n");
  }
  if (upgrades) text.append("connection: Upgrade\r\n");
  if (request.body_stream) {
    text.append("transfer-encoding: chunked\r\n");
  } else if (!request.body.empty() || wants_length(request.method)) {
    text.append("content-length: ").append(std::to_string(request.body.size())).append("\r\n");
  }
  return text.append("\r\n");
}

Error broke_off() {
  return Error(Code::kUnavailable, "the server closed the connection without an answer");
}

}  // namespace

Result<> check_request(const ClientRequest& request) {
  if (!is_token(request.method) || request.method == "CONNECT") {
    return Error(Code::kBadRequest, "'" + request.method + "' is not a method that can be sent");
  }
  if (!is_origin_form(request.target)) {
    return Error(Code::kBadRequest,
                 "'" + request.target + "' is not an encoded path that begins with '/'");
  }
  const Result<> headers = check_outgoing(request.headers);
  if (!headers) return Error(Code::kBadRequest, headers.error().message());
  return Unit{};
}

std::string host_field(const Endpoint& endpoint) {
  if (!endpoint.unix_path.empty()) return "localhost";
  std::string host = endpoint.host;
  if (host.find(':') != std::string::npos) host = "[" + host + "]";
  const uint16_t usual = endpoint.tls ? 443 : 80;
  return endpoint.port == usual || endpoint.port == 0 ? host
                                                      : host + ":" + std::to_string(endpoint.port);
}

bool Http1Client::usable() {
  // A server has nothing to say on an idle connection but that it closes it.
  if (!input_.empty()) return false;
  const auto count = transport_->try_read(read_scratch());
  return count && !*count;
}

Task<> Http1Client::write_request(std::string head, std::string body, bool* untouched) {
  std::vector<std::string_view> pieces{head};
  if (!body.empty()) pieces.push_back(body);
  *untouched = true;
  while (true) {
    CO_TRY(const size_t taken, transport_->try_write(pieces));
    if (taken > 0) *untouched = false;
    drop_front(pieces, taken);
    if (pieces.empty()) co_return Unit{};
    CO_TRY_OK(co_await transport_->wait_writable());
  }
}

// One chunk for each piece; the server may answer before it took all of it.
Task<> Http1Client::write_chunks(std::shared_ptr<BodyReader> body) {
  bool untouched = false;
  for (;;) {
    CO_TRY(std::string piece, co_await body->read_some());
    if (piece.empty()) break;
    std::string size = fmt::format("{:x}\r\n", piece.size());
    piece += "\r\n";
    CO_TRY_OK(co_await write_request(std::move(size), std::move(piece), &untouched));
  }
  co_return co_await write_request("0\r\n\r\n", {}, &untouched);
}

Result<> Http1Client::take(std::string_view fresh) {
  input_.append(fresh);
  const auto used = parser_->feed(input_);
  if (!used)
    return Error(Code::kUnavailable,
                 "the server's answer is broken: " + std::string(used.error().text));
  input_.erase(0, *used);
  if (input_.empty()) input_ = std::string();
  return Unit{};
}

Task<> Http1Client::read_more() {
  CO_TRY(const size_t count, co_await transport_->read_some(read_scratch()));
  if (count > 0) co_return take({read_scratch().data(), count});
  if (!parser_->started()) co_return broke_off();
  const auto finished = parser_->finish();
  if (!finished) co_return Error(Code::kUnavailable, "the server broke off inside its answer");
  co_return Unit{};
}

// The head of the final answer; interim ones (100, 103) are read over.
Task<> Http1Client::read_head(Http1Parser::Role role) {
  while (true) {
    parser_ = Http1Parser::make(role, kHeaderBytes);
    CO_TRY_OK(take({}));
    while (!parser_->head_done()) CO_TRY_OK(co_await read_more());
    const int status = parser_->head().status;
    if (status >= 200 || status == 101) co_return Unit{};
  }
}

Async<Http1Client::Sent> Http1Client::send(ClientRequest request, std::string host,
                                           std::function<void()> released) {
  bool untouched = false;
  const auto role =
      request.method == "HEAD" ? Http1Parser::Role::kResponseToHead : Http1Parser::Role::kResponse;
  auto written =
      co_await write_request(request_head(request, host), std::move(request.body), &untouched);
  if (!written && untouched) co_return Sent{written.error(), request.body_stream == nullptr};
  if (written && request.body_stream) written = co_await write_chunks(request.body_stream);
  // A server may refuse a body and close before it took all of it: its answer counts then.
  auto read = co_await read_head(role);
  if (!read) co_return Sent{written ? std::move(read).error() : written.error(), false};
  if (parser_->head().status == 101)
    co_return Sent{Error(Code::kUnavailable, "the server switched protocols unasked"), false};
  ClientResponse response;
  response.status = parser_->head().status;
  response.headers = std::move(parser_->head().headers);
  const bool goes_on = written && parser_->head().keep_alive;
  if (parser_->done()) {
    const auto whole = std::make_shared<BodyPipe>();
    whole->push(parser_->take_body());
    whole->finish(std::move(parser_->trailers()));
    response.body = whole;
    if (goes_on) released();
  } else {
    if (goes_on) released_ = std::move(released);
    response.body = std::make_shared<ResponseBody>(shared_from_this());
  }
  co_return Sent{std::move(response), false};
}

Task<std::string> Http1Client::read_body() {
  while (true) {
    std::string piece = parser_->take_body();
    if (!piece.empty()) co_return piece;
    if (parser_->done()) {
      if (released_) std::exchange(released_, {})();
      co_return piece;
    }
    CO_TRY_OK(co_await read_more());
  }
}

Task<Upgraded> Http1Client::upgrade(ClientRequest request, std::string host) {
  bool untouched = false;
  CO_TRY_OK(
      co_await write_request(request_head(request, host), std::move(request.body), &untouched));
  CO_TRY_OK(co_await read_head(Http1Parser::Role::kResponse));
  Upgraded out;
  out.status = parser_->head().status;
  out.headers = std::move(parser_->head().headers);
  if (out.status == 101) {
    out.stream = make_stream(std::move(transport_), std::move(input_));
  } else {
    out.body = std::make_shared<ResponseBody>(shared_from_this());
  }
  co_return out;
}

}  // namespace atl::net
