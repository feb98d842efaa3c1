#include "kernel/apiserver/pipeline/exchange.h"

#include "api/client/status_error.h"
#include "base/text/yaml.h"
#include "kernel/apiserver/pipeline/gzip.h"
#include "kernel/apiserver/pipeline/negotiate.h"

namespace atl::apiserver {
namespace {
// As apiserver: the headers of all warnings together stay below this.
constexpr size_t kWarningBytesMax = 4'096;
}  // namespace

std::string warning_header(std::string_view text) {
  std::string out = "299 - \"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += uint8_t(c) < 0x20 || c == 0x7f ? ' ' : c;
  }
  return out + '"';
}

net::Headers Exchange::common_headers() const {
  net::Headers out = headers;
  if (!audit_id.empty()) out.set("audit-id", audit_id);
  if (!out.has("cache-control")) out.set("cache-control", "no-cache, private");
  size_t used = 0;
  std::vector<std::string_view> seen;
  for (const std::string& warning : *warnings) {
    if (std::find(seen.begin(), seen.end(), warning) != seen.end()) continue;
    seen.push_back(warning);
    std::string value = warning_header(warning);
    used += value.size();
    if (used > kWarningBytesMax) break;
    out.add("warning", std::move(value));
  }
  return out;
}

Task<> Exchange::reply(int status, std::string content_type, std::vector<SharedBytes> body) {
  status_ = status;
  size_t size = 0;
  for (const SharedBytes& piece : body) size += piece->size();
  if (size >= kGzipFrom && wants_gzip(http)) {
    Gzip gzip;
    body = {share(gzip.add(body)), share(gzip.finish())};
    headers.set("content-encoding", "gzip");
    headers.add("vary", "Accept-Encoding");
  }
  net::Response response{.status = status, .headers = common_headers(), .body = std::move(body)};
  if (!content_type.empty()) response.headers.set("content-type", std::move(content_type));
  co_return co_await responder_.send(std::move(response));
}

Task<> Exchange::reply(int status, std::string content_type, std::string body) {
  std::vector<SharedBytes> pieces;
  pieces.push_back(share(std::move(body)));
  co_return co_await reply(status, std::move(content_type), std::move(pieces));
}

Task<> Exchange::reply_document(int status, const json::Value& document) {
  const Accepted accepted = preferred_text(http.headers);
  if (accepted == Accepted::kYaml) {
    co_return co_await reply(status, "application/yaml", yaml::to_yaml(document));
  }
  std::string text =
      wants_pretty(http.headers, query) ? json::pretty(document) + "\n" : json::serialize(document);
  co_return co_await reply(status, "application/json", std::move(text));
}

Task<> Exchange::reply_error(Error error) {
  if (answered()) co_return Unit{};
  if (error.retry_after()) headers.set("retry-after", std::to_string(error.retry_after()->count()));
  if (error.code() == Code::kUnauthorized) headers.set("www-authenticate", "Bearer");
  StatusSubject about = subject;
  // Only what has a name and a kind of its own is named by a Status.
  if (error.code() == Code::kBadRequest || error.code() == Code::kUnauthorized) about = {};
  if (error.code() == Code::kInvalid) {
    // Options, and bodies of another kind than the resource's, are named by their own.
    auto named = subject_of_invalid(error.message());
    if (!kind.empty()) about.kind = kind;
    if (named && named->kind != kind) about = *std::move(named);
  }
  const json::Value document = status_document(error, about);
  co_return co_await reply_document(api::http_code(error.code()), document);
}

Task<std::unique_ptr<net::ResponseStream>> Exchange::stream(int status, std::string content_type) {
  status_ = status;
  net::Headers out = common_headers();
  out.set("content-type", std::move(content_type));
  co_return co_await responder_.stream(status, std::move(out));
}

}  // namespace atl::apiserver
