#pragma once

#include <span>

#include "api/object/object.h"
#include "api/schema/kind.h"
#include "base/core/clock.h"

// Tables as `kubectl get` prints them, and objects cut down to their metadata. A cell comes from
// the column's JSON path, or from a printer function by name (printers_impl.h). Cells never fail:
// where a document does not hold what is asked, the cell says what kubectl users know ("<none>",
// "<unknown>", null).
namespace atl::api {

enum class IncludeObject : uint8_t { kNone, kMetadata, kObject };

// meta.k8s.io/v1 Table with the columns of the kind (those of `kubectl get`): the array
// columnDefinitions.
json::Value table_columns(const Kind& kind);
// One row: {"cells":[...],"object":...}. Pods that ended carry a condition.
json::Value table_row(const Kind& kind, const json::Value& document, WallTime now,
                      IncludeObject include);
// The whole reply to a list.
json::Value table(const Kind& kind, std::span<const ObjectPtr> objects, Revision revision,
                  std::string_view continue_token, WallTime now, IncludeObject include);
// A Table around rows made before: a watch event's, or a list's. Empty `columns` (a null value)
// leaves columnDefinitions empty, as events after the first may.
json::Value table_of(json::Value columns, json::Array rows, Revision revision,
                     std::string_view continue_token);

// meta.k8s.io/v1 PartialObjectMetadata of a document.
json::Value partial_metadata(const json::Value& document);

// "5m", "3d4h": as kubectl prints ages. "<invalid>" for times in the future.
std::string human_duration(Duration duration);

// Names of printers that columns of the set ask for and that do not exist. For tests.
std::vector<std::string> missing_printers(const KindSet& kinds);

}  // namespace atl::api
