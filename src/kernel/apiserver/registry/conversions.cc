#include "kernel/apiserver/registry/conversions.h"

#include <array>

namespace atl::apiserver {
namespace {

// {in the store, in events.k8s.io}
constexpr std::array<std::pair<std::string_view, std::string_view>, 7> kEventFields = {
    {{"involvedObject", "regarding"},
     {"message", "note"},
     {"source", "deprecatedSource"},
     {"firstTimestamp", "deprecatedFirstTimestamp"},
     {"lastTimestamp", "deprecatedLastTimestamp"},
     {"count", "deprecatedCount"},
     {"reportingComponent", "reportingController"}}};

void rename(json::Value& document, std::string_view from, std::string_view to) {
  json::Object& object = document.as_object();
  const auto at = object.find(from);
  if (at == object.end()) return;
  json::Value value = std::move(at->value());
  object.erase(at);
  object[to] = std::move(value);
}

void add_events(Versions& versions) {
  std::map<std::string, std::string> fields;
  for (const char* part :
       {"kind", "namespace", "name", "uid", "apiVersion", "resourceVersion", "fieldPath"}) {
    fields[std::string("regarding.") + part] = std::string("involvedObject.") + part;
  }
  fields["reportingController"] = "reportingComponent";
  versions.store_as({"events.k8s.io", "v1", "Event"}, {"", "v1", "Event"},
                    {.to_stored =
                         [](json::Value& document) {
                           for (const auto& [stored, other] : kEventFields)
                             rename(document, other, stored);
                         },
                     .from_stored =
                         [](json::Value& document) {
                           for (const auto& [stored, other] : kEventFields)
                             rename(document, stored, other);
                         },
                     .fields = std::move(fields)});
}

constexpr std::string_view kMetricsNote = "autoscaling.alpha.kubernetes.io/metrics";
constexpr std::string_view kBehaviorNote = "autoscaling.alpha.kubernetes.io/behavior";
constexpr std::string_view kStatusNote = "autoscaling.alpha.kubernetes.io/current-metrics";
constexpr std::string_view kConditionsNote = "autoscaling.alpha.kubernetes.io/conditions";

bool is_cpu_utilization(const json::Value& metric, std::string_view target,
                        std::string_view value) {
  return json::string_at(metric, {"type"}) == "Resource" &&
         json::string_at(metric, {"resource", "name"}) == "cpu" &&
         json::find(metric, {"resource", target, value}) != nullptr;
}

void note(json::Value& document, std::string_view name, const json::Value* value) {
  if (!value || (value->is_array() && value->get_array().empty())) return;
  json::set(document, {"metadata", "annotations", name}, json::Value(json::serialize(*value)));
}

// Takes an annotation's JSON out of the document; null where there is none that can be read.
json::Value take_note(json::Value& document, std::string_view name) {
  auto value = json::parse(json::string_at(document, {"metadata", "annotations", name}, "null"));
  json::erase(document, {"metadata", "annotations", name});
  if (json::object_at(document, {"metadata", "annotations"}).empty()) {
    json::erase(document, {"metadata", "annotations"});
  }
  return value ? *std::move(value) : json::Value();
}

void scaler_to_v1(json::Value& document) {
  json::Array rest;
  bool found = false;
  for (const json::Value& metric : json::array_at(document, {"spec", "metrics"})) {
    if (!found && is_cpu_utilization(metric, "target", "averageUtilization")) {
      found = true;
      json::set(document, {"spec", "targetCPUUtilizationPercentage"},
                json::Value(json::int_at(metric, {"resource", "target", "averageUtilization"})));
      break;
    }
  }
  found = false;
  for (const json::Value& metric : json::array_at(document, {"spec", "metrics"})) {
    if (!found && is_cpu_utilization(metric, "target", "averageUtilization")) {
      found = true;
    } else {
      rest.push_back(metric);
    }
  }
  const json::Value others(std::move(rest));
  note(document, kMetricsNote, &others);
  note(document, kBehaviorNote, json::find(document, {"spec", "behavior"}));
  note(document, kConditionsNote, json::find(document, {"status", "conditions"}));
  note(document, kStatusNote, json::find(document, {"status", "currentMetrics"}));
  for (const json::Value& metric : json::array_at(document, {"status", "currentMetrics"})) {
    if (!is_cpu_utilization(metric, "current", "averageUtilization")) continue;
    const int64_t value = json::int_at(metric, {"resource", "current", "averageUtilization"});
    json::set(document, {"status", "currentCPUUtilizationPercentage"}, json::Value(value));
    break;
  }
  json::erase(document, {"spec", "metrics"});
  json::erase(document, {"spec", "behavior"});
  json::erase(document, {"status", "conditions"});
  json::erase(document, {"status", "currentMetrics"});
}

void scaler_from_v1(json::Value& document) {
  json::Array metrics;
  if (const json::Value* percent =
          json::find(document, {"spec", "targetCPUUtilizationPercentage"})) {
    metrics.push_back(json::Object{
        {"type", "Resource"},
        {"resource", json::Object{{"name", "cpu"},
                                  {"target", json::Object{{"type", "Utilization"},
                                                          {"averageUtilization", *percent}}}}}});
  }
  json::Value others = take_note(document, kMetricsNote);
  if (json::Array* list = others.if_array()) {
    for (json::Value& metric : *list) metrics.push_back(std::move(metric));
  }
  if (!metrics.empty()) json::set(document, {"spec", "metrics"}, std::move(metrics));
  const std::pair<std::string_view, json::Path> notes[] = {
      {kBehaviorNote, {"spec", "behavior"}},
      {kConditionsNote, {"status", "conditions"}},
      {kStatusNote, {"status", "currentMetrics"}}};
  for (const auto& [name, path] : notes) {
    json::Value value = take_note(document, name);
    if (!value.is_null()) json::set(document, path, std::move(value));
  }
  json::erase(document, {"spec", "targetCPUUtilizationPercentage"});
  json::erase(document, {"status", "currentCPUUtilizationPercentage"});
}

}  // namespace

void add_builtin_conversions(Versions& versions) {
  add_events(versions);
  versions.store_as({"autoscaling", "v1", "HorizontalPodAutoscaler"},
                    {"autoscaling", "v2", "HorizontalPodAutoscaler"},
                    {.to_stored = scaler_from_v1, .from_stored = scaler_to_v1, .fields = {}});
}

}  // namespace atl::apiserver
