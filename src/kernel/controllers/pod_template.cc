#include "kernel/controllers/pod_template.h"

#include "kernel/controllers/claim.h"

namespace atl::controllers {
namespace {

void remove_nulls(json::Value& value) {
  if (json::Array* array = value.if_array()) {
    for (json::Value& item : *array) remove_nulls(item);
    return;
  }
  json::Object* object = value.if_object();
  if (!object) return;
  for (auto it = object->begin(); it != object->end();) {
    if (it->value().is_null()) {
      it = object->erase(it);
    } else {
      remove_nulls(it->value());
      ++it;
    }
  }
}

json::Value normal(json::Value pod_template) {
  remove_nulls(pod_template);
  json::erase(pod_template, {"metadata", "labels", kTemplateHashLabel});
  return pod_template;
}

// Decimal digits as letters that make neither words nor names hard to read.
std::string letters(uint32_t number) {
  static constexpr std::string_view kAlphabet = "bcdfghjklmnpqrstvwxz2456789";
  std::string out = std::to_string(number);
  for (char& c : out) c = kAlphabet[size_t(c) % kAlphabet.size()];
  return out;
}

}  // namespace

bool same_template(const json::Value& a, const json::Value& b) {
  return json::equal(normal(a), normal(b));
}

std::string template_hash(const json::Value& pod_template, int64_t collisions) {
  std::string text = json::serialize(normal(pod_template));
  if (collisions > 0) text += std::to_string(collisions);
  uint32_t hash = 2166136261u;
  for (const char c : text) hash = (hash ^ uint8_t(c)) * 16777619u;
  return letters(hash);
}

json::Value pod_from_template(const json::Value& pod_template, const api::Object& owner) {
  json::Object metadata;
  for (const std::string_view field : {"labels", "annotations", "finalizers"}) {
    if (const json::Value* value = json::find(pod_template, {"metadata", field}))
      metadata[field] = *value;
  }
  metadata["ownerReferences"] = json::Array{controller_ref(owner)};
  const json::Value* spec = json::find(pod_template, {"spec"});
  return json::Object{{"apiVersion", "v1"},
                      {"kind", "Pod"},
                      {"metadata", std::move(metadata)},
                      {"spec", spec ? *spec : json::Value(json::Object{})}};
}

}  // namespace atl::controllers
