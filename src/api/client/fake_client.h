#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "api/client/client.h"
#include "base/async/event.h"
#include "base/async/timer.h"
#include "base/core/rng.h"

namespace atl::api {

// One call, as a fault plan sees it.
struct FakeCall {
  std::string_view verb;  // get, list, watch, create, update, patch, delete, post
  const Gvr& resource;
  const ObjectKey& key;
  std::string_view subresource;
  bool writes() const { return verb != "get" && verb != "list" && verb != "watch"; }
};

// What goes wrong with a call.
struct Fault {
  enum class When : uint8_t {
    kBefore,  // nothing happened
    kAfter,   // it happened, and the reply was lost
  };
  When when = When::kBefore;
  Error error{Code::kUnavailable, "injected fault"};
};

// A Kubernetes API in memory, for tests and simulation: resource versions and conflicts, uids,
// generateName, generation, status as a subresource, finalizers, graceful deletion of bound pods,
// propagation policies, namespace finalization, bindings, watches with history and 410; faults on
// demand. It validates and defaults nothing, and patches by RFC 7386 only. Owned by the test; one
// executor; outlives its watches.
class FakeClient final : public Client {
 public:
  FakeClient(Timer& timer, Rng& rng) : timer_(timer), rng_(rng) {}

  Task<ObjectPtr> get(Gvr resource, ObjectKey key) override;
  Task<ObjectList> list(Gvr resource, ListOptions options) override;
  Task<std::unique_ptr<Watch>> watch(Gvr resource, WatchOptions options) override;
  Task<ObjectPtr> create(Gvr resource, std::string ns, json::Value document,
                         WriteOptions options) override;
  Task<ObjectPtr> update(Gvr resource, ObjectKey key, json::Value document,
                         WriteOptions options) override;
  Task<ObjectPtr> patch(Gvr resource, ObjectKey key, PatchType type, json::Value patch,
                        PatchOptions options) override;
  Task<> remove(Gvr resource, ObjectKey key, DeleteOptions options) override;
  Task<json::Value> post(Gvr resource, ObjectKey key, std::string subresource,
                         json::Value document) override;

  // Without a coroutine, and free of faults: how tests look and prepare.
  ObjectPtr peek(const Gvr& resource, const ObjectKey& key) const;
  std::vector<ObjectPtr> peek_all(const Gvr& resource) const;
  Result<ObjectPtr> put(const Gvr& resource,
                        json::Value document);               // create or replace, status included
  Result<> drop(const Gvr& resource, const ObjectKey& key);  // gone at once, whatever holds it
  std::vector<Gvr> resources() const;                        // that hold objects
  Revision revision() const { return revision_; }

  void set_faults(std::function<std::optional<Fault>(const FakeCall&)> plan) {
    faults_ = std::move(plan);
  }
  // How long each call takes, half of it before and half after the work: a caller that is cancelled
  // in between does not know whether it happened.
  void set_latency(std::function<Duration()> latency) { latency_ = std::move(latency); }
  // How long each event takes to reach its watcher; asked for each event.
  void set_event_delay(std::function<Duration()> delay) { event_delay_ = std::move(delay); }
  // Ends every open watch with kUnavailable.
  void break_watches();
  // Forgets history: a watch from before now gets kGone.
  void compact();
  // Tells every watcher the current revision.
  void send_bookmarks();
  size_t calls(std::string_view verb) const;

 private:
  friend class FakeWatch;
  struct Logged {
    Revision revision;
    ObjectPtr before;  // null: it is new
    ObjectPtr after;   // null: it is gone. Both null: a bookmark
  };
  struct Collection {
    std::map<ObjectKey, ObjectPtr> objects;
    std::deque<Logged> log;
    Event changed;
  };

  Collection& collection(const Gvr& resource);
  Async<void> travel();
  Result<> fault(Fault::When when, const FakeCall& call);
  void count(std::string_view verb);
  ObjectPtr commit(Collection& in, const ObjectKey& key, ObjectPtr before, json::Value document);
  void erase(Collection& in, const ObjectKey& key);
  // Stores the document, or removes the object where nothing holds it any more.
  Result<ObjectPtr> settle(const Gvr& resource, const ObjectPtr& before, json::Value document);
  Result<ObjectPtr> do_create(const Gvr& resource, const std::string& ns, json::Value document);
  Result<ObjectPtr> do_update(const Gvr& resource, const ObjectKey& key, json::Value document,
                              std::string_view sub);
  Result<> do_remove(const Gvr& resource, const ObjectKey& key, const DeleteOptions& options);
  Result<json::Value> bind(const ObjectKey& key, const json::Value& binding);

  Timer& timer_;
  Rng& rng_;
  std::map<Gvr, std::unique_ptr<Collection>> collections_;
  std::set<std::string> ended_namespaces_;  // these take nothing new
  std::map<std::string, size_t, std::less<>> calls_;
  std::function<std::optional<Fault>(const FakeCall&)> faults_;
  std::function<Duration()> event_delay_;
  std::function<Duration()> latency_;
  Revision revision_{100};
  Revision compacted_;
  uint64_t epoch_ = 0;
};

}  // namespace atl::api
