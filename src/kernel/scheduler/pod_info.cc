#include "kernel/scheduler/pod_info.h"

#include <algorithm>
#include <charconv>

#include "api/controller/conditions.h"
#include "kernel/scheduler/requests_impl.h"

namespace atl::scheduler {
namespace {

// What a container without requests counts as when nodes are compared, so that such pods spread
// too.
constexpr int64_t kDefaultMilliCpu = 100;
constexpr int64_t kDefaultMemory = 200 * 1024 * 1024;

std::vector<std::string> strings(const json::Array& array) {
  std::vector<std::string> out;
  for (const json::Value& item : array) {
    if (item.is_string()) out.emplace_back(item.get_string());
  }
  return out;
}

std::vector<Requirement> read_requirements(const json::Array& array) {
  std::vector<Requirement> out;
  for (const json::Value& item : array) {
    out.push_back({std::string(json::string_at(item, {"key"})),
                   std::string(json::string_at(item, {"operator"})),
                   strings(json::array_at(item, {"values"}))});
  }
  return out;
}

NodeTerm read_node_term(const json::Value& term) {
  return {read_requirements(json::array_at(term, {"matchExpressions"})),
          read_requirements(json::array_at(term, {"matchFields"}))};
}

void read_node_affinity(const json::Value& spec, PodInfo& pod) {
  for (const auto& [key, value] : json::object_at(spec, {"nodeSelector"})) {
    if (value.is_string()) pod.node_selector.emplace(key, value.get_string());
  }
  const json::Value* required = json::find(
      spec, {"affinity", "nodeAffinity", "requiredDuringSchedulingIgnoredDuringExecution"});
  if (required && required->is_object()) {
    pod.node_affinity.emplace();
    for (const json::Value& term : json::array_at(*required, {"nodeSelectorTerms"})) {
      pod.node_affinity->push_back(read_node_term(term));
    }
  }
  for (const json::Value& item : json::array_at(
           spec, {"affinity", "nodeAffinity", "preferredDuringSchedulingIgnoredDuringExecution"})) {
    const json::Value* term = json::find(item, {"preference"});
    if (term)
      pod.preferred_nodes.push_back({json::int_at(item, {"weight"}), read_node_term(*term)});
  }
}

// matchLabelKeys and mismatchLabelKeys narrow a selector by the pod's own values.
Result<api::LabelSelector> read_selector(const json::Value& holder, const api::Labels& own) {
  json::Value selector = json::object_at(holder, {"labelSelector"});
  if (!json::find(holder, {"labelSelector"}))
    return api::LabelSelector::parse("kubernetes.io/none,!kubernetes.io/none");
  json::Array expressions = json::array_at(selector, {"matchExpressions"});
  const auto narrow = [&](std::string_view field, std::string_view op) {
    for (const std::string& key : strings(json::array_at(holder, {field}))) {
      if (!api::has_label(own, key)) continue;
      expressions.push_back(
          json::Object{{"key", key},
                       {"operator", op},
                       {"values", json::Array{json::Value(api::label(own, key))}}});
    }
  };
  narrow("matchLabelKeys", "In");
  narrow("mismatchLabelKeys", "NotIn");
  if (!expressions.empty()) selector.as_object()["matchExpressions"] = std::move(expressions);
  return api::LabelSelector::from_document(selector);
}

Result<PodTerm> read_pod_term(const json::Value& term, int64_t weight, const api::Object& pod) {
  PodTerm out;
  out.weight = weight;
  out.topology_key = json::string_at(term, {"topologyKey"});
  TRY(out.selector, read_selector(term, pod.header().labels));
  out.namespaces = strings(json::array_at(term, {"namespaces"}));
  const json::Value* spaces = json::find(term, {"namespaceSelector"});
  if (spaces && spaces->is_object()) {
    TRY(out.namespace_selector, api::LabelSelector::from_document(*spaces));
  } else if (out.namespaces.empty()) {
    out.namespaces.push_back(pod.ns());
  }
  return out;
}

Result<std::vector<PodTerm>> read_pod_terms(const json::Value& spec, std::string_view kind,
                                            const api::Object& pod) {
  std::vector<PodTerm> out;
  for (const json::Value& term :
       json::array_at(spec, {"affinity", kind, "requiredDuringSchedulingIgnoredDuringExecution"})) {
    TRY(out.emplace_back(), read_pod_term(term, 0, pod));
  }
  for (const json::Value& item : json::array_at(
           spec, {"affinity", kind, "preferredDuringSchedulingIgnoredDuringExecution"})) {
    const json::Value* term = json::find(item, {"podAffinityTerm"});
    if (!term) continue;
    TRY(out.emplace_back(), read_pod_term(*term, json::int_at(item, {"weight"}), pod));
  }
  return out;
}

Result<std::vector<Spread>> read_spread(const json::Value& spec, const api::Object& pod) {
  std::vector<Spread> out;
  for (const json::Value& item : json::array_at(spec, {"topologySpreadConstraints"})) {
    Spread spread;
    spread.topology_key = json::string_at(item, {"topologyKey"});
    spread.max_skew = json::int_at(item, {"maxSkew"}, 1);
    spread.min_domains = json::int_at(item, {"minDomains"}, 1);
    spread.hard = json::string_at(item, {"whenUnsatisfiable"}, "DoNotSchedule") == "DoNotSchedule";
    spread.honor_affinity = json::string_at(item, {"nodeAffinityPolicy"}, "Honor") == "Honor";
    spread.honor_taints = json::string_at(item, {"nodeTaintsPolicy"}, "Ignore") == "Honor";
    TRY(spread.selector, read_selector(item, pod.header().labels));
    out.push_back(std::move(spread));
  }
  return out;
}

void read_containers(const json::Value& spec, PodInfo& pod) {
  const bool host = json::bool_at(spec, {"hostNetwork"});
  for (const json::Value& container : json::array_at(spec, {"containers"})) {
    pod.images.emplace_back(json::string_at(container, {"image"}));
    const Amounts requests = amounts_of(json::object_at(container, {"resources", "requests"}));
    pod.cpu_for_score += requests.contains("cpu") ? amount(requests, "cpu") : kDefaultMilliCpu;
    pod.memory_for_score +=
        requests.contains("memory") ? amount(requests, "memory") : kDefaultMemory;
    for (const json::Value& port : json::array_at(container, {"ports"})) {
      const int64_t number =
          json::int_at(port, {"hostPort"}, host ? json::int_at(port, {"containerPort"}) : 0);
      if (number == 0) continue;
      pod.ports.push_back({std::string(json::string_at(port, {"hostIP"}, "0.0.0.0")),
                           std::string(json::string_at(port, {"protocol"}, "TCP")), number});
    }
  }
}

std::vector<Toleration> read_tolerations(const json::Value& spec) {
  std::vector<Toleration> out;
  for (const json::Value& item : json::array_at(spec, {"tolerations"})) {
    out.push_back({std::string(json::string_at(item, {"key"})),
                   std::string(json::string_at(item, {"value"})),
                   std::string(json::string_at(item, {"effect"})),
                   json::string_at(item, {"operator"}) == "Exists"});
  }
  return out;
}

// All that scheduling depends on, as text.
std::string identity_of(json::Value document) {
  json::erase(document, {"status"});
  for (const std::string_view field :
       {"resourceVersion", "managedFields", "generation", "annotations"}) {
    json::erase(document, {"metadata", field});
  }
  return json::serialize(document);
}

}  // namespace

bool Toleration::tolerates(const Taint& taint) const {
  if (!effect.empty() && effect != taint.effect) return false;
  if (!key.empty() && key != taint.key) return false;
  if (key.empty() && !exists) return false;
  return exists || value == taint.value;
}

bool Requirement::matches(const std::string* value) const {
  const bool listed = value && std::find(values.begin(), values.end(), *value) != values.end();
  if (op == "In") return listed;
  if (op == "NotIn") return !listed;
  if (op == "Exists") return value != nullptr;
  if (op == "DoesNotExist") return value == nullptr;
  if (!value || values.size() != 1) return false;
  int64_t have = 0, want = 0;
  const auto read = [](const std::string& text, int64_t& out) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
    return error == std::errc() && end == text.data() + text.size();
  };
  if (!read(*value, have) || !read(values[0], want)) return false;
  return op == "Gt" ? have > want : op == "Lt" && have < want;
}

bool HostPort::clashes(const HostPort& other) const {
  const auto any = [](const std::string& ip) {
    return ip.empty() || ip == "0.0.0.0" || ip == "::";
  };
  return port == other.port && protocol == other.protocol &&
         (ip == other.ip || any(ip) || any(other.ip));
}

bool PodInfo::has_required(const std::vector<PodTerm>& terms) const {
  return std::any_of(terms.begin(), terms.end(),
                     [](const PodTerm& term) { return term.weight == 0; });
}

Result<PodPtr> read_pod(const api::ObjectPtr& object) {
  const json::Value document = object->parse();
  const json::Value empty = json::Object();
  const json::Value* found = json::find(document, {"spec"});
  const json::Value& spec = found ? *found : empty;
  auto pod = std::make_shared<PodInfo>();
  pod->object = object;
  pod->node = json::string_at(spec, {"nodeName"});
  pod->scheduler = json::string_at(spec, {"schedulerName"}, "default-scheduler");
  pod->priority = json::int_at(spec, {"priority"});
  pod->deleting = object->header().deleting;
  const std::string_view phase = json::string_at(document, {"status", "phase"});
  pod->finished = phase == "Succeeded" || phase == "Failed";
  pod->gated = !json::array_at(spec, {"schedulingGates"}).empty();
  pod->created = api::time_at(document, {"metadata", "creationTimestamp"});
  pod->requests = pod_requests(spec);
  read_containers(spec, *pod);
  read_node_affinity(spec, *pod);
  pod->tolerations = read_tolerations(spec);
  TRY(pod->affinity, read_pod_terms(spec, "podAffinity", *object));
  TRY(pod->anti_affinity, read_pod_terms(spec, "podAntiAffinity", *object));
  TRY(pod->spread, read_spread(spec, *object));
  pod->identity = identity_of(document);
  return PodPtr(std::move(pod));
}

}  // namespace atl::scheduler
