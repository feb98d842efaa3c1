#pragma once

#include <string>
#include <string_view>

#include "api/schema/schema.h"
#include "base/core/clock.h"
#include "base/core/result.h"
#include "base/text/json.h"

// Server-side apply and managedFields (structured merge): who owns which field.
// docs/formats/managed-fields.md says what is stored; the folder's README where to look.
// Documents are in the version of the request. What a subresource may not touch (status from the
// main endpoint, spec from /status) is reset by the caller before.
namespace atl::api {

struct ManagerId {
  std::string name;         // "kubectl"; "unknown" where empty
  std::string api_version;  // of the request
  std::string subresource;  // "" or "status"
};

// After a create, update or patch: gives the changed fields of `after` (managedFields included) to
// the manager as Update and takes them from the others. `before` is null for a create. A client may
// edit managedFields itself, except through a subresource; an empty list resets them, and nothing
// is tracked until the next apply. Never fails: broken managedFields are replaced by those before.
// Where nothing changed, managedFields stay as they were, to the byte.
void track_update(const Schema& schema, const json::Value* before, json::Value& after,
                  const ManagerId& manager, WallTime now);

struct Applied {
  json::Value document;  // merged, managedFields written; defaults are the caller's next step
  bool changed = false;  // beyond timestamps
};
// Applies a configuration. `live` is null for a create. kConflict with one cause per conflict
// (FieldManagerConflict, message `conflict with "m" using apps/v1`, field ".spec.replicas") unless
// force. kBadRequest where the configuration carries managedFields, another apiVersion, or does not
// fit the schema. The manager "kubectl" takes over without conflict what its client-side apply
// wrote.
Result<Applied> apply(const Schema& schema, const json::Value* live, const json::Value& config,
                      const ManagerId& manager, bool force, WallTime now);

}  // namespace atl::api
