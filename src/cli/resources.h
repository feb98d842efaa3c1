#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "api/object/names.h"
#include "cli/session.h"

namespace atl::cli {

// A resource as discovery describes it.
struct ResourceType {
  api::Gvr gvr;
  std::string kind;
  std::string singular;
  std::vector<std::string> short_names;
  std::vector<std::string> categories;
  bool namespaced = false;
};

// What the server offers, from its aggregated discovery documents: one table for a command.
class Resources {
 public:
  static Result<Resources> discover(Session& session);

  // "po", "pod", "pods", "deploy", "deployments.apps", "Deployment". kNotFound says what is near.
  Result<ResourceType> find(std::string_view name) const;
  Result<ResourceType> find_kind(const api::Gvk& kind) const;
  // All of a category ("all"), or the one type.
  Result<std::vector<ResourceType>> find_all(std::string_view name) const;
  const std::vector<ResourceType>& all() const { return types_; }

 private:
  void read(const json::Value& document);
  std::vector<ResourceType> types_;  // preferred versions first
};

// "/apis/apps/v1/namespaces/n/deployments/web"; empty name: the collection; empty ns: all
// namespaces.
std::string path_of(const ResourceType& type, std::string_view ns, std::string_view name = {});

}  // namespace atl::cli
