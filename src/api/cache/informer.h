#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "api/cache/backoff.h"
#include "api/cache/seams.h"
#include "api/client/client.h"
#include "base/async/task_group.h"

namespace atl::api {

// A live copy of one collection: lists, then watches from there, and lists again only when the
// server forgot where we were (410). Holds the shared bytes of the objects, never trees. Owned by
// an InformerSet or a test; must be stopped before it is destroyed. One executor. Reads see a state
// that once was: perhaps old, never mixed up; revision() says which. Errors of list and watch are
// retried for ever with back-off and shown by last_error().
class Informer {
 public:
  // Which part of the collection; empty fields: everything.
  struct Scope {
    std::string ns;
    std::string label_selector;
    std::string field_selector;
    auto operator<=>(const Scope&) const = default;
  };
  // A change of one key. Null `before`: it is new. Null `now`: it is gone. An object replaced by
  // another of the same name is told as gone, then new. Runs inside the informer: only takes notes,
  // never waits.
  using Handler =
      std::function<void(const ObjectKey& key, const ObjectPtr& before, const ObjectPtr& now)>;
  // Appends the values under which by_index() finds the object.
  using IndexFunction = std::function<void(const Object& object, std::vector<std::string>& values)>;
  enum class Index : size_t {};

  Informer(Client& client, Seams seams, Gvr resource, Scope scope);
  ~Informer();

  ObjectPtr get(const ObjectKey& key) const;
  // Sorted by key. Empty ns: all of them.
  std::vector<ObjectPtr> list(const std::string& ns = {}) const;
  size_t size() const { return objects_.size(); }
  std::vector<ObjectPtr> by_index(Index index, const std::string& value) const;
  // Objects with an owner reference to this uid. Needs index_owners() once.
  std::vector<ObjectPtr> owned_by(const std::string& uid) const;

  // At any time; handlers and indexes first see what is there already. An index of a name that
  // exists is that index: several users share it.
  void add_handler(Handler handler);
  Index add_index(std::string_view name, IndexFunction function);
  void index_owners();

  void start();
  bool started() const { return started_; }
  Async<void> stop();
  // True once the first list has arrived; false when stopped before.
  Async<bool> synced();
  bool has_synced() const { return synced_; }

  const Gvr& resource() const { return resource_; }
  // Everything up to this revision is in the copy.
  Revision revision() const { return revision_; }
  // Of the newest attempt; empty while all is well.
  const std::string& last_error() const { return last_error_; }
  uint64_t relists() const { return relists_; }

 private:
  struct IndexData {
    std::string name;
    IndexFunction function;
    std::unordered_map<std::string, std::set<ObjectKey>> keys;
  };

  Async<void> run();
  // One list (where needed) and one watch; returns why it ended.
  Async<Error> cycle();
  Task<> list_all();
  Task<> follow();
  void apply(const WatchEvent& event);
  void set(const ObjectPtr& now);
  void erase(const ObjectKey& key);
  void index(IndexData& data, const Object& object, bool present);
  void tell(const ObjectKey& key, const ObjectPtr& before, const ObjectPtr& now);

  Client& client_;
  Seams seams_;
  Gvr resource_;
  Scope scope_;
  std::map<ObjectKey, ObjectPtr> objects_;
  std::vector<IndexData> indexes_;
  std::optional<Index> owner_index_;
  std::vector<Handler> handlers_;
  TaskGroup tasks_;
  Event synced_event_;
  Backoff backoff_;
  Revision revision_;
  std::string last_error_;
  uint64_t relists_ = 0;
  bool must_list_ = true;
  bool started_ = false;
  bool synced_ = false;
  bool stopped_ = false;
};

}  // namespace atl::api
