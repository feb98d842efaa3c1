#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "api/table/printers_impl.h"
#include "api/table/table.h"

// Deployments, StatefulSets, jobs, autoscalers, budgets, revisions.
namespace atl::api::printers {
namespace {

using json::array_at;
using json::find;
using json::int_at;
using json::string_at;

json::Value ready(const json::Value& document, WallTime) {
  return text(fmt::format("{}/{}", int_at(document, {"status", "readyReplicas"}),
                          int_at(document, {"spec", "replicas"})));
}

bool holds(const json::Value& job, std::string_view type) {
  const json::Value* found = condition(job, type);
  return found && string_at(*found, {"status"}) == "True";
}

json::Value job_status(const json::Value& job, WallTime) {
  if (holds(job, "Complete")) return text("Complete");
  if (holds(job, "Failed")) return text("Failed");
  if (find(job, {"metadata", "deletionTimestamp"})) return text("Terminating");
  if (holds(job, "Suspended")) return text("Suspended");
  if (holds(job, "FailureTarget")) return text("FailureTarget");
  if (holds(job, "SuccessCriteriaMet")) return text("SuccessCriteriaMet");
  return text("Running");
}

json::Value job_completions(const json::Value& job, WallTime) {
  const int64_t done = int_at(job, {"status", "succeeded"});
  if (find(job, {"spec", "completions"}))
    return text(fmt::format("{}/{}", done, int_at(job, {"spec", "completions"})));
  const int64_t parallelism = int_at(job, {"spec", "parallelism"});
  return text(parallelism > 1 ? fmt::format("{}/1 of {}", done, parallelism)
                              : fmt::format("{}/1", done));
}

json::Value job_duration(const json::Value& job, WallTime now) {
  const auto start = parse_rfc3339(string_at(job, {"status", "startTime"}));
  if (!start) return text("");
  const auto end = parse_rfc3339(string_at(job, {"status", "completionTime"}));
  return text(human_duration(end.value_or(now) - *start));
}

json::Value last_schedule(const json::Value& job, WallTime now) {
  const std::string_view time = string_at(job, {"status", "lastScheduleTime"});
  return time.empty() ? text(kNone) : text(age_of(time, now));
}

// One metric of an autoscaler. `current` is the status at the same place, null where missing.
std::string metric_text(const json::Value& spec, const json::Value* current) {
  const std::string_view type = string_at(spec, {"type"});
  std::string source =
      lower(type.substr(0, 1)) + std::string(type.substr(std::min<size_t>(1, type.size())));
  if (source != "external" && source != "pods" && source != "object" && source != "resource" &&
      source != "containerResource") {
    return "<unknown type>";
  }
  const auto now_is = [&](std::string_view member) {
    return number_text(current ? find(*current, {source, "current", member}) : nullptr, kUnknown);
  };
  const auto target = [&](std::string_view member) {
    return find(spec, {source, "target", member});
  };
  if (source == "pods")
    return fmt::format("{}/{}", now_is("averageValue"), number_text(target("averageValue"), "0"));
  if (source == "external" || source == "object") {
    if (const json::Value* average = target("averageValue")) {
      return fmt::format("{}/{} (avg)", now_is("averageValue"), number_text(average, "0"));
    }
    return fmt::format("{}/{}", now_is("value"), number_text(target("value"), "0"));
  }
  const std::string_view name = string_at(spec, {source, "name"});
  if (const json::Value* average = target("averageValue")) {
    return fmt::format("{}: {}/{}", name, now_is("averageValue"), number_text(average, "0"));
  }
  const auto percent = [](std::string value, std::string_view otherwise) {
    return value.empty() || value == kUnknown ? std::string(otherwise) : value + "%";
  };
  return fmt::format("{}: {}/{}", name, percent(now_is("averageUtilization"), kUnknown),
                     percent(number_text(target("averageUtilization"), ""), "<auto>"));
}

json::Value autoscaler_targets(const json::Value& scaler, WallTime) {
  if (const json::Value* v1 = find(scaler, {"spec", "targetCPUUtilizationPercentage"})) {
    const json::Value* now_is = find(scaler, {"status", "currentCPUUtilizationPercentage"});
    return text(fmt::format("cpu: {}/{}%",
                            now_is ? number_text(now_is, "") + "%" : std::string(kUnknown),
                            number_text(v1, "")));
  }
  const json::Array& specs = array_at(scaler, {"spec", "metrics"});
  const json::Array& statuses = array_at(scaler, {"status", "currentMetrics"});
  if (specs.empty()) return text(kNone);
  std::vector<std::string> pieces;
  for (size_t i = 0; i < specs.size(); ++i)
    pieces.push_back(metric_text(specs[i], i < statuses.size() ? &statuses[i] : nullptr));
  return text(limited(pieces, 2, ", "));
}

json::Value autoscaler_reference(const json::Value& scaler, WallTime) {
  return text(fmt::format("{}/{}", string_at(scaler, {"spec", "scaleTargetRef", "kind"}),
                          string_at(scaler, {"spec", "scaleTargetRef", "name"})));
}

// "statefulset.apps/web": who controls the revision.
json::Value revision_controller(const json::Value& revision, WallTime) {
  for (const json::Value& owner : array_at(revision, {"metadata", "ownerReferences"})) {
    if (!json::bool_at(owner, {"controller"})) continue;
    const std::string_view version = string_at(owner, {"apiVersion"});
    const size_t slash = version.find('/');
    const std::string kind = lower(string_at(owner, {"kind"}));
    const std::string group =
        slash == version.npos ? std::string() : "." + lower(version.substr(0, slash));
    return text(fmt::format("{}{}/{}", kind, group, string_at(owner, {"name"})));
  }
  return text(kNone);
}

}  // namespace

std::span<const Printer> workload_printers() {
  static constexpr Printer kPrinters[] = {
      {"deployment.ready", ready},
      {"stateful_set.ready", ready},
      {"daemon_set.node_selector",
       [](const json::Value& d, WallTime) {
         return text(labels_text(json::object_at(d, {"spec", "template", "spec", "nodeSelector"})));
       }},
      {"job.status", job_status},
      {"job.completions", job_completions},
      {"job.duration", job_duration},
      {"cron_job.timezone",
       [](const json::Value& d, WallTime) {
         return text_or(string_at(d, {"spec", "timeZone"}), kNone);
       }},
      {"cron_job.active",
       [](const json::Value& d, WallTime) {
         return json::Value(array_at(d, {"status", "active"}).size());
       }},
      {"cron_job.last_schedule", last_schedule},
      {"horizontal_pod_autoscaler.reference", autoscaler_reference},
      {"horizontal_pod_autoscaler.targets", autoscaler_targets},
      {"horizontal_pod_autoscaler.minpods",
       [](const json::Value& d, WallTime) {
         return text(number_text(find(d, {"spec", "minReplicas"}), kUnset));
       }},
      {"pod_disruption_budget.min_available",
       [](const json::Value& d, WallTime) {
         return text(number_text(find(d, {"spec", "minAvailable"}), "N/A"));
       }},
      {"pod_disruption_budget.max_unavailable",
       [](const json::Value& d, WallTime) {
         return text(number_text(find(d, {"spec", "maxUnavailable"}), "N/A"));
       }},
      {"controller_revision.controller", revision_controller},
  };
  return kPrinters;
}

}  // namespace atl::api::printers
