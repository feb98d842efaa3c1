#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/async/task.h"
#include "base/async/timer.h"
#include "base/core/rng.h"
#include "kernel/apiserver/contract/admission.h"
#include "kernel/apiserver/contract/hooks.h"
#include "kernel/apiserver/registry/call.h"
#include "kernel/apiserver/registry/versions.h"
#include "kernel/apiserver/registry/watch_cache.h"
#include "kernel/apiserver/registry/watcher.h"

namespace atl::apiserver {

// What a list found. Objects are in the stored version.
struct ListPage {
  std::vector<CachedPtr> items;
  Revision revision;
  std::string next;                   // continue token, empty at the end
  std::optional<uint64_t> remaining;  // unknown with selectors
};

// What a write left behind, in the stored version.
struct Written {
  api::ObjectPtr object;
  bool created = false;
};

struct Removed {
  api::ObjectPtr object;  // the last state
  bool gone = false;      // false: it stays until finalizers or its grace period are over
};

// Stored objects and every rule of reading and changing them, for any kind: what a generic registry
// behind the pipeline is. Authorization happened before; encoding happens after.
// Owned by ApiServer. One executor. Errors are those of the API, ready to become a Status.
class Registry {
 public:
  struct Parts {
    WatchCache& cache;
    const api::KindSet& kinds;
    const Versions& versions;
    const HookTable& hooks;
    const AdmissionChain& admission;
    Timer& timer;
    Rng& rng;
  };
  explicit Registry(Parts parts);
  ~Registry();

  Task<CachedPtr> get(Call call, Revision not_older_than = {});
  Task<ListPage> list(Call call, ListQuery query);
  Task<std::unique_ptr<Watcher>> watch(Call call, WatchQuery query);

  Task<Written> create(Call call, Body body);
  Task<Written> update(Call call, Body body);
  Task<Written> patch(Call call, PatchBody patch);
  Task<Removed> remove(Call call, DeleteQuery query);
  Task<std::vector<api::ObjectPtr>> remove_collection(Call call, ListQuery list, DeleteQuery query);

  // The scale subresource: autoscaling/v1 Scale documents.
  Task<json::Value> get_scale(Call call);
  Task<json::Value> update_scale(Call call, Body body);
  Task<json::Value> patch_scale(Call call, PatchBody patch);

  // Changes a stored object on behalf of a hook or a component of the server: no admission, no
  // check of who may touch what; validation of the kind's hooks is left out. `change` gets the
  // stored document and is called again on a conflict; an error of its own ends the operation.
  Task<api::ObjectPtr> modify(Call call, std::function<Result<>(json::Value& document)> change);

  // A POST that stores nothing of its kind (virtual resources and subresources).
  Task<VirtualReply> post(Call call, Body body);

  WatchCache& cache() { return parts_.cache; }
  const Parts& parts() const { return parts_; }
  // kNotFound where there is no such object.
  Result<CachedPtr> find(const Call& call) const;

 private:
  struct Attempt;  // one try of one write, in registry/attempt.h
  // From the live document in the version of the request (null: there is none) to the wished one.
  using Maker = std::function<Result<json::Value>(const json::Value* live)>;
  // managedFields follow from what changed, or were written by an apply already.
  enum class Ownership : uint8_t { kTrack, kWritten };
  struct UpdateRules {
    bool may_create = false;
    Ownership ownership = Ownership::kTrack;
  };

  Task<json::Value> apply_scale(Call call, PatchBody patch);
  Task<Written> create_stored(Call call, json::Value object, Ownership ownership);
  Task<Written> create_once(Attempt& attempt);
  Task<Written> replace(Call call, Maker make, UpdateRules rules);
  Task<Written> replace_once(Attempt& attempt, CachedPtr live, const Maker& make,
                             UpdateRules rules);
  Task<Written> store_update(Attempt& attempt, CachedPtr live);
  Task<Removed> remove_once(Attempt& attempt, const CachedPtr& live, const DeleteQuery& query);
  Task<> erase(Attempt& attempt, const CachedPtr& live, Revision expected);
  bool should_go(const Attempt& attempt, const json::Value& before) const;
  Task<> wait_for_revision(Revision revision);
  Task<ListPage> list_past(Call call, ListQuery query, Revision at, std::string start);
  Result<json::Value> document_for(const Call& call, const Cached& live) const;

  Parts parts_;
};

}  // namespace atl::apiserver
