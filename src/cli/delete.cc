#include <fmt/format.h>

#include <cstdio>

#include "cli/manifests.h"
#include "cli/printing.h"
#include "cli/selection.h"
#include "cli/verbs.h"

namespace atl::cli {
namespace {

struct Target {
  std::string path;
  std::string display;
};

Result<std::vector<Target>> targets_of_files(Session& session, const Resources& resources,
                                             const DeleteOptions& options) {
  TRY(const auto documents, read_manifests(options.files));
  std::vector<Target> out;
  for (const json::Value& document : documents) {
    TRY(const api::GroupVersion gv,
        api::parse_group_version(json::string_at(document, {"apiVersion"})));
    TRY(const ResourceType type,
        resources.find_kind(
            {gv.group, gv.version, std::string(json::string_at(document, {"kind"}))}));
    const std::string name(json::string_at(document, {"metadata", "name"}));
    if (name.empty()) return Error(Code::kInvalid, "a " + type.kind + " has no metadata.name");
    const std::string ns(json::string_at(document, {"metadata", "namespace"}, session.ns()));
    out.push_back({path_of(type, ns, name), type.singular + "/" + name});
  }
  return std::vector<Target>(out.rbegin(), out.rend());  // the other way round than it was made
}

Result<std::vector<Target>> targets_of_words(Session& session, const Resources& resources,
                                             const DeleteOptions& options) {
  TRY(const auto selections, select(resources, options.what));
  std::vector<Target> out;
  for (const Selection& selection : selections) {
    std::vector<std::string> names = selection.names;
    if (names.empty()) {
      if (options.selector.empty())
        return Error(Code::kInvalid,
                     "name the objects to delete, or choose them with -l LABEL=VALUE");
      TRY(const json::Value list,
          session.get(path_of(selection.type, session.ns()) +
                      "?labelSelector=" + net::percent_encode(options.selector)));
      for (const json::Value& item : json::array_at(list, {"items"}))
        names.emplace_back(json::string_at(item, {"metadata", "name"}));
    }
    for (const std::string& name : names)
      out.push_back(
          {path_of(selection.type, session.ns(), name), selection.type.singular + "/" + name});
  }
  return out;
}

// Follows the collection until the object is gone.
Result<> wait_gone(Session& session, const Target& target) {
  const size_t slash = target.path.rfind('/');
  const std::string name = target.path.substr(slash + 1);
  const auto now = session.get(target.path);
  if (!now && now.error().code() == Code::kNotFound) return Unit{};
  if (!now) return now.error();
  const std::string uid(json::string_at(*now, {"metadata", "uid"}));
  const std::string watch =
      fmt::format("{}?watch=true&fieldSelector={}&resourceVersion={}", target.path.substr(0, slash),
                  net::percent_encode("metadata.name=" + name),
                  json::string_at(*now, {"metadata", "resourceVersion"}));
  std::string pending;
  return session.stream(watch, "application/json", [&](std::string_view piece) {
    pending += piece;
    return pending.find("\"type\":\"DELETED\"") == std::string::npos;
  });
}

}  // namespace

Result<> remove(const Common& common, const DeleteOptions& options) {
  TRY(const auto session, Session::open(common));
  TRY(const Resources resources, Resources::discover(*session));
  TRY(const auto targets, options.files.empty() ? targets_of_words(*session, resources, options)
                                                : targets_of_files(*session, resources, options));
  json::Object body{
      {"apiVersion", "v1"}, {"kind", "DeleteOptions"}, {"propagationPolicy", "Background"}};
  if (options.now) body["gracePeriodSeconds"] = 0;
  const bool table = common.output == Output::kTable || common.output == Output::kWide;
  std::vector<Target> going;
  json::Array replies;
  for (const Target& target : targets) {
    const auto reply = session->call("DELETE", target.path, json::serialize(json::Value(body)),
                                     "application/json");
    if (!reply && reply.error().code() == Code::kNotFound && options.ignore_missing) continue;
    if (!reply) return reply.error();
    if (table) {
      std::printf("%s deleted\n", target.display.c_str());
      std::fflush(stdout);
    } else {
      TRY(json::Value answer, json::parse(reply->body, {.max_bytes = 64 << 20}));
      replies.push_back(std::move(answer));
    }
    going.push_back(target);
  }
  if (!replies.empty())
    std::fputs(print_objects(std::move(replies), common.output).c_str(), stdout);
  for (const Target& target : going) {
    if (options.wait) TRY_OK(wait_gone(*session, target));
  }
  return Unit{};
}

}  // namespace atl::cli
