#pragma once

#include <string>
#include <vector>

#include "kernel/apiserver/registry/registry.h"

namespace atl::apiserver {

// One try of one write: the document on its way from the request to the store, and what hooks hold
// for it. Lives in the coroutine of the operation.
struct Registry::Attempt {
  Attempt(const Parts& p, const Call& c)
      : parts(p),
        call(c),
        kind(p.versions.stored(c.kind)),
        hooks(p.hooks.of(kind->gvr)),
        now(p.timer.now()) {}
  ~Attempt() { settle(false); }
  Attempt(const Attempt&) = delete;
  Attempt& operator=(const Attempt&) = delete;

  AdmissionRequest admission_request(Operation operation);
  WriteContext context();

  // A prepare() of each hook; the schema's and the hooks' findings; a reserve() of each hook.
  Result<> prepare();
  Result<> check();
  Result<> reserve();
  // The end of every reservation that was made. Once; further calls do nothing.
  void settle(bool stored);

  std::string name() const { return std::string(json::string_at(object, {"metadata", "name"})); }
  std::string store_key() const;
  std::string group_resource() const { return call.kind->gvr.group_resource(); }

  const Parts& parts;
  const Call& call;
  const api::KindPtr kind;  // stored version
  const std::vector<std::unique_ptr<KindHook>>& hooks;
  const WallTime now;
  json::Value object;                      // the new state
  std::optional<json::Value> old;          // the state before
  bool lost_race = false;                  // somebody else changed the object meanwhile: try again
  bool marking = false;                    // a deletion marks the object
  size_t reserved = 0;                     // hooks [0, reserved) hold something
  std::optional<AdmissionRequest> agreed;  // validating admission said yes to this
};

// Sets deletionTimestamp, deletionGracePeriodSeconds and generation as a deletion with `grace`
// does.
void mark_deleting(json::Value& object, WallTime now, int64_t grace);
// Is everything but metadata (and status where the kind has that subresource) the same?
bool same_content(const api::Kind& kind, const json::Value& a, const json::Value& b);

}  // namespace atl::apiserver
