#include "kernel/controllers/node_fit.h"

#include <algorithm>
#include <charconv>
#include <optional>

namespace atl::controllers {
namespace {

constexpr std::string_view kRequired = "requiredDuringSchedulingIgnoredDuringExecution";
constexpr std::string_view kNodeName = "metadata.name";

std::optional<int64_t> number(std::string_view text) {
  int64_t out = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return out;
}

bool requirement_met(const json::Value& requirement, const std::optional<std::string_view>& have) {
  const std::string_view how = json::string_at(requirement, {"operator"});
  const json::Array& values = json::array_at(requirement, {"values"});
  const bool named = have && std::any_of(values.begin(), values.end(), [&](const json::Value& v) {
                       return v.is_string() && std::string_view(v.as_string()) == *have;
                     });
  if (how == "In") return named;
  if (how == "NotIn") return !named;
  if (how == "Exists") return have.has_value();
  if (how == "DoesNotExist") return !have;
  if ((how != "Gt" && how != "Lt") || !have || values.size() != 1 || !values[0].is_string())
    return false;
  const auto left = number(*have);
  const auto right = number(values[0].as_string());
  return left && right && (how == "Gt" ? *left > *right : *left < *right);
}

std::optional<std::string_view> label_of(const json::Value& node, std::string_view key) {
  const json::Value* value = json::find(node, {"metadata", "labels", key});
  if (!value || !value->is_string()) return std::nullopt;
  return std::string_view(value->as_string());
}

bool term_met(const json::Value& term, const json::Value& node) {
  const json::Array& labels = json::array_at(term, {"matchExpressions"});
  const json::Array& fields = json::array_at(term, {"matchFields"});
  if (labels.empty() && fields.empty()) return false;  // an empty term selects nothing
  const auto label_met = [&](const json::Value& requirement) {
    return requirement_met(requirement, label_of(node, json::string_at(requirement, {"key"})));
  };
  const auto field_met = [&](const json::Value& requirement) {
    return json::string_at(requirement, {"key"}) == kNodeName &&
           requirement_met(requirement, json::string_at(node, {"metadata", "name"}));
  };
  return std::all_of(labels.begin(), labels.end(), label_met) &&
         std::all_of(fields.begin(), fields.end(), field_met);
}

const json::Array& terms_of(const json::Value& pod) {
  return json::array_at(pod, {"spec", "affinity", "nodeAffinity", kRequired, "nodeSelectorTerms"});
}

bool tolerates(const json::Value& toleration, const json::Value& taint) {
  const std::string_view effect = json::string_at(toleration, {"effect"});
  const std::string_view key = json::string_at(toleration, {"key"});
  const bool exists = json::string_at(toleration, {"operator"}) == "Exists";
  if (!effect.empty() && effect != json::string_at(taint, {"effect"})) return false;
  if (key.empty() ? !exists : key != json::string_at(taint, {"key"})) return false;
  return exists || json::string_at(toleration, {"value"}) == json::string_at(taint, {"value"});
}

}  // namespace

bool node_wanted(const json::Value& pod, const json::Value& node) {
  const std::string_view name = json::string_at(pod, {"spec", "nodeName"});
  if (!name.empty() && name != json::string_at(node, {"metadata", "name"})) return false;
  for (const auto& [key, value] : json::object_at(pod, {"spec", "nodeSelector"})) {
    const auto have = label_of(node, key);
    if (!have || !value.is_string() || *have != std::string_view(value.as_string())) return false;
  }
  if (!json::find(pod, {"spec", "affinity", "nodeAffinity", kRequired})) return true;
  const json::Array& terms = terms_of(pod);
  return std::any_of(terms.begin(), terms.end(),
                     [&](const json::Value& term) { return term_met(term, node); });
}

bool taints_tolerated(const json::Value& pod, const json::Value& node, std::string_view effect) {
  const json::Array& tolerations = json::array_at(pod, {"spec", "tolerations"});
  for (const json::Value& taint : json::array_at(node, {"spec", "taints"})) {
    if (json::string_at(taint, {"effect"}) != effect) continue;
    const bool tolerated =
        std::any_of(tolerations.begin(), tolerations.end(),
                    [&](const json::Value& toleration) { return tolerates(toleration, taint); });
    if (!tolerated) return false;
  }
  return true;
}

std::string target_node(const json::Value& pod) {
  const std::string_view bound = json::string_at(pod, {"spec", "nodeName"});
  if (!bound.empty()) return std::string(bound);
  for (const json::Value& term : terms_of(pod)) {
    for (const json::Value& field : json::array_at(term, {"matchFields"})) {
      const json::Array& values = json::array_at(field, {"values"});
      if (json::string_at(field, {"key"}) == kNodeName && values.size() == 1 &&
          values[0].is_string())
        return std::string(values[0].as_string());
    }
  }
  return {};
}

void pin_to_node(json::Value& pod, std::string_view node) {
  const json::Array only{json::Object{
      {"key", kNodeName}, {"operator", "In"}, {"values", json::Array{json::Value(node)}}}};
  json::Array terms = terms_of(pod);
  if (terms.empty()) terms.push_back(json::Object());
  for (json::Value& term : terms) term.as_object()["matchFields"] = only;
  json::set(pod, {"spec", "affinity", "nodeAffinity", kRequired, "nodeSelectorTerms"},
            std::move(terms));
}

}  // namespace atl::controllers
