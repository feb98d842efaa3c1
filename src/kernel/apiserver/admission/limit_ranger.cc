#include "kernel/apiserver/admission/limit_ranger.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <optional>

#include "base/text/quantity.h"
#include "kernel/apiserver/admission/resource_usage.h"
#include "kernel/apiserver/contract/pod_parts.h"

namespace atl::apiserver {
namespace {

using Complaints = std::vector<std::string>;

void fill_missing(json::Value& container, std::string_view list, const json::Object& defaults) {
  for (const auto& [name, amount] : defaults) {
    if (json::find(container, {"resources", list, name}) == nullptr)
      json::set(container, {"resources", list, name}, amount);
  }
}

std::optional<Quantity> amount_in(const ResourceAmounts& amounts, std::string_view name) {
  const auto at = amounts.find(name);
  return at == amounts.end() ? std::nullopt : std::optional(at->second);
}

// One bound of one LimitRange item against what is asked for.
struct Subject {
  std::string_view type;  // "Container", "Pod", "PersistentVolumeClaim"
  ResourceAmounts requests;
  ResourceAmounts limits;
  bool has_limits = true;  // claims have none
};

void check_minimum(const Subject& subject, std::string_view name, const Quantity& bound,
                   Complaints& out) {
  const std::string head =
      fmt::format("minimum {} usage per {} is {}", name, subject.type, bound.text());
  const auto request = amount_in(subject.requests, name);
  const auto limit = amount_in(subject.limits, name);
  if (!request)
    out.push_back(head + ".  No request is specified");
  else if (*request < bound)
    out.push_back(head + ", but request is " + request->text());
  if (limit && *limit < bound) out.push_back(head + ", but limit is " + limit->text());
}

void check_maximum(const Subject& subject, std::string_view name, const Quantity& bound,
                   Complaints& out) {
  const std::string head =
      fmt::format("maximum {} usage per {} is {}", name, subject.type, bound.text());
  const auto request = amount_in(subject.requests, name);
  const auto limit = amount_in(subject.limits, name);
  if (subject.has_limits && !limit) out.push_back(head + ".  No limit is specified");
  if (limit && *limit > bound) out.push_back(head + ", but limit is " + limit->text());
  if (request && *request > bound) out.push_back(head + ", but request is " + request->text());
}

void check_ratio(const Subject& subject, std::string_view name, const Quantity& bound,
                 Complaints& out) {
  const std::string head =
      fmt::format("{} max limit to request ratio per {} is {}", name, subject.type, bound.text());
  const auto request = amount_in(subject.requests, name);
  const auto limit = amount_in(subject.limits, name);
  if (!request || request->zero())
    out.push_back(head + ", but no request is specified or request is 0");
  else if (!limit || limit->zero())
    out.push_back(head + ", but no limit is specified or limit is 0");
  else if (limit->value() / request->value() > bound.value()) {
    out.push_back(
        fmt::format("{}, but provided ratio is {:.6f}", head, limit->value() / request->value()));
  }
}

void check_item(const json::Value& item, const Subject& subject, Complaints& out) {
  const auto each = [&](std::string_view field, void (*check)(const Subject&, std::string_view,
                                                              const Quantity&, Complaints&)) {
    for (const auto& [name, bound] : read_amounts(item, {field})) check(subject, name, bound, out);
  };
  each("min", check_minimum);
  each("max", check_maximum);
  each("maxLimitRequestRatio", check_ratio);
}

void check_pod(const json::Value& item, const json::Value& spec, Complaints& out) {
  const std::string_view type = json::string_at(item, {"type"});
  if (type == "Container") {
    each_container(spec, "spec", [&](const json::Value& container, const std::string&) {
      check_item(item,
                 {"Container", read_amounts(container, {"resources", "requests"}),
                  read_amounts(container, {"resources", "limits"})},
                 out);
    });
  } else if (type == "Pod") {
    check_item(item, {"Pod", pod_amounts(spec, "requests"), pod_amounts(spec, "limits")}, out);
  }
}

}  // namespace

std::vector<json::Value> LimitRanger::items(std::string_view ns) const {
  std::vector<json::Value> out;
  reader_.each("", "limitranges", ns, [&](const api::ObjectPtr& object) {
    for (const json::Value& item : json::array_at(object->parse(), {"spec", "limits"}))
      out.push_back(item);
    return true;
  });
  return out;
}

Task<> LimitRanger::mutate(AdmissionRequest& request) {
  if (!creates_pod(request)) co_return Unit{};
  json::Value* spec = json::find(*request.object, {"spec"});
  if (spec == nullptr || !spec->is_object()) co_return Unit{};
  for (const json::Value& item : items(request.ns)) {
    if (json::string_at(item, {"type"}) != "Container") continue;
    each_container(*spec, [&](json::Value& container) {
      fill_missing(container, "limits", json::object_at(item, {"default"}));
      fill_missing(container, "requests", json::object_at(item, {"defaultRequest"}));
    });
  }
  co_return Unit{};
}

Task<> LimitRanger::validate(const AdmissionRequest& request) {
  const bool claim =
      request.object != nullptr && is_resource(request, "", "persistentvolumeclaims");
  if (!creates_pod(request) && !claim) co_return Unit{};
  Complaints found;
  for (const json::Value& item : items(request.ns)) {
    if (!claim) {
      check_pod(item, json::object_at(*request.object, {"spec"}), found);
    } else if (json::string_at(item, {"type"}) == "PersistentVolumeClaim") {
      check_item(item,
                 {"PersistentVolumeClaim",
                  read_amounts(*request.object, {"spec", "resources", "requests"}),
                  {},
                  false},
                 found);
    }
  }
  if (found.empty()) co_return Unit{};
  if (found.size() == 1) co_return admission_refused(request, found.front());
  co_return admission_refused(request, fmt::format("[{}]", fmt::join(found, ", ")));
}

}  // namespace atl::apiserver
