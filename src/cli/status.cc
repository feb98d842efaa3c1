#include <fmt/format.h>

#include <cstdio>

#include "base/io/files.h"
#include "base/io/layout.h"
#include "cli/printing.h"
#include "cli/resources.h"
#include "cli/verbs.h"

namespace atl::cli {
namespace {

size_t count(Session& session, const std::string& path) {
  const auto list = session.get(path);
  return list ? json::array_at(*list, {"items"}).size() : 0;
}

}  // namespace

Result<> status(const Common& common) {
  TRY(const auto session, Session::open(common));
  TRY(const json::Value version, session->get("/version"));
  TRY(const json::Value nodes, session->get("/api/v1/nodes"));
  json::Object out;
  out["api"] = fmt::format("https://{}:{}", session->access().endpoint.host,
                           session->access().endpoint.port);
  out["kubernetes"] = json::string_at(version, {"gitVersion"});
  json::Array names;
  for (const json::Value& node : json::array_at(nodes, {"items"})) {
    bool ready = false;
    for (const json::Value& condition : json::array_at(node, {"status", "conditions"})) {
      ready |= json::string_at(condition, {"type"}) == "Ready" &&
               json::string_at(condition, {"status"}) == "True";
    }
    names.push_back({{"name", json::string_at(node, {"metadata", "name"})}, {"ready", ready}});
  }
  out["nodes"] = std::move(names);
  out["pods"] = count(*session, "/api/v1/pods");
  out["namespaces"] = count(*session, "/api/v1/namespaces");
  if (common.output == Output::kJson || common.output == Output::kYaml) {
    std::fputs(print_document(json::Value(std::move(out)), common.output).c_str(), stdout);
    return Unit{};
  }
  std::vector<std::vector<std::string>> rows;
  rows.push_back({"api:", std::string(out["api"].as_string())});
  rows.push_back({"version:", "Atoll " ATOLL_VERSION ", Kubernetes API " +
                                  std::string(out["kubernetes"].as_string())});
  for (const json::Value& node : out["nodes"].as_array()) {
    rows.push_back({"node:", std::string(json::string_at(node, {"name"})) +
                                 (json::bool_at(node, {"ready"}) ? " (ready)" : " (not ready)")});
  }
  rows.push_back(
      {"running:", fmt::format("{} pods in {} namespaces", out["pods"].to_number<size_t>(),
                               out["namespaces"].to_number<size_t>())});
  std::fputs(layout(rows).c_str(), stdout);
  return Unit{};
}

Result<> kubeconfig(const Common& common) {
  const std::string file = kubeconfig_file(common);
  auto text = io::read_file(file);
  if (!text && text.error().code() == Code::kForbidden) {
    return Error(Code::kForbidden, file + " belongs to root; run: sudo atoll kubeconfig");
  }
  if (!text)
    return Error(text.error().code(),
                 "there is no kubeconfig at " + file + "; start Atoll with ./up");
  std::fputs(text->c_str(), stdout);
  return Unit{};
}

Result<> version(const Common& common) {
  json::Object out{{"client", ATOLL_VERSION}};
  // No instance, or none that answers: the client's version is the answer.
  if (auto session = Session::open(common)) {
    if (const auto server = (*session)->get("/version"))
      out["server"] = json::string_at(*server, {"gitVersion"});
  }
  if (common.output == Output::kJson || common.output == Output::kYaml) {
    std::fputs(print_document(json::Value(std::move(out)), common.output).c_str(), stdout);
    return Unit{};
  }
  for (const auto& [name, text] : out)
    std::printf("%s: %s\n", std::string(name).c_str(), text.as_string().c_str());
  return Unit{};
}

}  // namespace atl::cli
