#include <algorithm>

#include "api/openapi/openapi.h"

namespace atl::api {
namespace {

json::Array texts(const std::vector<std::string>& list) {
  json::Array out;
  for (const std::string& text : list) out.emplace_back(text);
  return out;
}

json::Object kind_reference(const Gvk& gvk) {
  return json::Object{{"group", gvk.group}, {"version", gvk.version}, {"kind", gvk.kind}};
}

// A name of the group in the legacy form: {groupVersion, version}.
json::Object version_entry(const GroupVersion& gv) {
  return json::Object{{"groupVersion", gv.text()}, {"version", gv.version}};
}

json::Object group_entry(const std::string& group, const std::vector<GroupVersion>& versions) {
  json::Array list;
  for (const GroupVersion& gv : versions) list.push_back(version_entry(gv));
  return json::Object{{"name", group},
                      {"versions", std::move(list)},
                      {"preferredVersion", version_entry(versions.front())}};
}

// Groups in order, each with its versions, the preferred first. The core group is "".
std::vector<std::pair<std::string, std::vector<GroupVersion>>> groups_of(const KindSet& kinds) {
  std::vector<std::pair<std::string, std::vector<GroupVersion>>> out;
  for (const GroupVersion& gv : kinds.group_versions()) {
    const auto it = std::find_if(out.begin(), out.end(),
                                 [&](const auto& pair) { return pair.first == gv.group; });
    if (it == out.end()) {
      out.push_back({gv.group, {gv}});
    } else {
      it->second.push_back(gv);
    }
  }
  return out;
}

json::Object legacy_resource(const Kind& kind) {
  json::Object out{{"name", kind.gvr.resource},
                   {"singularName", kind.singular},
                   {"namespaced", kind.namespaced},
                   {"kind", kind.gvk.kind},
                   {"verbs", texts(kind.verbs)}};
  if (!kind.short_names.empty()) out["shortNames"] = texts(kind.short_names);
  if (!kind.categories.empty()) out["categories"] = texts(kind.categories);
  return out;
}

json::Object legacy_subresource(const Kind& kind, const Subresource& sub) {
  json::Object out{{"name", kind.gvr.resource + "/" + sub.name},
                   {"singularName", ""},
                   {"namespaced", kind.namespaced},
                   {"kind", sub.kind.kind},
                   {"verbs", texts(sub.verbs)}};
  // Said only where the body is of another group and version.
  if (sub.kind.group != kind.gvk.group || sub.kind.version != kind.gvk.version) {
    out["group"] = sub.kind.group;
    out["version"] = sub.kind.version;
  }
  return out;
}

json::Object aggregated_resource(const Kind& kind) {
  json::Object out{{"resource", kind.gvr.resource},
                   {"responseKind", kind_reference(kind.gvk)},
                   {"scope", kind.namespaced ? "Namespaced" : "Cluster"},
                   {"singularResource", kind.singular},
                   {"verbs", texts(kind.verbs)}};
  if (!kind.short_names.empty()) out["shortNames"] = texts(kind.short_names);
  if (!kind.categories.empty()) out["categories"] = texts(kind.categories);
  json::Array subresources;
  for (const Subresource& sub : kind.subresources) {
    subresources.push_back(json::Object{{"subresource", sub.name},
                                        {"responseKind", kind_reference(sub.kind)},
                                        {"verbs", texts(sub.verbs)}});
  }
  if (!subresources.empty()) out["subresources"] = std::move(subresources);
  return out;
}

json::Object aggregated_version(const KindSet& kinds, const GroupVersion& gv) {
  json::Array resources;
  for (const KindPtr& kind : kinds.all()) {
    if (kind->gvr.group_version() == gv) resources.push_back(aggregated_resource(*kind));
  }
  return json::Object{
      {"version", gv.version}, {"freshness", "Current"}, {"resources", std::move(resources)}};
}

}  // namespace

json::Value api_versions() {
  // Clients in the same network would ask there; Atoll is reached where they reached it.
  return json::Object{{"kind", "APIVersions"},
                      {"versions", json::Array{"v1"}},
                      {"serverAddressByClientCIDRs", json::Array()}};
}

json::Value api_group_list(const KindSet& kinds) {
  json::Array groups;
  for (const auto& [group, versions] : groups_of(kinds)) {
    if (!group.empty()) groups.push_back(group_entry(group, versions));
  }
  return json::Object{
      {"kind", "APIGroupList"}, {"apiVersion", "v1"}, {"groups", std::move(groups)}};
}

Result<json::Value> api_group(const KindSet& kinds, std::string_view group) {
  for (const auto& [name, versions] : groups_of(kinds)) {
    if (name != group || name.empty()) continue;
    json::Object out = group_entry(name, versions);
    out["kind"] = "APIGroup";
    out["apiVersion"] = "v1";
    return json::Value(std::move(out));
  }
  return Error(Code::kNotFound, "the server has no API group " + std::string(group));
}

Result<json::Value> api_resource_list(const KindSet& kinds, const GroupVersion& group_version) {
  json::Array resources;
  for (const KindPtr& kind : kinds.all()) {
    if (kind->gvr.group_version() != group_version) continue;
    resources.push_back(legacy_resource(*kind));
    for (const Subresource& sub : kind->subresources)
      resources.push_back(legacy_subresource(*kind, sub));
  }
  if (resources.empty())
    return Error(Code::kNotFound, "the server has no API " + group_version.text());
  return json::Value(json::Object{{"kind", "APIResourceList"},
                                  {"apiVersion", "v1"},
                                  {"groupVersion", group_version.text()},
                                  {"resources", std::move(resources)}});
}

json::Value aggregated_discovery(const KindSet& kinds, bool core) {
  json::Array items;
  for (const auto& [group, versions] : groups_of(kinds)) {
    if (group.empty() != core) continue;
    json::Array list;
    for (const GroupVersion& gv : versions) list.push_back(aggregated_version(kinds, gv));
    // The core group has no name: its metadata is empty.
    json::Object metadata;
    if (!core) metadata["name"] = group;
    items.push_back(json::Object{{"metadata", std::move(metadata)}, {"versions", std::move(list)}});
  }
  return json::Object{{"kind", "APIGroupDiscoveryList"},
                      {"apiVersion", "apidiscovery.k8s.io/v2"},
                      {"metadata", json::Object()},
                      {"items", std::move(items)}};
}

}  // namespace atl::api
