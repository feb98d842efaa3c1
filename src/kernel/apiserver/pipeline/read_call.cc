#include "kernel/apiserver/pipeline/read_call.h"

#include "kernel/apiserver/registry/options.h"

namespace atl::apiserver {
namespace {

std::string default_manager(std::string_view agent) {
  agent = agent.substr(0, agent.find('/'));
  std::string out;
  for (const char c : agent) {
    if (out.size() == kManagerBytesMax) break;
    if (uint8_t(c) >= 0x20 && uint8_t(c) < 0x7f) out += c;
  }
  return out.empty() ? "unknown" : out;
}

}  // namespace

Result<Call> read_call(Exchange& exchange, api::KindPtr kind) {
  Call call;
  call.kind = std::move(kind);
  call.subresource = exchange.info.subresource;
  call.key = exchange.info.key();
  call.user = exchange.user;
  call.warnings = exchange.warnings;
  if (!call.kind->deprecation.empty()) call.warnings->push_back(call.kind->deprecation);
  TRY(WriteOptions options, read_write(exchange.query, exchange.info.verb));
  call.dry_run = options.dry_run;
  call.validation = options.validation;
  call.manager = std::move(options.manager);
  const std::string& verb = exchange.info.verb;
  const bool writes = verb == "create" || verb == "update" || verb == "patch";
  const bool apply =
      exchange.http.headers.get("content-type").starts_with("application/apply-patch");
  if (writes && !apply && call.manager.empty())
    call.manager = default_manager(exchange.http.headers.get("user-agent"));
  return call;
}

}  // namespace atl::apiserver
