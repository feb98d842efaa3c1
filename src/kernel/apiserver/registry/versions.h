#pragma once

#include <functional>
#include <map>
#include <string>

#include "api/schema/kind.h"

namespace atl::apiserver {

// Between the version of a request and the version that is stored. A resource is stored in one
// version only; the others differ by apiVersion alone (custom kinds with strategy None), or have a
// converter. Owned by the server's options, filled before the server starts.
class Versions {
 public:
  using Converter = std::function<void(json::Value& document)>;

  explicit Versions(const api::KindSet& kinds) : kinds_(kinds) {}

  // `kind` lies in the store as objects of `stored`, perhaps of another resource
  // (events.k8s.io/events lie there as core events). Converters need not touch apiVersion and kind.
  void store_as(api::Gvk kind, api::Gvk stored, Converter to_stored, Converter from_stored);

  // The kind in whose form objects of `kind` are stored; never null.
  api::KindPtr stored(const api::KindPtr& kind) const;
  // In place; nothing happens where both are the same.
  void to_stored(const api::Kind& kind, const api::Kind& stored, json::Value& document) const;
  void from_stored(const api::Kind& stored, const api::Kind& kind, json::Value& document) const;

 private:
  struct Rule {
    api::Gvk stored;
    Converter to_stored, from_stored;
  };
  const api::KindSet& kinds_;
  std::map<api::Gvk, Rule> rules_;
};

}  // namespace atl::apiserver
