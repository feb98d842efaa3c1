#pragma once

#include <string>
#include <string_view>

#include "api/schema/schema.h"
#include "base/core/clock.h"
#include "base/core/result.h"
#include "base/text/json.h"

// Server-side apply and managedFields (structured merge): who owns which field.
// Facts: research of sigs.k8s.io/structured-merge-diff behaviour; docs/formats/managed-fields.md.
namespace atl::api {

struct ManagerId {
  std::string name;         // "kubectl"
  std::string api_version;  // of the request
  std::string subresource;  // "" or "status"
};

// After a create, update or patch: gives the changed fields of `after` (managedFields included) to the
// manager as Update and takes them from the others. `before` is null for a create.
// Caps Update managers at 10 (older ones merge into "ancient-changes"). Never fails: broken
// managedFields are reset.
void track_update(const Schema& schema, const json::Value* before, json::Value& after, const ManagerId& manager,
                  WallTime now);

struct Applied {
  json::Value document;  // merged, managedFields written
  bool changed = false;  // beyond timestamps
};
// Applies a configuration. `live` is null for a create. kConflict with one cause per conflict
// (FieldManagerConflict, message `conflict with "m" using apps/v1`, field ".spec.replicas") unless force.
Result<Applied> apply(const Schema& schema, const json::Value* live, const json::Value& config,
                      const ManagerId& manager, bool force, WallTime now);

}  // namespace atl::api
