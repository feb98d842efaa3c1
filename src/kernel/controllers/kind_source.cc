#include "kernel/controllers/kind_source.h"

#include <algorithm>
#include <set>

namespace atl::controllers {
namespace {

Collection collection_of(const api::Kind& kind) {
  return {kind.gvr, kind.gvk, kind.namespaced, kind.custom, kind.verbs};
}

}  // namespace

bool Collection::can(std::string_view verb) const {
  return std::find(verbs.begin(), verbs.end(), verb) != verbs.end();
}

std::vector<Collection> KindSetSource::collections() const {
  std::vector<Collection> out;
  std::set<std::pair<std::string, std::string>> seen;
  // The stored version of each resource; where none is marked, the first in discovery order.
  for (const bool stored : {true, false}) {
    for (const api::KindPtr& kind : kinds_.all()) {
      if (kind->storage != stored || !seen.emplace(kind->gvr.group, kind->gvr.resource).second)
        continue;
      out.push_back(collection_of(*kind));
    }
  }
  return out;
}

std::optional<Collection> KindSetSource::find(const api::Gvk& gvk) const {
  if (const api::KindPtr kind = kinds_.find(gvk)) return collection_of(*kind);
  // A version that is no longer served still names the same kind.
  for (const api::KindPtr& kind : kinds_.all()) {
    if (kind->gvk.group == gvk.group && kind->gvk.kind == gvk.kind) return collection_of(*kind);
  }
  return std::nullopt;
}

}  // namespace atl::controllers
