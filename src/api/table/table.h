#pragma once

#include <span>

#include "api/object/object.h"
#include "api/schema/kind.h"
#include "base/core/clock.h"

namespace atl::api {

enum class IncludeObject : uint8_t { kNone, kMetadata, kObject };

// meta.k8s.io/v1 Table with the columns of the kind (those of `kubectl get`).
json::Value table_columns(const Kind& kind);
json::Value table_row(const Kind& kind, const json::Value& document, WallTime now, IncludeObject include);
// The whole reply to a list.
json::Value table(const Kind& kind, std::span<const ObjectPtr> objects, Revision revision,
                  std::string_view continue_token, WallTime now, IncludeObject include);
// meta.k8s.io/v1 PartialObjectMetadata of a document.
json::Value partial_metadata(const json::Value& document);

// "5m", "3d4h": as kubectl prints ages.
std::string human_duration(Duration duration);

}  // namespace atl::api
