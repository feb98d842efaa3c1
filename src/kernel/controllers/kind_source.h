#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "api/object/names.h"
#include "api/schema/kind.h"

namespace atl::controllers {

// A collection as discovery tells it, in one version.
struct Collection {
  api::Gvr gvr;
  api::Gvk gvk;
  bool namespaced = false;
  bool custom = false;  // comes and goes with its CustomResourceDefinition
  std::vector<std::string> verbs;
  bool can(std::string_view verb) const;
};

// All collections of the cluster, each once, as they are now; what deletes "everything" asks here.
class KindSource {
 public:
  virtual ~KindSource() = default;
  virtual std::vector<Collection> collections() const = 0;
  // Any version of a kind, as an owner reference names it.
  virtual std::optional<Collection> find(const api::Gvk& kind) const = 0;
  // Grows with every change.
  virtual uint64_t generation() const = 0;
};

// In the API server's process: its own set of kinds.
class KindSetSource final : public KindSource {
 public:
  explicit KindSetSource(const api::KindSet& kinds) : kinds_(kinds) {}
  std::vector<Collection> collections() const override;
  std::optional<Collection> find(const api::Gvk& kind) const override;
  uint64_t generation() const override { return kinds_.generation(); }

 private:
  const api::KindSet& kinds_;
};

}  // namespace atl::controllers
