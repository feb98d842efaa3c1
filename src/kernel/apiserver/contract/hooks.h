#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "api/object/object.h"
#include "api/schema/kind.h"
#include "api/validate/validate.h"
#include "base/async/task.h"
#include "base/core/clock.h"
#include "base/net/http.h"
#include "kernel/apiserver/contract/user.h"

// What the data of a kind cannot say: small named hooks beside kinds, put into a table by main().
// Nothing else in the server knows a kind by name.
namespace atl::apiserver {

class Registry;

// One write of a stored object as its hook sees it. `object` and `old` are whole documents of the
// storage version, also for subresources.
struct WriteContext {
  const api::Kind& kind;
  std::string subresource;  // "" for the object itself
  api::ObjectKey key;
  UserPtr user;
  bool dry_run = false;
  WallTime now;
  json::Value* object = nullptr;     // prepare() and reserve() may change it
  const json::Value* old = nullptr;  // null for a creation
};

// Rules of one kind. Used on the server's executor; outlives it.
class KindHook {
 public:
  virtual ~KindHook() = default;
  virtual std::string_view name() const = 0;  // "service.cluster_ip"
  // Nodes register with their status; everything else starts without one.
  virtual bool keeps_status_on_create() const;
  // After defaulting and mutating admission, before validation: sets fields that the user may not,
  // keeps fields that an update may not drop.
  virtual Result<> prepare(WriteContext& write) const;
  // Findings beyond the schema and metadata rules (immutable fields, cross-field rules).
  virtual api::Findings validate(const WriteContext& write) const;
  // Directly before the store: claims what must be unique (an address). Called for dry runs too.
  virtual Result<> reserve(WriteContext& write);
  // Once for every reserve() that succeeded: keeps the claim, or gives it back.
  virtual void settle(const WriteContext& write, bool stored);
  // May this object be deleted? (kForbidden for the namespace "default")
  virtual Result<> check_delete(const json::Value& object) const;
  // True: the object has to stay, marked as being deleted, until somebody else is done with it
  // (a namespace with contents). May change the object when it is marked, and when it is asked
  // again.
  virtual bool holds_deletion(json::Value& object) const;
  // Seconds of grace where the deletion asks for none; nothing: removed at once.
  virtual std::optional<int64_t> grace_seconds(const json::Value& object,
                                               std::optional<int64_t> asked) const;
  // The object left the store.
  virtual void removed(const api::Object& last);
};

// A POST that stores nothing of its own kind: reviews, and pods/binding, pods/eviction,
// serviceaccounts/token.
struct VirtualRequest {
  const api::Kind& kind;
  std::string subresource;  // "" for a virtual resource (subjectaccessreviews)
  api::ObjectKey key;
  UserPtr user;
  bool dry_run = false;
  WallTime now;
  json::Value body;       // decoded and defaulted by the subresource's schema
  api::ObjectPtr parent;  // the object the subresource belongs to; null for virtual resources
  Registry* registry = nullptr;  // changes stored objects on behalf of the request
};
struct VirtualReply {
  int status = 201;
  json::Value document;
};
class VirtualHook {
 public:
  virtual ~VirtualHook() = default;
  virtual std::string_view name() const = 0;  // "pod.eviction"
  virtual Task<VirtualReply> post(VirtualRequest request) = 0;
};

// A stream: pods/log, exec, attach. Answers through the responder, or returns an error before it
// did.
struct ConnectRequest {
  const api::Kind& kind;
  std::string subresource;
  api::ObjectKey key;
  UserPtr user;
  api::ObjectPtr parent;
  net::Request http;
  net::Query query;
  std::string rest;  // path behind the subresource
};
class ConnectHook {
 public:
  virtual ~ConnectHook() = default;
  virtual std::string_view name() const = 0;  // "pod.exec"
  virtual Task<> connect(ConnectRequest request, net::Responder& responder) = 0;
};

// Hooks by group and resource (all versions) and subresource. Filled by main() before the server
// starts.
class HookTable {
 public:
  void add(std::string group, std::string resource, std::unique_ptr<KindHook> hook);
  void add(std::string group, std::string resource, std::string subresource,
           std::unique_ptr<VirtualHook> hook);
  void add(std::string group, std::string resource, std::string subresource,
           std::unique_ptr<ConnectHook> hook);

  // A subresource that is one part of the object (certificatesigningrequests/approval writes
  // status.conditions): GET, PUT and PATCH there change nothing but `path`. "status" is known
  // anyhow.
  void add_part(std::string group, std::string resource, std::string subresource,
                std::vector<std::string> path);

  // A document at a path that is no resource ("/openid/v1/jwks"), made anew for each GET and
  // authorized as every path.
  using Document = std::function<json::Value()>;
  void add_document(std::string path, Document make);

  // In the order of registration; empty where there are none.
  const std::vector<std::unique_ptr<KindHook>>& of(const api::Gvr& resource) const;
  VirtualHook* virtual_hook(const api::Gvr& resource, std::string_view subresource) const;
  ConnectHook* connect_hook(const api::Gvr& resource, std::string_view subresource) const;
  // Null where it is not a part.
  const std::vector<std::string>* part(const api::Gvr& resource,
                                       std::string_view subresource) const;
  // Null where there is none.
  const Document* document(std::string_view path) const;

 private:
  using Path = std::tuple<std::string, std::string, std::string>;  // group, resource, subresource
  std::map<std::pair<std::string, std::string>, std::vector<std::unique_ptr<KindHook>>> kinds_;
  std::map<Path, std::unique_ptr<VirtualHook>> virtuals_;
  std::map<Path, std::unique_ptr<ConnectHook>> connects_;
  std::map<Path, std::vector<std::string>> parts_;
  std::map<std::string, Document, std::less<>> documents_;
};

}  // namespace atl::apiserver
