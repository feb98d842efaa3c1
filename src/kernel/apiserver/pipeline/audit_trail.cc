#include "kernel/apiserver/pipeline/audit_trail.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>

#include "base/io/files.h"
#include "base/observe/log.h"
#include "base/text/json_writer.h"

namespace atl::apiserver {
namespace {

constexpr size_t kLinesMax = 64 * 1024;
constexpr size_t kTextMax = 256;  // names and paths of strangers
constexpr mode_t kMode = 0600;

bool was_refused(const Exchange& exchange) {
  return exchange.status() == 401 || exchange.status() == 403;
}

bool leaves_a_trail(const Exchange& exchange) {
  const RequestInfo& info = exchange.info;
  const bool connects = info.subresource == "exec" || info.subresource == "attach" ||
                        info.subresource == "portforward" || info.subresource == "proxy";
  return was_refused(exchange) || is_mutating(info) || connects;
}

// Straight into the text: every write passes here, and a tree costs ten times as much.
void append_line(const Exchange& exchange, WallTime now, std::string& out) {
  const RequestInfo& info = exchange.info;
  const auto add = [&out](std::string_view key, std::string_view text) {
    if (text.empty()) return;
    out.append(",\"").append(key).append("\":");
    json::append_quoted(out, text.substr(0, kTextMax));
  };
  out += fmt::format("{{\"time\":\"{}\",\"code\":{}", rfc3339(now), exchange.status());
  add("auditID", exchange.audit_id);
  add("verb", info.verb);
  add("source", exchange.http.peer.address);
  if (exchange.user) add("user", exchange.user->name);
  add("impersonator", exchange.impersonator);
  if (info.is_resource) {
    add("group", info.group);
    add("resource", info.resource);
    add("subresource", info.subresource);
    add("namespace", info.ns);
    add("name", info.name.empty() ? exchange.subject.name : info.name);
    if (exchange.query.has("dryRun")) out += ",\"dryRun\":true";
  } else {
    add("path", info.path);
  }
  out += "}\n";
}

}  // namespace

Result<std::unique_ptr<AuditTrail>> AuditTrail::open(Options options) {
  std::unique_ptr<AuditTrail> trail(new AuditTrail(std::move(options)));
  TRY_OK(trail->reopen());
  return trail;
}

Result<> AuditTrail::reopen() {
  file_ =
      io::UniqueFd(::open(options_.file.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, kMode));
  struct stat found{};
  if (file_.get() < 0 || fstat(file_.get(), &found) != 0)
    return io::errno_error("open " + options_.file, errno);
  size_ = uint64_t(found.st_size);
  return Unit{};
}

Result<> AuditTrail::rotate() {
  const auto name = [this](int age) {
    return age == 0 ? options_.file : options_.file + "." + std::to_string(age);
  };
  for (int age = options_.files - 1; age > 0; --age) {
    if (std::rename(name(age - 1).c_str(), name(age).c_str()) != 0 && errno != ENOENT)
      return io::errno_error("rename " + name(age - 1), errno);
  }
  return reopen();
}

void AuditTrail::note(const Exchange& exchange, WallTime now) {
  if (!leaves_a_trail(exchange)) return;
  if (was_refused(exchange) && ++refused_ > kRefusedMax) return;
  append_line(exchange, now, lines_);
  if (lines_.size() < kLinesMax) return;
  const size_t refused = refused_;
  flush();
  refused_ = refused;  // counted by the second, however fast lines come
}

Result<> AuditTrail::write_out() {
  if (size_ > 0 && size_ + lines_.size() > options_.rotate_bytes) TRY_OK(rotate());
  std::string_view rest = lines_;
  while (!rest.empty()) {
    const ssize_t written = ::write(file_.get(), rest.data(), rest.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return io::errno_error("write " + options_.file, errno);
    size_ += uint64_t(written);
    rest.remove_prefix(size_t(written));
  }
  return Unit{};
}

void AuditTrail::flush() {
  if (refused_ > kRefusedMax) {
    lines_ += fmt::format("{{\"refusedMore\":{}}}\n", refused_ - kRefusedMax);
  }
  refused_ = 0;
  if (lines_.empty()) return;
  const Result<> done = write_out();
  if (!done) log::error("the audit trail has a gap", {{"error", done.error()}});
  lines_.clear();
}

}  // namespace atl::apiserver
