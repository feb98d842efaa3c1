#include "kernel/apiserver/admission/priority.h"

#include <fmt/format.h>

#include "kernel/apiserver/contract/pod_parts.h"

namespace atl::apiserver {
namespace {

constexpr std::string_view kGroup = "scheduling.k8s.io";
constexpr std::string_view kPreempt = "PreemptLowerPriority";

struct Class {
  std::string name;
  int64_t value = 0;
  std::string preemption = std::string(kPreempt);
};

Class read_class(const json::Value& document) {
  return {.name = std::string(json::string_at(document, {"metadata", "name"})),
          .value = json::int_at(document, {"value"}),
          .preemption = std::string(json::string_at(document, {"preemptionPolicy"}, kPreempt))};
}

// The lowest wins where there are two by accident: it surprises least.
Class default_class(const Reader& reader) {
  std::optional<Class> found;
  reader.each(kGroup, "priorityclasses", "", [&](const api::ObjectPtr& object) {
    const json::Value document = object->parse();
    if (!json::bool_at(document, {"globalDefault"})) return true;
    Class candidate = read_class(document);
    if (!found || candidate.value < found->value) found = std::move(candidate);
    return true;
  });
  return found.value_or(Class{});
}

}  // namespace

Result<> PriorityAdmission::set_priority(AdmissionRequest& request) const {
  json::Value& pod = *request.object;
  const std::string name(json::string_at(pod, {"spec", "priorityClassName"}));
  Class chosen;
  if (name.empty()) {
    chosen = default_class(reader_);
  } else {
    const api::ObjectPtr object = reader_.get(kGroup, "priorityclasses", {"", name});
    if (!object)
      return admission_refused(request,
                               fmt::format("no PriorityClass with name {} was found", name));
    chosen = read_class(object->parse());
  }
  if (json::find(pod, {"spec", "priority"}) != nullptr &&
      json::int_at(pod, {"spec", "priority"}) != chosen.value) {
    return admission_refused(
        request,
        fmt::format("the integer value of priority ({}) must not be provided in pod spec; priority "
                    "admission controller computed {} from the given PriorityClass name",
                    json::int_at(pod, {"spec", "priority"}), chosen.value));
  }
  const std::string_view preemption = json::string_at(pod, {"spec", "preemptionPolicy"});
  if (!preemption.empty() && preemption != chosen.preemption) {
    return admission_refused(
        request,
        fmt::format(
            "the string value of PreemptionPolicy ({}) must not be provided in pod spec; priority "
            "admission controller computed {} from the given PriorityClass name",
            preemption, chosen.preemption));
  }
  if (!chosen.name.empty()) json::set(pod, {"spec", "priorityClassName"}, json::Value(chosen.name));
  json::set(pod, {"spec", "priority"}, chosen.value);
  json::set(pod, {"spec", "preemptionPolicy"}, json::Value(chosen.preemption));
  return Unit{};
}

Task<> PriorityAdmission::mutate(AdmissionRequest& request) {
  if (!creates_pod(request)) co_return Unit{};
  co_return set_priority(request);
}

Task<> PriorityAdmission::validate(const AdmissionRequest& request) {
  if (request.object == nullptr || !is_resource(request, kGroup, "priorityclasses"))
    co_return Unit{};
  if (!json::bool_at(*request.object, {"globalDefault"})) co_return Unit{};
  std::string other;
  reader_.each(kGroup, "priorityclasses", "", [&](const api::ObjectPtr& object) {
    if (object->name() != request.name && json::bool_at(object->parse(), {"globalDefault"}))
      other = object->name();
    return other.empty();
  });
  if (other.empty()) co_return Unit{};
  co_return admission_refused(
      request, fmt::format("PriorityClass {} is already marked as globalDefault", other));
}

}  // namespace atl::apiserver
