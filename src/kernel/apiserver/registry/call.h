#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "api/client/client.h"
#include "api/codec/codec.h"
#include "api/schema/kind.h"
#include "api/select/select.h"
#include "base/core/clock.h"
#include "base/text/json.h"
#include "kernel/apiserver/contract/user.h"

namespace atl::apiserver {

enum class FieldValidation : uint8_t { kIgnore, kWarn, kStrict };

// One operation on one resource: who, what, and how the answer is wanted. Value type.
struct Call {
  api::KindPtr kind;  // of the version in the URL
  std::string subresource;
  api::ObjectKey key;   // name may be empty: the collection
  UserPtr user;         // never null
  std::string manager;  // field manager of writes
  bool dry_run = false;
  FieldValidation validation = FieldValidation::kIgnore;
  // Texts for the caller beside the answer (Warning headers). Never null.
  std::shared_ptr<std::vector<std::string>> warnings = std::make_shared<std::vector<std::string>>();
};

// A decoded request body.
struct Body {
  json::Value document;
  api::Strictness strictness;
};

// How fresh a read has to be.
enum class Freshness : uint8_t {
  kNow,           // the newest state
  kNotOlderThan,  // at least `revision`
  kExact,         // the state at `revision`
};

struct ListQuery {
  api::LabelSelector labels;
  api::FieldSelector fields;
  uint64_t limit = 0;
  std::string continue_token;
  Freshness freshness = Freshness::kNow;
  Revision revision;
};

struct WatchQuery {
  api::LabelSelector labels;
  api::FieldSelector fields;
  // Nothing: the present state as ADDED first, then what changes.
  std::optional<Revision> from;
  bool from_now = false;        // what changes from now on, without the present state
  bool initial_events = false;  // sendInitialEvents: a bookmark tells where they end
  bool bookmarks = false;
  Duration timeout = std::chrono::minutes(30);
};

struct PatchBody {
  api::PatchType type = api::PatchType::kMerge;
  Body body;
  bool force = false;  // apply only
};

struct DeleteQuery {
  std::optional<int64_t> grace_seconds;
  std::string uid;               // precondition where not empty
  std::string resource_version;  // precondition where not empty
  std::string propagation;       // "", Background, Foreground, Orphan
  std::optional<bool> orphan_dependents;
};

}  // namespace atl::apiserver
