#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "kernel/apiserver/admission/resource_usage.h"
#include "kernel/apiserver/contract/reader.h"

namespace atl::apiserver {

// What one object counts for, and the properties that scopes of quotas ask about.
struct QuotaRecord {
  ResourceAmounts usage;
  bool best_effort = false;  // a pod without requests and limits
  bool terminating = false;  // a pod with activeDeadlineSeconds
  std::string priority_class;

  static QuotaRecord of(std::string_view group, std::string_view resource,
                        const json::Value& object);
};

// True where a quota's scopes and scopeSelector take the record in. Quotas without scopes take all.
bool in_scope(const json::Value& quota, const QuotaRecord& record);

// The usage of namespaces, kept up to date as objects are committed. It follows only resources of
// namespaces that somebody asked about (that have a quota), so without quotas it costs nothing.
// Owned by the quota admission; the Reader's executor only.
class QuotaLedger {
 public:
  explicit QuotaLedger(Reader& reader) : reader_(reader) {}

  // What the stored objects of the resource in the namespace use, as the quota counts them.
  ResourceAmounts usage(const json::Value& quota, const std::string& ns, const std::string& group,
                        const std::string& resource);
  // True when the object is stored and counted in usage().
  bool counts(const std::string& ns, const std::string& group, const std::string& resource,
              const std::string& name) const;
  // Called with the namespace whenever a followed object changed.
  void on_change(std::function<void(const std::string& ns)> listener) {
    changed_ = std::move(listener);
  }

 private:
  using Resource = std::pair<std::string, std::string>;
  struct Following {
    std::shared_ptr<void> handle;
    std::map<std::string, std::map<std::string, QuotaRecord>> namespaces;  // by namespace, by name
  };
  Following& follow(const Resource& resource);
  void change(const Resource& resource, const api::ObjectPtr& now, const api::ObjectPtr& before);

  Reader& reader_;
  std::map<Resource, Following> following_;
  std::function<void(const std::string& ns)> changed_;
};

// The resources that a key of spec.hard is counted over: "pods" for "requests.cpu", (apps,
// deployments) for "count/deployments.apps". Nothing for a key that no resource counts for.
std::optional<std::pair<std::string, std::string>> resource_of_key(std::string_view key);

}  // namespace atl::apiserver
