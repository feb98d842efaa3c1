#include <fmt/format.h>

#include <cstdio>

#include "cli/printing.h"
#include "cli/selection.h"
#include "cli/verbs.h"

namespace atl::cli {
namespace {

constexpr char kTable[] = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json";

std::string query_of(const GetOptions& options) {
  std::string query;
  const auto add = [&](std::string_view key, std::string_view value) {
    query += fmt::format("{}{}={}", query.empty() ? '?' : '&', key, net::percent_encode(value));
  };
  if (!options.selector.empty()) add("labelSelector", options.selector);
  if (!options.field_selector.empty()) add("fieldSelector", options.field_selector);
  return query;
}

std::vector<std::string> targets(const Selection& selection, const Common& common,
                                 const Session& session, const std::string& query) {
  const std::string ns = common.all_namespaces ? "" : session.ns();
  if (selection.names.empty()) return {path_of(selection.type, ns) + query};
  std::vector<std::string> out;
  for (const std::string& name : selection.names) out.push_back(path_of(selection.type, ns, name));
  return out;
}

Result<> print_tables(Session& session, const Common& common,
                      const std::vector<Selection>& selections, const std::string& query) {
  bool any = false;
  for (const Selection& selection : selections) {
    TableStyle style{common.output == Output::kWide,
                     common.all_namespaces && selection.type.namespaced,
                     true,
                     {}};
    if (selections.size() > 1)
      style.name_prefix = selection.type.singular +
                          (selection.type.gvr.group.empty() ? "" : "." + selection.type.gvr.group) +
                          "/";
    for (const std::string& target : targets(selection, common, session, query)) {
      TRY(const json::Value table, session.get(target, kTable));
      if (json::array_at(table, {"rows"}).empty()) continue;
      if (any && style.heads && selections.size() > 1) std::puts("");
      std::fputs(print_table(table, style).c_str(), stdout);
      any = true;
      style.heads = false;
    }
  }
  if (any) return Unit{};
  const std::string what = selections.size() == 1 ? selections[0].type.gvr.resource : "resources";
  const bool scoped = selections[0].type.namespaced && !common.all_namespaces;
  const auto ns = scoped ? session.call("GET", "/api/v1/namespaces/" + segment(session.ns()))
                         : Result<Session::Reply>(Session::Reply{});
  if (!ns && ns.error().code() == Code::kNotFound) {
    std::fprintf(stderr, "No %s: there is no namespace %s. All there are: atoll get namespaces\n",
                 what.c_str(), session.ns().c_str());
    return Unit{};
  }
  std::fprintf(stderr, "No %s%s%s. Create some: atoll apply -f FILE\n", what.c_str(),
               scoped ? " in namespace " : "", scoped ? session.ns().c_str() : "");
  return Unit{};
}

// One object as it is; several as a v1 List.
Result<> print_documents(Session& session, const Common& common,
                         const std::vector<Selection>& selections, const std::string& query) {
  json::Array items;
  for (const Selection& selection : selections) {
    for (const std::string& target : targets(selection, common, session, query)) {
      TRY(json::Value document, session.get(target));
      if (!selection.names.empty()) {
        items.push_back(std::move(document));
        continue;
      }
      for (const json::Value& item : json::array_at(document, {"items"})) {
        items.push_back(item);
        json::set(items.back(), {"apiVersion"},
                  json::Value(selection.type.gvr.group_version().text()));
        json::set(items.back(), {"kind"}, json::Value(selection.type.kind));
      }
    }
  }
  const bool single = selections.size() == 1 && selections[0].names.size() == 1;
  if (single || common.output == Output::kName) {
    std::fputs(print_objects(std::move(items), common.output).c_str(), stdout);
    return Unit{};
  }
  const json::Object list{{"apiVersion", "v1"}, {"kind", "List"}, {"items", std::move(items)}};
  std::fputs(print_document(list, common.output).c_str(), stdout);
  return Unit{};
}

// Prints each event of a watch as it comes, until interrupted.
Result<> follow(Session& session, const Common& common, const Selection& selection,
                const std::string& query) {
  std::string target = path_of(selection.type, common.all_namespaces ? "" : session.ns()) + query;
  target += fmt::format("{}watch=true", query.empty() ? '?' : '&');
  if (selection.names.size() == 1)
    target += "&fieldSelector=" + net::percent_encode("metadata.name=" + selection.names[0]);
  const bool table = common.output == Output::kTable || common.output == Output::kWide;
  TableStyle style{common.output == Output::kWide, common.all_namespaces, true, {}};
  std::string pending;
  return session.stream(target, table ? kTable : "application/json", [&](std::string_view piece) {
    pending += piece;
    for (size_t end = pending.find('\n'); end != std::string::npos; end = pending.find('\n')) {
      const auto event =
          json::parse(std::string_view(pending).substr(0, end), {.max_bytes = 64 << 20});
      pending.erase(0, end + 1);
      const json::Value* object = event ? json::find(*event, {"object"}) : nullptr;
      if (!object) continue;
      std::fputs(table ? print_table(*object, style).c_str()
                       : print_document(*object, common.output).c_str(),
                 stdout);
      std::fflush(stdout);
      style.heads = false;
    }
    return true;
  });
}

}  // namespace

Result<> get(const Common& common, const GetOptions& options) {
  TRY(const auto session, Session::open(common));
  TRY(const Resources resources, Resources::discover(*session));
  TRY(const auto selections, select(resources, options.what));
  const std::string query = query_of(options);
  if (options.watch) {
    if (selections.size() != 1 || selections[0].names.size() > 1)
      return Error(Code::kInvalid, "--watch follows one type, or one object");
    return follow(*session, common, selections[0], query);
  }
  if (common.output == Output::kTable || common.output == Output::kWide)
    return print_tables(*session, common, selections, query);
  return print_documents(*session, common, selections, query);
}

}  // namespace atl::cli
