#include "api/schema/kind.h"

#include <algorithm>

#include "api/schema/embedded_impl.h"
#include "api/schema/load_impl.h"

namespace atl::api {
namespace {

// GA before beta before alpha, greater numbers first, anything else last by name.
struct VersionOrder {
  int stability = 3;
  long major = 0, minor = 0;

  explicit VersionOrder(std::string_view text) {
    size_t at = 1;
    if (text.size() < 2 || text[0] != 'v' || !number(text, at, major)) return;
    if (at == text.size()) {
      stability = 0;
      return;
    }
    const std::string_view rest = text.substr(at);
    const bool beta = rest.starts_with("beta");
    if (!beta && !rest.starts_with("alpha")) return;
    at += beta ? 4 : 5;
    if (number(text, at, minor) && at == text.size()) stability = beta ? 1 : 2;
  }

 private:
  static bool number(std::string_view text, size_t& at, long& out) {
    const size_t start = at;
    for (out = 0; at < text.size() && text[at] >= '0' && text[at] <= '9' && at - start < 9; ++at)
      out = out * 10 + (text[at] - '0');
    return at > start;
  }
};

bool preferred_before(std::string_view a, std::string_view b) {
  const VersionOrder x(a), y(b);
  if (x.stability != y.stability) return x.stability < y.stability;
  if (x.stability == 3) return a < b;
  return x.major != y.major ? x.major > y.major : x.minor > y.minor;
}

constexpr std::string_view kMeta = "io.k8s.apimachinery.pkg.apis.meta.v1.";

}  // namespace

const Subresource* Kind::subresource(std::string_view sub) const {
  const auto it = std::find_if(subresources.begin(), subresources.end(),
                               [&](const Subresource& s) { return s.name == sub; });
  return it == subresources.end() ? nullptr : &*it;
}

Result<KindSet> KindSet::builtin() {
  const auto definitions = std::make_shared<SchemaSet>();
  KindLoader loader(*definitions);
  for (const EmbeddedFile& file : embedded_kinds()) TRY_OK(loader.add(file.name, file.text));
  TRY_OK(loader.finish());
  KindSet set;
  set.definitions_ = definitions;
  for (auto& kind : loader.kinds()) {
    kind->schemas = definitions;
    set.put(std::move(kind));
  }
  return set;
}

KindPtr KindSet::find(const Gvr& resource) const {
  const auto it = by_gvr_.find(resource);
  return it == by_gvr_.end() ? nullptr : it->second;
}

KindPtr KindSet::find(const Gvk& kind) const {
  const auto it = by_gvk_.find(kind);
  return it == by_gvk_.end() ? nullptr : it->second;
}

std::vector<KindPtr> KindSet::versions(std::string_view group, std::string_view resource) const {
  std::vector<KindPtr> found;
  for (const KindPtr& kind : kinds_) {
    if (kind->gvr.group == group && kind->gvr.resource == resource) found.push_back(kind);
  }
  std::sort(found.begin(), found.end(), [](const KindPtr& a, const KindPtr& b) {
    return preferred_before(a->gvr.version, b->gvr.version);
  });
  return found;
}

std::vector<GroupVersion> KindSet::group_versions() const {
  std::vector<std::string_view> groups;
  std::map<std::string_view, std::vector<GroupVersion>> versions;
  for (const KindPtr& kind : kinds_) {
    auto& list = versions[kind->gvr.group];
    if (list.empty()) groups.push_back(kind->gvr.group);
    const GroupVersion gv = kind->gvr.group_version();
    if (std::find(list.begin(), list.end(), gv) == list.end()) list.push_back(gv);
  }
  std::vector<GroupVersion> out;
  for (const std::string_view group : groups) {
    auto& list = versions[group];
    std::sort(list.begin(), list.end(),
              [](const auto& a, const auto& b) { return preferred_before(a.version, b.version); });
    out.insert(out.end(), list.begin(), list.end());
  }
  return out;
}

const Schema* KindSet::schema_of(const Gvk& kind) const {
  if (const KindPtr found = find(kind)) return found->schema;
  if (const auto it = bodies_.find(kind); it != bodies_.end()) return it->second;
  if (definitions_ && (kind.kind == "DeleteOptions" || kind.kind == "Status")) {
    return definitions_->find(std::string(kMeta) + kind.kind);
  }
  return nullptr;
}

void KindSet::put(KindPtr kind) {
  ++generation_;
  for (const Subresource& sub : kind->subresources) {
    if (sub.schema) bodies_[sub.kind] = sub.schema;
  }
  const auto same = [&](const KindPtr& other) { return other->gvr == kind->gvr; };
  const auto it = std::find_if(kinds_.begin(), kinds_.end(), same);
  if (it != kinds_.end()) {
    by_gvk_.erase((*it)->gvk);
    *it = kind;
  } else {
    kinds_.push_back(kind);
  }
  by_gvr_[kind->gvr] = kind;
  by_gvk_[kind->gvk] = std::move(kind);
}

void KindSet::remove(const Gvr& resource) {
  const auto it = by_gvr_.find(resource);
  if (it == by_gvr_.end()) return;
  ++generation_;
  by_gvk_.erase(it->second->gvk);
  std::erase_if(bodies_, [&](const auto& body) {
    return it->second->custom && body.first.group == resource.group &&
           body.first.version == resource.version;
  });
  std::erase(kinds_, it->second);
  by_gvr_.erase(it);
}

}  // namespace atl::api
