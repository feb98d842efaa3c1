#include "kernel/apiserver/admission/kinds/jobs.h"

#include <limits>

#include "kernel/apiserver/admission/kinds/cron_schedule.h"
#include "kernel/apiserver/admission/kinds/pod_rules.h"
#include "kernel/apiserver/admission/kinds/pod_template.h"
#include "kernel/apiserver/contract/findings.h"

namespace atl::apiserver {
namespace {

constexpr std::string_view kUidLabel = "batch.kubernetes.io/controller-uid";
constexpr std::string_view kNameLabel = "batch.kubernetes.io/job-name";
constexpr int64_t kBackoffLimit = 6;
constexpr size_t kMaxCronName = 52;  // its Jobs append 11 characters

void set_if_missing(json::Value& object, json::Path path, json::Value value) {
  if (json::find(object, path) == nullptr) json::set(object, path, std::move(value));
}

void default_counts(json::Value& job) {
  const bool completions = json::find(job, {"spec", "completions"}) != nullptr;
  const bool parallelism = json::find(job, {"spec", "parallelism"}) != nullptr;
  // parallelism alone asks for a work queue: there the number of completions stays open.
  if (!completions && !parallelism) json::set(job, {"spec", "completions"}, 1);
  if (!parallelism) json::set(job, {"spec", "parallelism"}, 1);
  const bool per_index = json::find(job, {"spec", "backoffLimitPerIndex"}) != nullptr;
  set_if_missing(job, {"spec", "backoffLimit"},
                 per_index ? std::numeric_limits<int32_t>::max() : kBackoffLimit);
  set_if_missing(job, {"spec", "completionMode"}, "NonIndexed");
  set_if_missing(job, {"spec", "suspend"}, false);
  const bool policy = json::find(job, {"spec", "podFailurePolicy"}) != nullptr;
  set_if_missing(job, {"spec", "podReplacementPolicy"}, policy ? "Failed" : "TerminatingOrFailed");
}

// A selector nobody else has: the Job's own uid.
void generate_selector(json::Value& job) {
  set_if_missing(job, {"spec", "manualSelector"}, false);
  if (json::bool_at(job, {"spec", "manualSelector"})) return;
  const std::string uid(json::string_at(job, {"metadata", "uid"}));
  const std::string name(json::string_at(job, {"metadata", "name"}));
  json::Value& labels = json::ensure(job, {"spec", "template", "metadata", "labels"});
  for (const std::string_view key : {kUidLabel, std::string_view("controller-uid")})
    labels.as_object()[key] = uid;
  for (const std::string_view key : {kNameLabel, std::string_view("job-name")})
    labels.as_object()[key] = name;
  if (json::find(job, {"spec", "selector"}) == nullptr) {
    json::set(job, {"spec", "selector"},
              json::Object{{"matchLabels", json::Object{{kUidLabel, uid}}}});
  }
}

// A suspended Job that never started may still be scheduled elsewhere.
bool may_change_template(const json::Value& old) {
  return json::bool_at(old, {"spec", "suspend"}) &&
         json::find(old, {"status", "startTime"}) == nullptr;
}

}  // namespace

Result<> JobHook::prepare(WriteContext& write) const {
  if (!write.subresource.empty()) return Unit{};
  json::Value& job = *write.object;
  default_pod_template(job, {"spec", "template"});
  default_counts(job);
  if (write.old != nullptr) return Unit{};
  const json::Object labels = json::object_at(job, {"spec", "template", "metadata", "labels"});
  if (json::object_at(job, {"metadata", "labels"}).empty() && !labels.empty())
    json::set(job, {"metadata", "labels"}, labels);
  generate_selector(job);
  return Unit{};
}

api::Findings JobHook::validate(const WriteContext& write) const {
  if (!write.subresource.empty()) return {};
  const json::Value& job = *write.object;
  api::Findings out;
  check_selector(job, "job", out);
  check_pod_template(job, {"OnFailure", "Never"}, out);
  const bool indexed = json::string_at(job, {"spec", "completionMode"}) == "Indexed";
  if (indexed && json::find(job, {"spec", "completions"}) == nullptr) {
    out.push_back(required_value("spec.completions", "when completion mode is Indexed"));
  }
  if (json::find(job, {"spec", "backoffLimitPerIndex"}) != nullptr && !indexed) {
    out.push_back(invalid_value("spec.backoffLimitPerIndex",
                                json::int_at(job, {"spec", "backoffLimitPerIndex"}),
                                "requires indexed completion mode"));
  }
  if (json::find(job, {"spec", "successPolicy"}) != nullptr && !indexed) {
    out.push_back(invalid_value("spec.successPolicy",
                                json::object_at(job, {"spec", "successPolicy"}),
                                "requires indexed completion mode"));
  }
  const std::string_view restart =
      json::string_at(job, {"spec", "template", "spec", "restartPolicy"});
  if (json::find(job, {"spec", "podFailurePolicy"}) != nullptr && restart == "OnFailure") {
    out.push_back(invalid_value("spec.template.spec.restartPolicy", json::Value(restart),
                                "only \"Never\" is supported when podFailurePolicy is specified"));
  }
  if (write.old == nullptr) return out;
  check_immutable(job, write.old, "selector", out);
  check_immutable(job, write.old, "completionMode", out);
  check_immutable(job, write.old, "podFailurePolicy", out);
  if (!may_change_template(*write.old)) check_immutable(job, write.old, "template", out);
  if (!indexed) check_immutable(job, write.old, "completions", out);
  return out;
}

Result<> CronJobHook::prepare(WriteContext& write) const {
  if (write.subresource.empty())
    default_pod_template(*write.object, {"spec", "jobTemplate", "spec", "template"});
  return Unit{};
}

api::Findings CronJobHook::validate(const WriteContext& write) const {
  if (!write.subresource.empty()) return {};
  const json::Value& object = *write.object;
  api::Findings out;
  const std::string_view schedule = json::string_at(object, {"spec", "schedule"});
  if (!schedule.empty()) {
    if (const std::string why = check_cron_schedule(schedule); !why.empty()) {
      out.push_back(invalid_value("spec.schedule", json::Value(schedule), why));
    }
  }
  const std::string_view zone = json::string_at(object, {"spec", "timeZone"});
  if (zone.find("..") != std::string_view::npos || zone.starts_with('/') || zone == "Local") {
    out.push_back(invalid_value("spec.timeZone", json::Value(zone),
                                "must be an explicit name of the IANA time zone database"));
  }
  if (write.old == nullptr && write.key.name.size() > kMaxCronName) {
    out.push_back(invalid_value("metadata.name", json::Value(write.key.name),
                                "must be no more than 52 characters"));
  }
  const json::Value job = json::object_at(object, {"spec", "jobTemplate", "spec"});
  if (json::find(job, {"selector"}) != nullptr) {
    out.push_back(
        forbidden_value("spec.jobTemplate.spec.selector", "`selector` will be auto-generated"));
  }
  const json::Value spec = json::object_at(job, {"template", "spec"});
  const std::string path = "spec.jobTemplate.spec.template.spec";
  if (json::string_at(spec, {"restartPolicy"}, "Always") == "Always") {
    out.push_back(
        required_value(under(path, "restartPolicy"), R"(valid values: "OnFailure", "Never")"));
  }
  const api::Findings more = check_pod_spec(spec, path);
  out.insert(out.end(), more.begin(), more.end());
  return out;
}

}  // namespace atl::apiserver
