#include "kernel/apiserver/custom/definition_rules.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <vector>

#include "kernel/apiserver/contract/findings.h"
#include "kernel/apiserver/custom/definition.h"

namespace atl::apiserver {
namespace {

void check_kind_name(std::string path, std::string_view name, api::Findings& out) {
  if (name.empty()) return out.push_back(required_value(std::move(path)));
  const api::Complaints complaints = api::dns_1035_label(lower(name));
  if (complaints.empty()) return;
  out.push_back(invalid_value(std::move(path), json::Value(name),
                              fmt::format("may have mixed case, but should otherwise match: {}",
                                          fmt::join(complaints, ","))));
}

void check_labels(const json::Value& names, std::string_view field, api::Findings& out) {
  const json::Array& items = json::array_at(names, {field});
  for (size_t i = 0; i < items.size(); ++i) {
    if (items[i].is_string())
      check_label(fmt::format("spec.names.{}[{}]", field, i), items[i].get_string(), out);
  }
}

void check_names(const json::Value& names, api::Findings& out) {
  for (const std::string_view field : {"plural", "singular"}) {
    const std::string path = under("spec.names", field);
    const std::string_view name = json::string_at(names, {field});
    name.empty() ? out.push_back(required_value(path)) : check_label(path, name, out);
  }
  const std::string_view kind = json::string_at(names, {"kind"});
  const std::string_view list_kind = json::string_at(names, {"listKind"});
  check_kind_name("spec.names.kind", kind, out);
  check_kind_name("spec.names.listKind", list_kind, out);
  check_labels(names, "shortNames", out);
  if (!kind.empty() && kind == list_kind) {
    out.push_back(invalid_value("spec.names.listKind", json::Value(list_kind),
                                "kind and listKind may not be the same"));
  }
  check_labels(names, "categories", out);
}

void check_group(std::string_view group, api::Findings& out) {
  if (group.empty()) return out.push_back(required_value("spec.group"));
  const size_t before = out.size();
  check_text(out, "spec.group", group, api::dns_subdomain);
  if (out.size() == before && group.find('.') == std::string_view::npos) {
    out.push_back(invalid_value("spec.group", json::Value(group),
                                "should be a domain with at least one dot"));
  }
}

void check_choice(std::string path, std::string_view value,
                  std::initializer_list<std::string_view> supported, api::Findings& out) {
  if (value.empty()) return out.push_back(required_value(std::move(path)));
  if (std::ranges::find(supported, value) == supported.end())
    out.push_back(unsupported_value(std::move(path), json::Value(value), supported));
}

void check_versions(const json::Array& versions, api::Findings& out) {
  int stored = 0;
  std::vector<std::string_view> seen;
  for (size_t i = 0; i < versions.size(); ++i) {
    check_version(versions[i], at("spec.versions", i), out);
    stored += json::bool_at(versions[i], {"storage"});
    seen.push_back(json::string_at(versions[i], {"name"}));
  }
  std::ranges::sort(seen);
  if (std::ranges::adjacent_find(seen) != seen.end()) {
    out.push_back(
        {"FieldValueInvalid", "Invalid value: must contain unique version names", "spec.versions"});
  }
  if (stored == 1) return;
  out.push_back({"FieldValueInvalid",
                 "Invalid value: must have exactly one version marked as storage version",
                 "spec.versions"});
}

// A version that objects may still be stored in cannot go.
void check_stored_versions(const json::Value& definition, api::Findings& out) {
  const json::Array& stored = json::array_at(definition, {"status", "storedVersions"});
  const json::Array& versions = json::array_at(definition, {"spec", "versions"});
  for (size_t i = 0; i < stored.size(); ++i) {
    if (!stored[i].is_string()) continue;
    const std::string_view name = stored[i].get_string();
    const auto is_it = [&](const json::Value& v) { return json::string_at(v, {"name"}) == name; };
    if (std::ranges::any_of(versions, is_it)) continue;
    out.push_back(invalid_value(
        at("status.storedVersions", i), stored[i],
        fmt::format("missing from spec.versions; {0} was previously a storage version, and must "
                    "remain in spec.versions until a storage migration ensures no data remains "
                    "persisted in {0} and removes {0} from status.storedVersions",
                    name)));
  }
}

void check_review_versions(const json::Value& webhook, api::Findings& out) {
  const std::string path = "spec.conversion.conversionReviewVersions";
  const json::Array& versions = json::array_at(webhook, {"conversionReviewVersions"});
  if (versions.empty()) return out.push_back(required_value(path));
  std::vector<std::string_view> seen;
  for (size_t i = 0; i < versions.size(); ++i) {
    const std::string_view version =
        versions[i].is_string() ? std::string_view(versions[i].get_string()) : "";
    if (std::ranges::find(seen, version) != seen.end()) {
      out.push_back(invalid_value(at(path, i), versions[i], "duplicate version"));
      continue;
    }
    seen.push_back(version);
    check_text(out, at(path, i), version, api::dns_1035_label);
  }
  const auto known = [](std::string_view v) { return v == "v1" || v == "v1beta1"; };
  if (std::ranges::none_of(seen, known)) {
    out.push_back(
        invalid_value(path, json::Value(versions), "must include at least one of v1, v1beta1"));
  }
}

void check_conversion(const json::Value& definition, api::Findings& out) {
  const json::Value* conversion = json::find(definition, {"spec", "conversion"});
  if (!conversion || !conversion->is_object()) return;
  const std::string_view strategy = json::string_at(*conversion, {"strategy"});
  check_choice("spec.conversion.strategy", strategy, {"None", "Webhook"}, out);
  const json::Value* webhook = json::find(*conversion, {"webhook"});
  const std::string path = "spec.conversion.webhookClientConfig";
  if (strategy != "Webhook") {
    if (webhook && webhook->is_object())
      out.push_back(forbidden_value(path, "should not be set when strategy is not set to Webhook"));
    return;
  }
  const json::Value* config = webhook ? json::find(*webhook, {"clientConfig"}) : nullptr;
  if (!config || !config->is_object()) {
    out.push_back(required_value(path, "required when strategy is set to Webhook"));
  } else if (bool(json::find(*config, {"url"})) == bool(json::find(*config, {"service"}))) {
    out.push_back(required_value(path, "exactly one of url or service is required"));
  }
  check_review_versions(webhook ? *webhook : json::Value(json::Object{}), out);
}

void check_fixed(const json::Value& old, const json::Value& definition, api::Findings& out) {
  const auto fixed = [&](std::string_view path, json::Path field) {
    const std::string_view now = json::string_at(definition, field);
    if (now != json::string_at(old, field))
      out.push_back(api::immutable_value(std::string(path), json::Value(now)));
  };
  if (condition_is(old, "Established", "True")) {
    fixed("spec.scope", {"spec", "scope"});
    fixed("spec.names.kind", {"spec", "names", "kind"});
  }
  fixed("spec.group", {"spec", "group"});
  fixed("spec.names.plural", {"spec", "names", "plural"});
}

void check_approval(const json::Value& definition, const json::Value* old, api::Findings& out) {
  const Approval now = approval_of(definition);
  if (old && approval_of(*old).state == now.state) return;  // whoever changes something else
  const std::string path = at("metadata.annotations", kApprovedAnnotation);
  if (now.state == Approval::State::kMissing) out.push_back(required_value(path, now.message));
  if (now.state != Approval::State::kInvalid) return;
  const std::string_view said =
      json::string_at(definition, {"metadata", "annotations", kApprovedAnnotation});
  out.push_back(invalid_value(path, json::Value(said), now.message));
}

// "https://host/path"
bool is_url(std::string_view text) {
  const size_t scheme = text.find("://");
  return scheme != 0 && scheme != std::string_view::npos && text.size() > scheme + 3 &&
         text[scheme + 3] != '/';
}

}  // namespace

void check_label(std::string path, std::string_view name, api::Findings& out) {
  const api::Complaints complaints = api::dns_1035_label(name);
  if (!complaints.empty())
    out.push_back(invalid_value(std::move(path), json::Value(name),
                                fmt::format("{}", fmt::join(complaints, ","))));
}

Approval approval_of(const json::Value& definition) {
  const std::string_view group = json::string_at(definition, {"spec", "group"});
  const auto below = [&](std::string_view domain) {
    return group == domain || group.ends_with(fmt::format(".{}", domain));
  };
  if (!below("k8s.io") && !below("kubernetes.io")) return {};
  const std::string_view said =
      json::string_at(definition, {"metadata", "annotations", kApprovedAnnotation});
  constexpr std::string_view kSee = "see https://github.com/kubernetes/enhancements/pull/1111";
  if (said.empty()) {
    return {Approval::State::kMissing,
            fmt::format("protected groups must have approval annotation \"{}\", {}",
                        kApprovedAnnotation, kSee)};
  }
  if (said.starts_with("unapproved"))
    return {Approval::State::kBypassed, fmt::format("not approved: {}", api::quoted(said))};
  if (is_url(said)) return {Approval::State::kApproved, fmt::format("approved in {}", said)};
  return {Approval::State::kInvalid,
          fmt::format("protected groups must have approval annotation \"{}\" with either a URL or "
                      "a reason starting with \"unapproved\", {}",
                      kApprovedAnnotation, kSee)};
}

api::Findings check_definition(const json::Value& definition, const json::Value* old) {
  api::Findings out;
  const std::string_view group = json::string_at(definition, {"spec", "group"});
  const json::Value* spec_names = json::find(definition, {"spec", "names"});
  const json::Value names = spec_names ? *spec_names : json::Value(json::Object{});
  const std::string_view name = json::string_at(definition, {"metadata", "name"});
  if (name != fmt::format("{}.{}", json::string_at(names, {"plural"}), group)) {
    out.push_back(invalid_value("metadata.name", json::Value(name),
                                "must be spec.names.plural+\".\"+spec.group"));
  }
  check_group(group, out);
  check_choice("spec.scope", json::string_at(definition, {"spec", "scope"}),
               {"Cluster", "Namespaced"}, out);
  check_versions(json::array_at(definition, {"spec", "versions"}), out);
  check_names(names, out);
  check_conversion(definition, out);
  if (old) check_fixed(*old, definition, out);
  check_stored_versions(definition, out);
  check_approval(definition, old, out);
  if (json::bool_at(definition, {"spec", "preserveUnknownFields"})) {
    out.push_back(
        invalid_value("spec.preserveUnknownFields", json::Value(true),
                      "must be false: use x-kubernetes-preserve-unknown-fields in the schema"));
  }
  return out;
}

}  // namespace atl::apiserver
