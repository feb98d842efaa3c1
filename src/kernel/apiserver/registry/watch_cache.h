#pragma once

#include <deque>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "api/object/object.h"
#include "api/schema/kind.h"
#include "base/async/event.h"
#include "base/async/task.h"
#include "base/async/timer.h"
#include "kernel/apiserver/contract/reader.h"
#include "store/store.h"

namespace atl::apiserver {

// One revision of one object and what field selectors read. Immutable; shared by the index, events
// and replies.
struct Cached {
  api::ObjectPtr object;
  // Values of the kind's selectable fields, in the kind's order.
  std::vector<std::pair<std::string, std::string>> fields;

  // As FieldSelector compares: metadata.name, metadata.namespace, then `fields`.
  std::string field(const std::string& path) const;
};
using CachedPtr = std::shared_ptr<const Cached>;

// One committed change of one object, with the encodings of it that watchers asked for.
struct Change {
  Revision revision;
  CachedPtr now;     // null: deleted
  CachedPtr before;  // null: created. Carries the deletion's revision where `now` is null
  MonoTime at;
  // Wire frames by view, each made once and shared by every watcher of that view.
  mutable std::map<std::string, SharedBytes, std::less<>> frames;
};
using ChangePtr = std::shared_ptr<const Change>;

// Waits for changes of one resource. Owned by a watch; must leave the cache before it is destroyed.
struct Subscriber {
  std::function<bool(const Change&)> wants;  // cheap; false: need not wake
  Event woken;
  MonoTime wake_at;  // woken then even without a change
};

// All objects of one resource, in key order, and the recent changes. Owned by WatchCache.
class ResourceCache {
 public:
  // Changes kept: always the last kWindowMin, more while they are younger than kWindowAge, never
  // more than kWindowMax. Who needs older ones reads the store's history.
  static constexpr size_t kWindowMin = 512;
  static constexpr size_t kWindowMax = 102'400;
  static constexpr Duration kWindowAge = std::chrono::seconds(75);

  CachedPtr get(std::string_view item) const;
  using Items = std::map<std::string, CachedPtr, std::less<>>;
  const Items& items() const { return items_; }
  // The items whose key starts with `prefix` and is not below `start`.
  std::pair<Items::const_iterator, Items::const_iterator> range(std::string_view prefix,
                                                                std::string_view start) const;

  Revision changed() const { return changed_; }
  // Changes are numbered from 0; the window holds [first_change(), next_change()).
  uint64_t first_change() const { return first_; }
  uint64_t next_change() const { return first_ + window_.size(); }
  const ChangePtr& change(uint64_t number) const { return window_[number - first_]; }
  // The number of the first change after `revision`; nothing where the window starts later.
  std::optional<uint64_t> change_after(Revision revision) const;

  std::list<Subscriber*>& subscribers() { return subscribers_; }

 private:
  friend class WatchCache;
  void put(std::string item, CachedPtr object);
  void append(ChangePtr change);

  Items items_;
  std::deque<ChangePtr> window_;
  uint64_t first_ = 0;
  Revision window_from_;  // every change after this revision is in the window
  Revision changed_;
  std::list<Subscriber*> subscribers_;
  std::list<std::weak_ptr<Reader::Listener>> listeners_;
};

// The server's picture of the store: every object as shared immutable bytes, fed by the store's
// commits before the writer continues, so that it never lags behind an answered write. Owned by
// main(), outlives the server. One executor: the store's.
class WatchCache final : public Reader {
 public:
  // Loads everything. `store`, `kinds` and `timer` outlive the cache.
  static Task<std::unique_ptr<WatchCache>> open(store::Store& store, const api::KindSet& kinds,
                                                const Timer& timer);
  ~WatchCache() override;

  ResourceCache& of(std::string_view group, std::string_view resource);
  // What the cache has seen: the store's newest durable revision.
  Revision revision() const { return revision_; }
  store::Store& store() { return store_; }
  size_t objects() const;
  size_t watchers() const;

  // A stored value as a cache entry; kInternal where it cannot be read.
  Result<CachedPtr> read(const store::Stored& stored) const;
  // What goes along with a write of this document, so that the cache need not parse it again.
  // kBadRequest where it is no object.
  Result<store::WriterNotePtr> note(const json::Value& document) const;
  // An event of the store's history as a change.
  Result<ChangePtr> read(const store::Event& event) const;

  // Changed after a commit was taken in. For those who wait for a revision.
  Event& advanced() { return advanced_; }
  // Wakes the subscribers whose time has come. Called about once a second.
  void wake_due();
  // Puts every object of a resource through `refresh` (null: keep). For a changed schema of a
  // custom kind.
  void rewrite(std::string_view group, std::string_view resource,
               const std::function<api::ObjectPtr(const api::ObjectPtr&)>& refresh);

  api::ObjectPtr get(std::string_view group, std::string_view resource,
                     const api::ObjectKey& key) const override;
  void each(std::string_view group, std::string_view resource, std::string_view ns,
            const std::function<bool(const api::ObjectPtr&)>& visit) const override;
  Revision changed(std::string_view group, std::string_view resource) const override;
  std::shared_ptr<void> listen(std::string_view group, std::string_view resource,
                               Listener listener) override;

 private:
  WatchCache(store::Store& store, const api::KindSet& kinds, const Timer& timer);
  void take(const store::Event& event);
  Result<CachedPtr> committed(const store::Event& event) const;
  const ResourceCache* find(std::string_view group, std::string_view resource) const;
  CachedPtr make_cached(api::ObjectPtr object, const json::Value& document) const;
  std::vector<std::pair<std::string, std::string>> fields_of(const api::Gvk& gvk,
                                                             const json::Value& document) const;

  store::Store& store_;
  const api::KindSet& kinds_;
  const Timer& timer_;
  std::map<std::string, std::unique_ptr<ResourceCache>, std::less<>> resources_;  // by key prefix
  Revision revision_;
  Event advanced_;
  bool loaded_ = false;
  std::vector<store::Event> early_;  // committed while loading
  std::shared_ptr<void> subscription_;
};

}  // namespace atl::apiserver
