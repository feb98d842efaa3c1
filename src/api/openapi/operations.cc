#include "api/openapi/operations.h"

#include <algorithm>
#include <map>

namespace atl::api {
namespace {

std::string capitalized(std::string_view text) {
  std::string out(text);
  if (!out.empty()) out[0] = char(std::toupper(static_cast<unsigned char>(out[0])));
  return out;
}

// "apps", "v1" → "AppsV1"; "rbac.authorization.k8s.io", "v1" → "RbacAuthorizationV1".
std::string id_of_group(const Kind& kind) {
  if (kind.gvk.group.empty()) return "Core" + capitalized(kind.gvk.version);
  std::string group = kind.gvk.group;
  if (const size_t suffix = group.find(".k8s.io"); suffix != std::string::npos)
    group.resize(suffix);
  std::string out;
  for (size_t from = 0; from <= group.size();) {
    const size_t dot = std::min(group.find('.', from), group.size());
    out += capitalized(group.substr(from, dot - from));
    from = dot + 1;
  }
  return out + capitalized(kind.gvk.version);
}

bool has(const std::vector<std::string>& verbs, std::string_view verb) {
  return std::find(verbs.begin(), verbs.end(), verb) != verbs.end();
}

const std::vector<std::string>& list_query() {
  static const std::vector<std::string> kNames = {"allowWatchBookmarks",
                                                  "continue",
                                                  "fieldSelector",
                                                  "labelSelector",
                                                  "limit",
                                                  "resourceVersion",
                                                  "resourceVersionMatch",
                                                  "sendInitialEvents",
                                                  "timeoutSeconds",
                                                  "watch"};
  return kNames;
}

// Builds the operations of one kind.
class Builder {
 public:
  explicit Builder(const Kind& kind)
      : kind_(kind), group_(id_of_group(kind)), object_(definition_of(kind)) {}

  std::vector<PathItem> build() {
    const std::string root = kind_.gvr.group.empty()
                                 ? "/api/" + kind_.gvr.version
                                 : "/apis/" + kind_.gvr.group + "/" + kind_.gvr.version;
    const std::string base = kind_.namespaced
                                 ? root + "/namespaces/{namespace}/" + kind_.gvr.resource
                                 : root + "/" + kind_.gvr.resource;
    std::vector<PathItem> out;
    add(out, collection(base));
    add(out, item(base + "/{name}"));
    for (const Subresource& sub : kind_.subresources)
      add(out, subresource(base + "/{name}/" + sub.name, sub));
    if (kind_.namespaced && has(kind_.verbs, "list")) {
      PathItem all{root + "/" + kind_.gvr.resource, false, false, {}};
      all.operations.push_back(operation("get", "list",
                                         "list" + group_ + kind_.gvk.kind + "ForAllNamespaces",
                                         "List " + kind_.gvr.resource + " of all namespaces.",
                                         list_query(), {}, list_definition_of(kind_)));
      add(out, std::move(all));
    }
    return out;
  }

 private:
  static void add(std::vector<PathItem>& out, PathItem item) {
    if (!item.operations.empty()) out.push_back(std::move(item));
  }

  std::string scoped() const { return group_ + (kind_.namespaced ? "Namespaced" : ""); }

  Operation operation(std::string method, std::string action, std::string id,
                      std::string description, std::vector<std::string> query, std::string body,
                      std::string response) const {
    return {std::move(method),
            std::move(action),
            std::move(id),
            std::move(description),
            std::move(query),
            std::move(body),
            std::move(response),
            kind_.gvk,
            false,
            false};
  }

  PathItem collection(const std::string& path) const {
    PathItem out{path, kind_.namespaced, false, {}};
    const std::string& name = kind_.gvk.kind;
    if (has(kind_.verbs, "list")) {
      out.operations.push_back(operation("get", "list", "list" + scoped() + name,
                                         "List " + kind_.gvr.resource + ".", list_query(), {},
                                         list_definition_of(kind_)));
    }
    if (has(kind_.verbs, "create")) {
      out.operations.push_back(
          operation("post", "post", "create" + scoped() + name, "Create a " + name + ".",
                    {"dryRun", "fieldManager", "fieldValidation"}, object_, object_));
    }
    if (has(kind_.verbs, "deletecollection")) {
      std::vector<std::string> query = {"dryRun", "gracePeriodSeconds", "orphanDependents",
                                        "propagationPolicy"};
      query.insert(query.end(), list_query().begin(), list_query().end());
      out.operations.push_back(operation(
          "delete", "deletecollection",
          "delete" + group_ + "Collection" + (kind_.namespaced ? "Namespaced" : "") + name,
          "Delete all matching " + kind_.gvr.resource + ".", std::move(query),
          kDeleteOptionsDefinition, kStatusDefinition));
    }
    return out;
  }

  Operation patch(const std::string& id, const std::string& what,
                  const std::string& response) const {
    Operation out = operation("patch", "patch", "patch" + id, "Change fields of the " + what + ".",
                              {"dryRun", "fieldManager", "fieldValidation", "force"},
                              kPatchDefinition, response);
    out.patch = true;
    out.strategic = !kind_.custom;
    return out;
  }

  PathItem item(const std::string& path) const {
    PathItem out{path, kind_.namespaced, true, {}};
    const std::string& name = kind_.gvk.kind;
    if (has(kind_.verbs, "get"))
      out.operations.push_back(operation("get", "get", "read" + scoped() + name,
                                         "Read a " + name + ".", {}, {}, object_));
    if (has(kind_.verbs, "update")) {
      out.operations.push_back(
          operation("put", "put", "replace" + scoped() + name, "Replace a " + name + ".",
                    {"dryRun", "fieldManager", "fieldValidation"}, object_, object_));
    }
    if (has(kind_.verbs, "patch")) out.operations.push_back(patch(scoped() + name, name, object_));
    if (has(kind_.verbs, "delete")) {
      out.operations.push_back(
          operation("delete", "delete", "delete" + scoped() + name, "Delete a " + name + ".",
                    {"dryRun", "gracePeriodSeconds", "orphanDependents", "propagationPolicy"},
                    kDeleteOptionsDefinition, kStatusDefinition));
    }
    return out;
  }

  // Streams (log, exec) have no definition of their own: their reply is text.
  PathItem subresource(const std::string& path, const Subresource& sub) const {
    PathItem out{path, kind_.namespaced, true, {}};
    const std::string id = scoped() + kind_.gvk.kind + capitalized(sub.name);
    const std::string what = sub.name + " of a " + kind_.gvk.kind;
    const std::string definition =
        sub.schema ? (sub.schema->name.empty() ? object_ : sub.schema->name) : "";
    const auto of_sub = [&](Operation made) {
      made.gvk = sub.kind;
      out.operations.push_back(std::move(made));
    };
    if (!sub.schema && sub.name != "log") {  // a stream or a proxy: clients connect to it
      for (const auto& [verb, method] : {std::pair{"get", "get"}, std::pair{"create", "post"}}) {
        if (!has(sub.verbs, verb)) continue;
        of_sub(operation(method, "connect",
                         "connect" + group_ + capitalized(method) +
                             (kind_.namespaced ? "Namespaced" : "") + kind_.gvk.kind +
                             capitalized(sub.name),
                         "Connect to the " + what + ".", {}, {}, {}));
      }
      return out;
    }
    if (has(sub.verbs, "get"))
      of_sub(operation("get", "get", "read" + id, "Read the " + what + ".", {}, {}, definition));
    if (has(sub.verbs, "create")) {
      of_sub(operation("post", "post", "create" + id, "Create the " + what + ".",
                       {"dryRun", "fieldManager", "fieldValidation"}, definition, definition));
    }
    if (has(sub.verbs, "update")) {
      of_sub(operation("put", "put", "replace" + id, "Replace the " + what + ".",
                       {"dryRun", "fieldManager", "fieldValidation"}, definition, definition));
    }
    if (has(sub.verbs, "patch")) of_sub(patch(id, what, definition));
    return out;
  }

  const Kind& kind_;
  std::string group_;
  std::string object_;
};

}  // namespace

std::string definition_of(const Kind& kind) {
  if (kind.schema && !kind.schema->name.empty()) return kind.schema->name;
  // Custom kinds: the group's labels the other way round, as Kubernetes names them.
  std::string reversed;
  std::string_view rest = kind.gvk.group;
  while (!rest.empty()) {
    const size_t dot = std::min(rest.find('.'), rest.size());
    reversed = std::string(rest.substr(0, dot)) + (reversed.empty() ? "" : "." + reversed);
    rest.remove_prefix(std::min(dot + 1, rest.size()));
  }
  return reversed + "." + kind.gvk.version + "." + kind.gvk.kind;
}

std::string list_definition_of(const Kind& kind) {
  return definition_of(kind) + "List";
}

QueryParameter query_parameter(const std::string& name) {
  static const std::map<std::string, QueryParameter> kKnown = {
      {"allowWatchBookmarks", {"boolean", "Send BOOKMARK events on a watch."}},
      {"continue", {"string", "Where the next page of a list starts, as the page before said."}},
      {"dryRun", {"string", "\"All\": check everything, store nothing."}},
      {"fieldManager", {"string", "Who owns the fields that this request sets."}},
      {"fieldSelector", {"string", "Only objects whose fields match."}},
      {"fieldValidation",
       {"string", "What happens to unknown and duplicate fields: Ignore, Warn or Strict."}},
      {"force", {"boolean", "Apply takes over fields that other managers own."}},
      {"gracePeriodSeconds", {"integer", "Seconds until the object is removed; 0: at once."}},
      {"labelSelector", {"string", "Only objects whose labels match."}},
      {"limit", {"integer", "At most so many items; the reply says how to go on."}},
      {"orphanDependents", {"boolean", "Older form of propagationPolicy."}},
      {"pretty", {"string", "Indents the reply."}},
      {"propagationPolicy",
       {"string", "What happens to dependents: Orphan, Background or Foreground."}},
      {"resourceVersion", {"string", "How fresh the reply must be, or where a watch starts."}},
      {"resourceVersionMatch", {"string", "How resourceVersion is meant: NotOlderThan or Exact."}},
      {"sendInitialEvents",
       {"boolean", "A watch starts with an ADDED event for each object there is."}},
      {"timeoutSeconds", {"integer", "Ends a list or watch after so many seconds."}},
      {"watch", {"boolean", "Follow changes instead of answering once."}},
  };
  return kKnown.at(name);
}

std::vector<PathItem> paths_of(const Kind& kind) {
  return Builder(kind).build();
}

}  // namespace atl::api
