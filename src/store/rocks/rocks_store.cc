#include "store/rocks/rocks_store.h"

#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>
#include <thread>

#include <boost/asio/async_result.hpp>
#include <boost/asio/bind_executor.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "store/listeners.h"
#include "store/rocks/database.h"

namespace atl::store {
namespace {

using Reply = Result<std::vector<Event>>;

// Writes of one caller, and how to tell it.
struct Request {
  std::vector<Write> writes;
  std::function<void(Reply)> reply;  // called on the store's executor
};

// One commit under construction: the newest state of the keys it touches, and what it will publish.
class Group {
 public:
  Group(Database& database, Revision newest)
      : database_(database), keys_(database.key_reader()), newest_(newest) {}

  // Adds all writes of a request, or none of them.
  Reply add(std::vector<Write> writes) {
    std::vector<KeyState> states;
    for (size_t i = 0; i < writes.size(); ++i) {
      TRY(const KeyState state, state_of(writes[i].key));
      TRY_OK(check_write(writes[i], state));
      for (size_t j = 0; j < i; ++j) {
        if (writes[j].key == writes[i].key)
          return Error(Code::kInvalid, writes[i].key + " stands twice in one commit");
      }
      states.push_back(state);
    }
    std::vector<std::optional<Stored>> before;
    for (size_t i = 0; i < writes.size(); ++i) {
      TRY(auto stored, current(writes[i].key, states[i]));
      before.push_back(std::move(stored));
    }
    std::vector<Event> events;
    events.reserve(writes.size());
    for (size_t i = 0; i < writes.size(); ++i)
      events.push_back(append(std::move(writes[i]), std::move(before[i])));
    return events;
  }

  Revision newest() const { return newest_; }
  rocksdb::WriteBatch& batch() { return batch_; }

 private:
  Result<KeyState> state_of(const std::string& key) {
    if (const auto it = touched_.find(key); it != touched_.end()) return it->second.state;
    return keys_.state_of(key);
  }

  Event append(Write write, std::optional<Stored> before) {
    newest_ = newest_.next();
    const Revision created = before ? before->created : newest_;
    const bool deleted = !write.value;
    Record record{write.key, std::nullopt, created, before ? before->modified : Revision{}};
    Event event{deleted ? Event::Type::kDelete : Event::Type::kPut,
                {write.key, nullptr, created, newest_},
                std::move(before),
                std::move(write.note)};
    if (write.value) event.now.value = share(*std::move(write.value));
    if (!deleted) record.value = *event.now.value;
    put_version(record);
    batch_.Put(database_.keys(), index_key(write.key, newest_), index_value(deleted, created));
    touched_[write.key] = {{!deleted, created, newest_}, event.now};
    return event;
  }

  void put_version(const Record& record) {
    const std::string revision = version_key(newest_);
    const std::string header = record_header(newest_, record);
    const std::string_view value = record.value.value_or(std::string_view());
    const rocksdb::Slice key[] = {revision};
    const rocksdb::Slice parts[] = {
        header, {record.key.data(), record.key.size()}, {value.data(), value.size()}};
    batch_.Put(database_.versions(), {key, std::size(key)}, {parts, std::size(parts)});
  }

  Result<std::optional<Stored>> current(const std::string& key, const KeyState& state) {
    if (!state.exists) return std::optional<Stored>();
    if (const auto it = touched_.find(key); it != touched_.end())
      return std::optional<Stored>(it->second.stored);
    TRY(Stored stored, database_.load(key, state));
    return std::optional<Stored>(std::move(stored));
  }

  struct Touched {
    KeyState state;
    Stored stored;
  };
  Database& database_;
  Database::KeyReader keys_;
  Revision newest_;
  rocksdb::WriteBatch batch_;
  std::map<std::string, Touched, std::less<>> touched_;
};

class RocksEngine final : public Store {
 public:
  RocksEngine(Executor executor, std::unique_ptr<Database> database, Database::Bounds bounds,
              size_t batch_max)
      : executor_(std::move(executor)),
        database_(std::move(database)),
        batch_max_(batch_max),
        published_(bounds.newest),
        compacted_(bounds.compacted),
        committed_(bounds.newest),
        committer_([this] { work(); }) {}

  ~RocksEngine() override {
    stop();
    *alive_ = false;
  }

  Task<Event> write(Write write) override {
    std::vector<Write> writes;
    writes.push_back(std::move(write));
    CO_TRY(auto events, co_await write_all(std::move(writes)));
    co_return std::move(events.front());
  }

  Task<std::vector<Event>> write_all(std::vector<Write> writes) override {
    if (closed_) co_return Error(Code::kUnavailable, "the store is closed");
    if (writes.empty()) co_return std::vector<Event>();
    auto initiate = [this](auto handler, std::vector<Write> list) {
      auto shared = std::make_shared<decltype(handler)>(std::move(handler));
      submit({std::move(list), [shared](Reply reply) { std::move (*shared)(std::move(reply)); }});
    };
    co_return co_await asio::async_initiate<const asio::use_awaitable_t<>&, void(Reply)>(
        std::move(initiate), asio::use_awaitable, std::move(writes));
  }

  Task<std::optional<Stored>> get(std::string key, Revision at) override {
    const Revision when = at ? at : published_;
    CO_TRY_OK(check_revision(when, compacted_, published_));
    co_return database_->get(key, when);
  }

  Task<Range> range(RangeQuery query) override {
    const Revision when = query.at ? query.at : published_;
    CO_TRY_OK(check_revision(when, compacted_, published_));
    co_return database_->range(query, when);
  }

  Revision revision() const override { return published_; }
  Revision compacted() const override { return compacted_; }
  std::shared_ptr<void> subscribe(Listener listener) override {
    return listeners_.add(std::move(listener));
  }

  Task<std::vector<Event>> history(std::string prefix, Revision from, size_t limit) override {
    if (from < compacted_) {
      co_return Error(Code::kGone, "revision " + std::to_string(from.value) +
                                       " is compacted, the oldest is " +
                                       std::to_string(compacted_.value));
    }
    co_return database_->history(prefix, from, published_, limit);
  }

  Task<> compact(Revision at) override {
    if (at > published_) co_return Error(Code::kInvalid, "cannot compact the future");
    if (at <= compacted_) co_return Unit{};
    Revision done = compacted_;
    compacted_ = at;  // readers stop seeing the past before it goes
    while (done < at) {
      CO_TRY(done, co_await compact_some(done, at));
    }
    co_return Unit{};
  }

  Task<> backup(std::string folder) override { co_return database_->backup(folder); }

  Task<> close() override {
    closed_ = true;
    while (pending_ > 0) {
      co_await asio::post(executor_, asio::use_awaitable);
    }
    stop();
    co_return Unit{};
  }

 private:
  // One piece on the committer thread, between two commits: neither readers nor writers wait long.
  Task<Revision> compact_some(Revision from, Revision at) {
    if (closed_) co_return Error(Code::kUnavailable, "the store is closed");
    auto initiate = [this, from, at](auto handler) {
      auto shared = std::make_shared<decltype(handler)>(std::move(handler));
      submit([this, shared, from, at] {
        asio::post(executor_, [this, alive = alive_, shared,
                               done = database_->compact_some(from, at)]() mutable {
          if (!*alive) return;
          --pending_;
          std::move (*shared)(std::move(done));
        });
      });
    };
    co_return co_await asio::async_initiate<const asio::use_awaitable_t<>&, void(Result<Revision>)>(
        std::move(initiate), asio::use_awaitable);
  }

  void submit(Request request) { add(queue_, std::move(request)); }
  void submit(std::function<void()> chore) { add(chores_, std::move(chore)); }

  template <typename Item>
  void add(std::deque<Item>& items, Item item) {
    ++pending_;
    {
      const std::lock_guard lock(mutex_);
      items.push_back(std::move(item));
    }
    wake_.notify_one();
  }

  void stop() {
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    wake_.notify_one();
    if (committer_.joinable()) committer_.join();
  }

  // The committer thread: everything that waits goes into one durable commit, then one chore has
  // its turn.
  void work() {
    for (;;) {
      std::deque<Request> requests;
      std::function<void()> chore;
      {
        std::unique_lock lock(mutex_);
        wake_.wait(lock, [this] { return stopping_ || !queue_.empty() || !chores_.empty(); });
        if (queue_.empty() && chores_.empty()) return;
        while (!queue_.empty() && requests.size() < batch_max_) {
          requests.push_back(std::move(queue_.front()));
          queue_.pop_front();
        }
        if (!chores_.empty()) {
          chore = std::move(chores_.front());
          chores_.pop_front();
        }
      }
      if (!requests.empty()) commit(std::move(requests));
      if (chore) chore();
    }
  }

  void commit(std::deque<Request> requests) {
    Group group(*database_, committed_);
    std::vector<std::pair<Request, Reply>> outcomes;
    for (Request& request : requests) {
      Reply reply = failure_ ? Reply(*failure_) : group.add(std::move(request.writes));
      outcomes.emplace_back(std::move(request), std::move(reply));
    }
    if (group.newest() > committed_) {
      const Result<> durable = database_->commit(group.batch());
      if (durable) {
        committed_ = group.newest();
      } else {
        // Nothing of a failed commit is known to be on disk: only a full disk lets writes go on.
        if (durable.error().code() != Code::kExhausted) failure_ = durable.error();
        for (auto& [request, reply] : outcomes) {
          if (reply) reply = durable.error();
        }
      }
    }
    asio::post(executor_,
               [this, alive = alive_, newest = committed_, done = std::move(outcomes)]() mutable {
                 if (*alive) publish(newest, std::move(done));
               });
  }

  void publish(Revision newest, std::vector<std::pair<Request, Reply>> outcomes) {
    published_ = newest;
    for (const auto& [request, reply] : outcomes) {
      if (reply) listeners_.publish(*reply);
    }
    pending_ -= outcomes.size();
    for (auto& [request, reply] : outcomes) request.reply(std::move(reply));
  }

  const Executor executor_;
  const std::unique_ptr<Database> database_;
  const size_t batch_max_;

  // Of the executor.
  Revision published_, compacted_;
  Listeners listeners_;
  size_t pending_ = 0;
  bool closed_ = false;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);

  // Of the committer thread.
  Revision committed_;
  std::optional<Error> failure_;

  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<Request> queue_;
  std::deque<std::function<void()>> chores_;  // compaction, piece by piece
  bool stopping_ = false;
  std::thread committer_;  // last: starts when the rest is ready
};

}  // namespace

Result<std::unique_ptr<Store>> RocksStore::open(Executor executor, RocksOptions options) {
  const size_t batch_max = options.batch_max;
  TRY(auto database, Database::open(options));
  TRY(const auto bounds, database->bounds());
  return std::unique_ptr<Store>(
      std::make_unique<RocksEngine>(std::move(executor), std::move(database), bounds, batch_max));
}

}  // namespace atl::store
