#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>

#include "cli/printing.h"
#include "cli/resources.h"
#include "cli/verbs.h"

// Images live on a node; the API reaches its agent through nodes/proxy.
namespace atl::cli {
namespace {

Result<std::string> node_path(Session& session) {
  TRY(const json::Value nodes, session.get("/api/v1/nodes"));
  const json::Array& items = json::array_at(nodes, {"items"});
  if (items.empty())
    return Error(Code::kUnavailable, "no node has registered yet; look with: atoll doctor");
  return "/api/v1/nodes/" + segment(json::string_at(items[0], {"metadata", "name"})) +
         "/proxy/images";
}

std::string human_bytes(int64_t bytes) {
  const char* units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
  double value = double(bytes);
  size_t unit = 0;
  while (value >= 1024 && unit + 1 < std::size(units)) value /= 1024, ++unit;
  return unit == 0 ? fmt::format("{} B", bytes) : fmt::format("{:.1f} {}", value, units[unit]);
}

std::string joined(const json::Array& names) {
  std::string out;
  for (const json::Value& name : names)
    out += (out.empty() ? "" : ", ") +
           std::string(name.is_string() ? std::string_view(name.get_string()) : "");
  return out.empty() ? "<none>" : out;
}

bool for_programs(const Common& common) {
  return common.output == Output::kJson || common.output == Output::kYaml;
}

Result<> print(const Common& common, const json::Value& document) {
  std::fputs(print_document(document, common.output).c_str(), stdout);
  return Unit{};
}

}  // namespace

Result<> image_list(const Common& common) {
  TRY(const auto session, Session::open(common));
  TRY(const std::string path, node_path(*session));
  TRY(const json::Value list, session->get(path));
  if (for_programs(common)) return print(common, list);
  std::vector<std::vector<std::string>> rows{{"NAME", "ID", "SIZE", "IN USE"}};
  for (const json::Value& image : json::array_at(list, {"images"})) {
    const std::string id(json::string_at(image, {"id"}));
    rows.push_back({joined(json::array_at(image, {"names"})), id.substr(id.find(':') + 1, 12),
                    human_bytes(json::int_at(image, {"sizeBytes"})),
                    json::bool_at(image, {"inUse"}) ? "yes" : "no"});
  }
  if (rows.size() == 1) {
    std::fputs("No images on this node. Load one: atoll image load FILE\n", stderr);
    return Unit{};
  }
  std::fputs(layout(rows).c_str(), stdout);
  return Unit{};
}

Result<> image_load(const Common& common, const std::string& file) {
  TRY(const auto session, Session::open(common));
  TRY(const std::string path, node_path(*session));
  if (::isatty(STDERR_FILENO)) std::fprintf(stderr, "loading %s\n", file.c_str());
  const auto reply = session->upload(path + "/load", file);
  if (!reply) return Error(reply.error()).during("load " + file);
  TRY(const json::Value loaded, json::parse(reply->body));
  if (for_programs(common)) return print(common, loaded);
  for (const json::Value& image : json::array_at(loaded, {"images"}))
    std::printf("loaded %s\n", std::string(json::string_at(image, {"name"})).c_str());
  return Unit{};
}

Result<> image_remove(const Common& common, const std::string& ref) {
  TRY(const auto session, Session::open(common));
  TRY(const std::string path, node_path(*session));
  TRY_OK(session->call("DELETE", path + "?ref=" + net::percent_encode(ref)));
  if (for_programs(common)) return print(common, json::Object{{"removed", ref}});
  std::printf("removed %s\n", ref.c_str());
  return Unit{};
}

Result<> image_pull(const Common& common, const std::string& ref) {
  TRY(const auto session, Session::open(common));
  TRY(const std::string path, node_path(*session));
  if (::isatty(STDERR_FILENO)) std::fprintf(stderr, "pulling %s\n", ref.c_str());
  TRY(const Session::Reply reply,
      session->call("POST", path + "/pull?ref=" + net::percent_encode(ref)));
  TRY(const json::Value image, json::parse(reply.body));
  if (for_programs(common)) return print(common, image);
  std::printf("pulled %s %s\n", std::string(json::string_at(image, {"name"})).c_str(),
              std::string(json::string_at(image, {"digest"})).c_str());
  return Unit{};
}

Result<std::vector<std::string>> image_names(const Common& common) {
  TRY(const auto session, Session::open(common));
  TRY(const std::string path, node_path(*session));
  TRY(const json::Value list, session->get(path));
  std::vector<std::string> out;
  for (const json::Value& image : json::array_at(list, {"images"})) {
    for (const json::Value& name : json::array_at(image, {"names"}))
      if (name.is_string()) out.emplace_back(name.get_string());
  }
  return out;
}

}  // namespace atl::cli
