#include "kernel/apiserver/admission/kinds/pod_template.h"

#include <fmt/format.h>

#include <algorithm>

#include "api/select/select.h"
#include "kernel/apiserver/admission/kinds/pod_defaults.h"
#include "kernel/apiserver/admission/kinds/pod_rules.h"
#include "kernel/apiserver/contract/findings.h"

namespace atl::apiserver {
namespace {

api::Labels labels_of(const json::Value& template_value) {
  api::Labels out;
  for (const auto& [key, value] : json::object_at(template_value, {"metadata", "labels"})) {
    if (value.is_string()) out.emplace_back(std::string(key), std::string(value.as_string()));
  }
  std::ranges::sort(out);
  return out;
}

bool is_percent(std::string_view text) {
  if (text.size() < 2 || !text.ends_with('%')) return false;
  return text.substr(0, text.size() - 1).find_first_not_of("0123456789") == std::string_view::npos;
}

// A StatefulSet's claim templates are volumes of its pods, and take the place of those of the
// template.
void add_claims_as_volumes(const json::Value& object, json::Value& spec) {
  const json::Array& claims = json::array_at(object, {"spec", "volumeClaimTemplates"});
  if (claims.empty()) return;
  json::Array volumes = json::array_at(spec, {"volumes"});
  for (const json::Value& claim : claims) {
    const json::Value name(json::string_at(claim, {"metadata", "name"}));
    const bool there = std::ranges::any_of(volumes, [&](const json::Value& volume) {
      return json::string_at(volume, {"name"}) == std::string_view(name.as_string());
    });
    if (!there) {
      volumes.push_back(json::Object{{"name", name},
                                     {"persistentVolumeClaim", json::Object{{"claimName", name}}}});
    }
  }
  json::set(spec, {"volumes"}, std::move(volumes));
}

}  // namespace

void default_pod_template(json::Value& object, json::Path template_path) {
  json::Value* pod_template = json::find(object, template_path);
  if (pod_template == nullptr) return;
  json::Value* spec = json::find(*pod_template, {"spec"});
  if (spec != nullptr && spec->is_object()) default_pod_spec(*spec);
}

void check_selector(const json::Value& object, std::string_view kind, api::Findings& out) {
  const json::Value* selector = json::find(object, {"spec", "selector"});
  if (selector == nullptr || !selector->is_object()) return;  // the schema asks for it
  const auto parsed = api::LabelSelector::from_document(*selector);
  if (!parsed) {
    out.push_back(invalid_value("spec.selector", *selector, parsed.error().message()));
    return;
  }
  if (parsed->everything()) {
    out.push_back(invalid_value("spec.selector", *selector,
                                fmt::format("empty selector is invalid for {}", kind)));
    return;
  }
  const json::Value pod_template = json::object_at(object, {"spec", "template"});
  if (!parsed->matches(labels_of(pod_template))) {
    out.push_back(invalid_value("spec.template.metadata.labels",
                                json::object_at(pod_template, {"metadata", "labels"}),
                                "`selector` does not match template `labels`"));
  }
}

void check_immutable(const json::Value& object, const json::Value* old, std::string_view field,
                     api::Findings& out) {
  if (old == nullptr) return;
  const json::Value none;
  const json::Value* now = json::find(object, {"spec", field});
  const json::Value* before = json::find(*old, {"spec", field});
  if (json::equal(now != nullptr ? *now : none, before != nullptr ? *before : none)) return;
  out.push_back(api::immutable_value(under("spec", field), now != nullptr ? *now : none));
}

void check_pod_template(const json::Value& object, std::initializer_list<std::string_view> allowed,
                        api::Findings& out) {
  json::Value spec = json::object_at(object, {"spec", "template", "spec"});
  add_claims_as_volumes(object, spec);
  const std::string_view policy = json::string_at(spec, {"restartPolicy"}, "Always");
  const std::string path = "spec.template.spec.restartPolicy";
  if (std::ranges::find(allowed, policy) == allowed.end()) {
    // The default stands for nothing said where it is not possible.
    if (policy == "Always") {
      out.push_back(required_value(path, R"(valid values: "OnFailure", "Never")"));
    } else {
      out.push_back(unsupported_value(path, json::Value(policy), allowed));
    }
  }
  if (json::find(spec, {"activeDeadlineSeconds"}) != nullptr && allowed.size() == 1) {
    out.push_back(forbidden_value("spec.template.spec.activeDeadlineSeconds",
                                  "activeDeadlineSeconds is not supported here"));
  }
  const api::Findings more = check_pod_spec(spec, "spec.template.spec");
  out.insert(out.end(), more.begin(), more.end());
}

void check_int_or_percent(const json::Value* value, std::string path, api::Findings& out) {
  if (value == nullptr || value->is_null()) return;
  if (value->is_string()) {
    if (!is_percent(value->as_string())) {
      out.push_back(invalid_value(
          std::move(path), *value,
          "a valid percent string must be a numeric string followed by an "
          "ending '%' (e.g. '1%',  or '93%', regex used for validation is '[0-9]+%')"));
    }
    return;
  }
  if (value->is_number() && value->to_number<double>() < 0) {
    out.push_back(invalid_value(std::move(path), *value, "must be greater than or equal to 0"));
  }
}

void check_part(const json::Value* value, std::string path, api::Findings& out) {
  check_int_or_percent(value, path, out);
  if (value == nullptr || !value->is_string() || !is_percent(value->as_string())) return;
  std::string_view digits = value->as_string();
  digits.remove_suffix(1);
  digits.remove_prefix(std::min(digits.find_first_not_of('0'), digits.size()));
  constexpr std::string_view kAll = "100";
  if (digits.size() > kAll.size() || (digits.size() == kAll.size() && digits > kAll))
    out.push_back(invalid_value(std::move(path), *value, "must not be greater than 100%"));
}

bool is_zero(const json::Value* value) {
  if (value == nullptr) return false;
  if (value->is_string()) return value->as_string().find_first_not_of("0%") == json::String::npos;
  return value->is_number() && value->to_number<double>() == 0;
}

}  // namespace atl::apiserver
