#pragma once

#include <functional>
#include <map>
#include <string>

#include "api/schema/kind.h"
#include "api/select/select.h"

namespace atl::apiserver {

// Between the version of a request and the version that is stored. A resource is stored in one
// version only; the others differ by apiVersion alone (custom kinds with strategy None), or have a
// converter. Owned by the server's options, filled before the server starts.
class Versions {
 public:
  struct Converter {
    std::function<void(json::Value& document)> to_stored, from_stored;
    std::map<std::string, std::string> fields;  // of field selectors, to those of the stored kind
  };

  // With the conversions of built-in kinds.
  explicit Versions(const api::KindSet& kinds);

  // `kind` lies in the store as objects of `stored`, perhaps of another resource
  // (events.k8s.io/events lie there as core events). Converters need not touch apiVersion and kind.
  void store_as(api::Gvk kind, api::Gvk stored, Converter converter);

  // The kind in whose form objects of `kind` are stored; never null.
  api::KindPtr stored(const api::KindPtr& kind) const;
  // In place; nothing happens where both are the same.
  void to_stored(const api::Kind& kind, const api::Kind& stored, json::Value& document) const;
  void from_stored(const api::Kind& stored, const api::Kind& kind, json::Value& document) const;
  // A selector on fields of `kind` as one on fields of the stored kind.
  api::FieldSelector stored_fields(const api::Kind& kind, const api::FieldSelector& fields) const;

 private:
  struct Rule {
    api::Gvk stored;
    Converter converter;
  };
  const api::KindSet& kinds_;
  std::map<api::Gvk, Rule> rules_;
};

}  // namespace atl::apiserver
