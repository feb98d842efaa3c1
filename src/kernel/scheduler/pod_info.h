#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "api/object/object.h"
#include "api/select/select.h"
#include "base/core/clock.h"

namespace atl::scheduler {

// Amounts of resources by name, in whole units; cpu in thousandths of a core.
using Amounts = std::map<std::string, int64_t, std::less<>>;
// One entry of a resource list ("500m", "1Gi"), rounded up. 0 where it cannot be read: the API
// server refuses those.
int64_t amount_of(std::string_view resource, const json::Value& quantity);
Amounts amounts_of(const json::Object& list);
int64_t amount(const Amounts& amounts, std::string_view resource);

struct Taint {
  std::string key, value, effect;  // NoSchedule, PreferNoSchedule, NoExecute
};
struct Toleration {
  std::string key, value, effect;  // empty: any
  bool exists = false;             // operator Exists: any value
  bool tolerates(const Taint& taint) const;
};

// key operator values, over node labels or fields.
struct Requirement {
  std::string key, op;
  std::vector<std::string> values;
  bool matches(const std::string* value) const;  // null: the node has no such label
};
struct NodeTerm {
  std::vector<Requirement> labels, fields;
};
struct WeightedNodeTerm {
  int64_t weight = 0;
  NodeTerm term;
};

// A (anti-)affinity term: pods in some namespaces that match, within one value of a node label.
struct PodTerm {
  int64_t weight = 0;  // 0: required
  std::string topology_key;
  api::LabelSelector selector;
  std::vector<std::string> namespaces;
  std::optional<api::LabelSelector> namespace_selector;
};

struct Spread {
  std::string topology_key;
  int64_t max_skew = 1;
  int64_t min_domains = 1;
  bool hard = true;  // DoNotSchedule
  bool honor_affinity = true;
  bool honor_taints = false;
  api::LabelSelector selector;
};

struct HostPort {
  std::string ip, protocol;
  int64_t port = 0;
  bool clashes(const HostPort& other) const;
};

// What the scheduler looks at in a pod; immutable and shared once read.
struct PodInfo {
  api::ObjectPtr object;
  std::string node;  // spec.nodeName
  std::string scheduler;
  std::string identity;  // everything but status: tells a change that matters
  int64_t priority = 0;
  bool deleting = false;
  bool finished = false;
  bool gated = false;
  WallTime created{};
  Amounts requests;           // what it asks for
  int64_t cpu_for_score = 0;  // as if every container asked for something
  int64_t memory_for_score = 0;
  std::vector<HostPort> ports;
  std::map<std::string, std::string> node_selector;
  std::optional<std::vector<NodeTerm>> node_affinity;  // any of them
  std::vector<WeightedNodeTerm> preferred_nodes;
  std::vector<Toleration> tolerations;
  std::vector<PodTerm> affinity, anti_affinity;  // required and preferred
  std::vector<Spread> spread;
  std::vector<std::string> images;

  const std::string& uid() const { return object->uid(); }
  const std::string& ns() const { return object->ns(); }
  const api::Labels& labels() const { return object->header().labels; }
  bool has_required(const std::vector<PodTerm>& terms) const;
};
using PodPtr = std::shared_ptr<const PodInfo>;

// kInvalid where a selector cannot be read.
Result<PodPtr> read_pod(const api::ObjectPtr& pod);

}  // namespace atl::scheduler
