#include "kernel/apiserver/admission/kinds/policy.h"

#include "base/text/quantity.h"
#include "kernel/apiserver/admission/kinds/pod_template.h"
#include "kernel/apiserver/contract/findings.h"

namespace atl::apiserver {
namespace {

std::optional<Quantity> amount_of(const json::Value* value) {
  if (value == nullptr) return std::nullopt;
  auto amount = Quantity::parse(value->is_string() ? std::string(value->as_string())
                                                   : json::serialize(*value));
  if (!amount) return std::nullopt;
  return *amount;
}

// Every amount of a map can be read and is not negative.
void check_amounts(const json::Value& holder, std::string_view field, const std::string& path,
                   api::Findings& out) {
  for (const auto& [name, value] : json::object_at(holder, {field})) {
    const std::string here = at(under(path, field), std::string_view(name));
    const auto amount = amount_of(&value);
    if (!amount)
      out.push_back(invalid_value(here, value, "must be a quantity, as in \"500m\" or \"1Gi\""));
    else if (amount->negative())
      out.push_back(invalid_value(here, value, "must be greater than or equal to 0"));
  }
}

void copy_missing(json::Value& item, std::string_view from, std::string_view to) {
  const json::Object source = json::object_at(item, {from});
  for (const auto& [name, value] : source) {
    if (json::find(item, {to, name}) == nullptr) json::set(item, {to, name}, value);
  }
}

// lower <= upper for every name that both have.
void check_order(const json::Value& item, std::string_view lower, std::string_view upper,
                 const std::string& path, api::Findings& out) {
  for (const auto& [name, value] : json::object_at(item, {lower})) {
    const auto low = amount_of(&value);
    const auto high = amount_of(json::find(item, {upper, name}));
    if (!low || !high || *low <= *high) continue;
    out.push_back(invalid_value(at(under(path, lower), std::string_view(name)),
                                json::Value(low->text()),
                                std::string(lower) + " value " + low->text() + " is greater than " +
                                    std::string(upper) + " value " + high->text()));
  }
}

}  // namespace

api::Findings DisruptionBudgetHook::validate(const WriteContext& write) const {
  if (!write.subresource.empty()) return {};
  api::Findings out;
  const json::Value* minimum = json::find(*write.object, {"spec", "minAvailable"});
  const json::Value* maximum = json::find(*write.object, {"spec", "maxUnavailable"});
  if (minimum != nullptr && maximum != nullptr) {
    out.push_back(invalid_value("spec", json::object_at(*write.object, {"spec"}),
                                "minAvailable and maxUnavailable cannot be both set"));
  }
  check_part(minimum, "spec.minAvailable", out);
  check_part(maximum, "spec.maxUnavailable", out);
  return out;
}

api::Findings AutoscalerHook::validate(const WriteContext& write) const {
  if (!write.subresource.empty()) return {};
  api::Findings out;
  const int64_t minimum = json::int_at(*write.object, {"spec", "minReplicas"}, 1);
  const int64_t maximum = json::int_at(*write.object, {"spec", "maxReplicas"});
  if (maximum > 0 && maximum < minimum) {
    out.push_back(invalid_value("spec.maxReplicas", maximum,
                                "must be greater than or equal to `minReplicas`"));
  }
  return out;
}

Result<> LimitRangeHook::prepare(WriteContext& write) const {
  json::Value* limits = json::find(*write.object, {"spec", "limits"});
  if (limits == nullptr || !limits->is_array()) return Unit{};
  for (json::Value& item : limits->as_array()) {
    if (json::string_at(item, {"type"}) != "Container") continue;
    copy_missing(item, "max", "default");
    copy_missing(item, "default", "defaultRequest");
    copy_missing(item, "min", "defaultRequest");
  }
  return Unit{};
}

api::Findings LimitRangeHook::validate(const WriteContext& write) const {
  api::Findings out;
  size_t index = 0;
  for (const json::Value& item : json::array_at(*write.object, {"spec", "limits"})) {
    const std::string path = at("spec.limits", index++);
    for (const std::string_view field :
         {"max", "min", "default", "defaultRequest", "maxLimitRequestRatio"}) {
      check_amounts(item, field, path, out);
    }
    if (json::string_at(item, {"type"}) == "Pod") {
      for (const std::string_view field : {"default", "defaultRequest"}) {
        if (!json::object_at(item, {field}).empty()) {
          out.push_back(
              forbidden_value(under(path, field), "may not be specified when `type` is 'Pod'"));
        }
      }
    }
    check_order(item, "min", "max", path, out);
    check_order(item, "defaultRequest", "default", path, out);
    check_order(item, "default", "max", path, out);
    check_order(item, "min", "defaultRequest", path, out);
  }
  return out;
}

api::Findings ResourceQuotaHook::validate(const WriteContext& write) const {
  api::Findings out;
  check_amounts(json::object_at(*write.object, {"spec"}), "hard", "spec", out);
  return out;
}

}  // namespace atl::apiserver
