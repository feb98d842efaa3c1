#include <fcntl.h>
#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>

#include "base/io/files.h"
#include "base/io/layout.h"
#include "cli/printing.h"
#include "cli/session.h"
#include "cli/verbs.h"

namespace atl::cli {
namespace {

// One look: what, whether it is well, and what to do where it is not.
struct Finding {
  std::string what;
  bool ok = true;
  std::string detail;
  std::string remedy;
};

// What the supervisor answers to "status", or nothing where nobody answers.
std::optional<std::string> supervisor_status(const io::Layout& layout) {
  const io::UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  layout.supervise_socket().copy(address.sun_path, sizeof address.sun_path - 1);
  if (!fd || ::connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0)
    return std::nullopt;
  constexpr std::string_view kLine = "status\n";
  if (::write(fd.get(), kLine.data(), kLine.size()) != ssize_t(kLine.size())) return std::nullopt;
  std::string out;
  char buffer[1024];
  for (ssize_t n = 0; (n = ::read(fd.get(), buffer, sizeof buffer)) > 0;)
    out.append(buffer, size_t(n));
  return out;
}

void look_at_programs(const io::Layout& layout, std::vector<Finding>& out) {
  if (::geteuid() != 0) {
    out.push_back({"programs", true, "not looked at (needs root)", {}});
    return;
  }
  const auto text = supervisor_status(layout);
  if (!text) {
    out.push_back({"programs", false, "atoll-supervise does not answer", "start it: ./up"});
    return;
  }
  std::string_view rest = *text;
  while (!rest.empty()) {
    const size_t end = std::min(rest.find('\n'), rest.size());
    const std::string line(rest.substr(0, end));
    rest.remove_prefix(std::min(end + 1, rest.size()));
    const size_t space = line.find(' ');
    if (space == std::string::npos) continue;
    const std::string name = line.substr(0, space);
    const bool up = line.find(" up ") != std::string::npos || line.ends_with(" up");
    out.push_back({name, up, line.substr(space + 1),
                   fmt::format("read the end of {}/{}.log", layout.log_folder(), name)});
  }
}

void look_at_disk(const io::Layout& layout, std::vector<Finding>& out) {
  constexpr uint64_t kLowBytes = 1ull << 30;
  std::error_code error;
  const auto space = std::filesystem::space(layout.data, error);
  if (error) return;
  out.push_back({"disk", space.available > kLowBytes,
                 fmt::format("{} MiB free at {}", space.available >> 20, layout.data),
                 "free some space: below 1 GiB images and logs have no room"});
}

void look_at_api(const Common& common, std::vector<Finding>& out) {
  auto session = Session::open(common);
  if (!session) {
    out.push_back({"kubeconfig", false, session.error().message(), ""});
    return;
  }
  const auto ready = (*session)->call("GET", "/readyz", {}, {}, "*/*");
  out.push_back({"api", ready.has_value(), ready ? "ready" : ready.error().message(),
                 "read the server's log"});
  if (!ready) return;
  const auto nodes = (*session)->get("/api/v1/nodes");
  if (!nodes) return;
  for (const json::Value& node : json::array_at(*nodes, {"items"})) {
    for (const json::Value& condition : json::array_at(node, {"status", "conditions"})) {
      if (json::string_at(condition, {"type"}) != "Ready") continue;
      out.push_back({"node " + std::string(json::string_at(node, {"metadata", "name"})),
                     json::string_at(condition, {"status"}) == "True",
                     std::string(json::string_at(condition, {"message"})), "read the agent's log"});
    }
  }
}

}  // namespace

Result<> doctor(const Common& common) {
  const io::Layout layout = io::Layout::of(common.home);
  std::vector<Finding> findings;
  const auto config = io::Config::load(layout.config_file());
  findings.push_back({"configuration", config.has_value(),
                      config ? layout.config_file() : config.error().message(),
                      "install and start: ./up"});
  look_at_programs(layout, findings);
  look_at_disk(layout, findings);
  look_at_api(common, findings);
  size_t bad = 0;
  json::Array list;
  std::vector<std::vector<std::string>> rows{{"CHECK", "STATE", "DETAIL"}};
  for (const Finding& finding : findings) {
    bad += !finding.ok;
    rows.push_back({finding.what, finding.ok ? "ok" : "WRONG",
                    finding.ok || finding.remedy.empty() ? finding.detail
                                                         : finding.detail + "; " + finding.remedy});
    list.push_back({{"check", finding.what}, {"ok", finding.ok}, {"detail", finding.detail}});
  }
  if (common.output == Output::kJson || common.output == Output::kYaml) {
    std::fputs(print_document(json::Value(std::move(list)), common.output).c_str(), stdout);
  } else {
    std::fputs(atl::cli::layout(rows).c_str(), stdout);
  }
  if (bad > 0)
    return Error(Code::kUnavailable,
                 fmt::format("{} of {} checks are wrong", bad, findings.size()));
  return Unit{};
}

}  // namespace atl::cli
