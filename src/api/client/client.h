#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "api/object/object.h"
#include "base/async/task.h"
#include "base/text/json.h"

namespace atl::api {

struct ListOptions {
  std::string ns;              // empty: all namespaces (or cluster scope)
  std::string label_selector;  // as in a URL: "app=web,tier in (a,b)"
  std::string field_selector;  // "spec.nodeName=n1"
  uint64_t limit = 0;          // 0: everything at once
  std::string continue_token;
  std::string resource_version;
};

struct ObjectList {
  std::vector<ObjectPtr> items;
  Revision revision;
  std::string continue_token;
};

struct WatchOptions {
  std::string ns;
  std::string label_selector;
  std::string field_selector;
  Revision from;  // events after this revision
};

enum class EventType : uint8_t { kAdded, kModified, kDeleted, kBookmark };

struct WatchEvent {
  EventType type;
  ObjectPtr object;   // null for a bookmark; the last state for a deletion
  Revision revision;  // what the watcher has now seen
};

// One open watch. Closed by its destructor.
class Watch {
 public:
  virtual ~Watch() = default;
  // The next event. kGone: list again. kUnavailable: the stream ended, watch again from the last
  // revision.
  virtual Task<WatchEvent> next() = 0;
};

struct WriteOptions {
  std::string field_manager;  // empty: the client's own name
  bool dry_run = false;
  std::string subresource;  // "status", "scale" ...; empty: the object itself
};

enum class PatchType : uint8_t { kJson, kMerge, kStrategic, kApply };

struct PatchOptions : WriteOptions {
  bool force = false;  // apply only: take over fields of other managers
};

struct DeleteOptions {
  std::string propagation;               // "", "Background", "Foreground", "Orphan"
  std::optional<int64_t> grace_seconds;  // pods
  std::string uid;                       // precondition where not empty
  Revision resource_version;             // precondition where not 0
};

// The Kubernetes API as components see it: in-process beside the API server, remote over HTTPS, or
// a fake in tests. Every failure is the API's own Status, as an Error. Outlives its users.
class Client {
 public:
  virtual ~Client() = default;

  virtual Task<ObjectPtr> get(Gvr resource, ObjectKey key) = 0;
  virtual Task<ObjectList> list(Gvr resource, ListOptions options) = 0;
  virtual Task<std::unique_ptr<Watch>> watch(Gvr resource, WatchOptions options) = 0;

  virtual Task<ObjectPtr> create(Gvr resource, std::string ns, json::Value document,
                                 WriteOptions options = {}) = 0;
  // document.metadata.resourceVersion set: only if unchanged since (kConflict otherwise).
  virtual Task<ObjectPtr> update(Gvr resource, ObjectKey key, json::Value document,
                                 WriteOptions options = {}) = 0;
  virtual Task<ObjectPtr> patch(Gvr resource, ObjectKey key, PatchType type, json::Value patch,
                                PatchOptions options = {}) = 0;
  virtual Task<> remove(Gvr resource, ObjectKey key, DeleteOptions options = {}) = 0;
  // POST of a virtual subresource (binding, eviction, token): the reply's document.
  virtual Task<json::Value> post(Gvr resource, ObjectKey key, std::string subresource,
                                 json::Value document) = 0;
};

}  // namespace atl::api
