#include "kernel/node/volumes/volume_content.h"

#include <fmt/format.h>

#include <algorithm>

namespace atl::node {
namespace {

constexpr int64_t kDefaultMode = 0644;

void add_name(std::vector<std::string>& to, std::string_view name) {
  if (!name.empty() && std::find(to.begin(), to.end(), name) == to.end()) to.emplace_back(name);
}

TokenRequest token_of(const json::Value& source) {
  return {std::string(json::string_at(source, {"audience"})),
          json::int_at(source, {"expirationSeconds"}, 3'600)};
}

// Each source of a projected volume, or the volume itself: the same fields stand in both.
template <class F>
void each_source(const json::Value& volume, F f) {
  if (json::find(volume, {"projected"})) {
    for (const json::Value& source : json::array_at(volume, {"projected", "sources"})) f(source);
  } else {
    f(volume);
  }
}

struct Writer {
  const PodSpec& pod;
  const PodFacts& facts;
  const VolumeObjects& objects;
  uint32_t default_mode;
  VolumeFiles out;

  uint32_t mode_of(const json::Value& item) const {
    return uint32_t(json::int_at(item, {"mode"}, default_mode));
  }

  Result<> add_object(const json::Value& source, bool secret) {
    // A secret volume says secretName, a projected source says name.
    std::string name(json::string_at(source, {"secretName"}));
    if (name.empty()) name = json::string_at(source, {"name"});
    const bool optional = json::bool_at(source, {"optional"});
    const auto& all = secret ? objects.data.secrets : objects.data.config_maps;
    const auto it = all.find(name);
    if (it == all.end()) {
      if (optional) return Unit{};
      return Error(Code::kNotFound,
                   fmt::format("{} \"{}\" not found", secret ? "secret" : "configmap", name));
    }
    const json::Array& items = json::array_at(source, {"items"});
    if (items.empty()) {
      for (const auto& [key, bytes] : it->second) out[key] = {bytes, default_mode};
      return Unit{};
    }
    for (const json::Value& item : items) {
      const std::string key(json::string_at(item, {"key"}));
      const auto entry = it->second.find(key);
      if (entry != it->second.end()) {
        out[std::string(json::string_at(item, {"path"}))] = {entry->second, mode_of(item)};
      } else if (!optional) {
        return Error(Code::kNotFound, fmt::format("references non-existent {} key: {}",
                                                  secret ? "secret" : "config", key));
      }
    }
    return Unit{};
  }

  Result<> add_downward(const json::Value& source) {
    for (const json::Value& item : json::array_at(source, {"items"})) {
      std::string text;
      if (const json::Value* ref = json::find(item, {"fieldRef"})) {
        TRY(text, field_value(pod, facts, json::string_at(*ref, {"fieldPath"})));
      } else if (const json::Value* resource = json::find(item, {"resourceFieldRef"})) {
        const ContainerSpec* c = pod.find(json::string_at(*resource, {"containerName"}));
        if (!c) return Error(Code::kInvalid, "resourceFieldRef names no container of this pod");
        TRY(text, resource_value(c->doc, facts, json::string_at(*resource, {"resource"}),
                                 json::string_at(*resource, {"divisor"}, "1")));
      }
      out[std::string(json::string_at(item, {"path"}))] = {std::move(text), mode_of(item)};
    }
    return Unit{};
  }

  Result<> add(const json::Value& source) {
    if (const json::Value* s = json::find(source, {"configMap"})) return add_object(*s, false);
    if (const json::Value* s = json::find(source, {"secret"})) return add_object(*s, true);
    if (const json::Value* s = json::find(source, {"downwardAPI"})) return add_downward(*s);
    if (const json::Value* s = json::find(source, {"serviceAccountToken"})) {
      const auto token = objects.tokens.find(token_of(*s));
      if (token == objects.tokens.end())
        return Error(Code::kNotFound, "no token could be had for the service account");
      out[std::string(json::string_at(*s, {"path"}))] = {token->second, default_mode};
      return Unit{};
    }
    return Error(Code::kInvalid,
                 "the projected volume holds a source that this node does not know");
  }
};

}  // namespace

bool written_by_node(const json::Value& volume) {
  for (const std::string_view kind : {"configMap", "secret", "downwardAPI", "projected"}) {
    if (json::find(volume, {kind})) return true;
  }
  return false;
}

VolumeNeeds volume_needs(const PodSpec& pod) {
  VolumeNeeds needs;
  for (const json::Value& volume : json::array_at(pod.doc, {"spec", "volumes"})) {
    each_source(volume, [&](const json::Value& source) {
      add_name(needs.config_maps, json::string_at(source, {"configMap", "name"}));
      add_name(needs.secrets, json::string_at(source, {"secret", "secretName"}));
      add_name(needs.secrets, json::string_at(source, {"secret", "name"}));
      if (const json::Value* token = json::find(source, {"serviceAccountToken"}))
        needs.tokens.push_back(token_of(*token));
    });
  }
  return needs;
}

Result<VolumeFiles> volume_files(const json::Value& volume, const PodSpec& pod,
                                 const PodFacts& facts, const VolumeObjects& objects) {
  int64_t mode = kDefaultMode;
  for (const std::string_view kind : {"configMap", "secret", "downwardAPI", "projected"}) {
    mode = json::int_at(volume, {kind, "defaultMode"}, mode);
  }
  Writer writer{pod, facts, objects, uint32_t(mode), {}};
  Result<> outcome = Unit{};
  each_source(volume, [&](const json::Value& source) {
    if (outcome) outcome = writer.add(source);
  });
  if (!outcome) return std::move(outcome).error();
  return std::move(writer.out);
}

}  // namespace atl::node
