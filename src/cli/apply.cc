#include <fmt/format.h>

#include <cstdio>

#include "cli/manifests.h"
#include "cli/printing.h"
#include "cli/resources.h"
#include "cli/verbs.h"

namespace atl::cli {
namespace {

Result<api::Gvk> kind_of(const json::Value& document) {
  const std::string kind(json::string_at(document, {"kind"}));
  const auto gv = api::parse_group_version(json::string_at(document, {"apiVersion"}));
  if (kind.empty() || !gv) return Error(Code::kInvalid, "a document has no apiVersion and kind");
  if (json::string_at(document, {"metadata", "name"}).empty())
    return Error(Code::kInvalid, "a " + kind + " has no metadata.name");
  return api::Gvk{gv->group, gv->version, kind};
}

std::string display(const ResourceType& type, std::string_view name) {
  return type.singular + (type.gvr.group.empty() ? "" : "." + type.gvr.group) + "/" +
         std::string(name);
}

std::string namespace_of(const json::Value& document, const Session& session) {
  return std::string(json::string_at(document, {"metadata", "namespace"}, session.ns()));
}

// A kind that a CRD applied a moment ago brings may need one more look.
Result<ResourceType> find_type(Session& session, Resources& resources, const api::Gvk& kind) {
  auto type = resources.find_kind(kind);
  if (type) return type;
  TRY(resources, Resources::discover(session));
  return resources.find_kind(kind);
}

// The object as it is; null where there is none.
Result<json::Value> read_before(Session& session, const std::string& path) {
  auto before = session.get(path);
  if (!before && before.error().code() == Code::kNotFound) return json::Value();
  return before;
}

// A dry run gives no new revision: what counts is the object itself.
const char* change_of(json::Value before, json::Value after) {
  if (before.is_null()) return "created";
  for (json::Value* object : {&before, &after}) {
    json::erase(*object, {"metadata", "resourceVersion"});
    json::erase(*object, {"metadata", "managedFields"});
  }
  return before == after ? "unchanged" : "configured";
}

bool for_programs(const Common& common) {
  return common.output != Output::kTable && common.output != Output::kWide;
}

// Says what became of the object, and gives it as it is now.
Result<json::Value> apply_one(Session& session, Resources& resources, const json::Value& document,
                              const Common& common, const ApplyOptions& options) {
  TRY(const api::Gvk kind, kind_of(document));
  TRY(const ResourceType type, find_type(session, resources, kind));
  const std::string name(json::string_at(document, {"metadata", "name"}));
  const std::string path = path_of(type, namespace_of(document, session), name);
  TRY(json::Value before, read_before(session, path));
  const std::string target = fmt::format("{}?fieldManager=atoll&fieldValidation=Strict&force={}{}",
                                         path, options.force, options.dry_run ? "&dryRun=All" : "");
  auto reply =
      session.call("PATCH", target, json::serialize(document), "application/apply-patch+yaml");
  if (!reply) return std::move(reply).error().during(display(type, name));
  TRY(json::Value after, json::parse(reply->body, {.max_bytes = 64 << 20}));
  if (for_programs(common)) return after;
  std::printf("%s %s%s\n", display(type, name).c_str(), change_of(std::move(before), after),
              options.dry_run ? " (dry run)" : "");
  return after;
}

}  // namespace

Result<> apply(const Common& common, const ApplyOptions& options) {
  TRY(const auto documents, read_manifests(options.files));
  TRY(const auto session, Session::open(common));
  TRY(Resources resources, Resources::discover(*session));
  std::optional<Error> first;
  json::Array applied;
  for (const json::Value& document : documents) {
    auto done = apply_one(*session, resources, document, common, options);
    if (done) {
      applied.push_back(*std::move(done));
      continue;
    }
    std::fprintf(stderr, "error: %s\n", done.error().message().c_str());
    if (!first) first = done.error();
  }
  if (for_programs(common) && !applied.empty())
    std::fputs(print_objects(std::move(applied), common.output).c_str(), stdout);
  if (first)
    return Error(first->code(), "not everything was applied; the lines above say what was not");
  return Unit{};
}

}  // namespace atl::cli
