#include "api/cache/informer.h"

#include <algorithm>

#include "base/core/check.h"
#include "base/observe/log.h"

namespace atl::api {
namespace {

constexpr Backoff::Options kRetry{.first = std::chrono::milliseconds(50),
                                  .most = std::chrono::seconds(30)};

// A watch that lived this long was healthy: the next attempt starts without delay.
constexpr Duration kHealthyWatch = std::chrono::seconds(5);

}  // namespace

Informer::Informer(Client& client, Seams seams, Gvr resource, Scope scope)
    : client_(client),
      seams_(seams),
      resource_(std::move(resource)),
      scope_(std::move(scope)),
      tasks_(seams.executor),
      backoff_(kRetry) {}

Informer::~Informer() = default;

ObjectPtr Informer::get(const ObjectKey& key) const {
  const auto it = objects_.find(key);
  return it == objects_.end() ? nullptr : it->second;
}

std::vector<ObjectPtr> Informer::list(const std::string& ns) const {
  std::vector<ObjectPtr> out;
  // Keys are ordered by namespace first.
  for (auto it = objects_.lower_bound({ns, {}});
       it != objects_.end() && (ns.empty() || it->first.ns == ns); ++it) {
    out.push_back(it->second);
  }
  return out;
}

std::vector<ObjectPtr> Informer::by_index(Index index, const std::string& value) const {
  std::vector<ObjectPtr> out;
  const IndexData& data = indexes_.at(size_t(index));
  const auto keys = data.keys.find(value);
  if (keys == data.keys.end()) return out;
  for (const ObjectKey& key : keys->second) out.push_back(objects_.at(key));
  return out;
}

std::vector<ObjectPtr> Informer::owned_by(const std::string& uid) const {
  CHECK(owner_index_.has_value());
  return by_index(*owner_index_, uid);
}

void Informer::add_handler(Handler handler) {
  for (const auto& [key, object] : objects_) handler(key, nullptr, object);
  handlers_.push_back(std::move(handler));
}

Informer::Index Informer::add_index(std::string_view name, IndexFunction function) {
  const auto known = std::find_if(indexes_.begin(), indexes_.end(),
                                  [&](const IndexData& data) { return data.name == name; });
  if (known != indexes_.end()) return Index(known - indexes_.begin());
  indexes_.push_back({std::string(name), std::move(function), {}});
  for (const auto& [key, object] : objects_) index(indexes_.back(), *object, true);
  return Index(indexes_.size() - 1);
}

void Informer::index_owners() {
  if (owner_index_) return;
  owner_index_ = add_index("owner", [](const Object& object, std::vector<std::string>& values) {
    for (const OwnerRef& owner : object.header().owners) values.push_back(owner.uid);
  });
}

void Informer::start() {
  if (started_) return;
  started_ = tasks_.spawn("informer " + resource_.group_resource(), [this] { return run(); });
}

Async<void> Informer::stop() {
  stopped_ = true;
  synced_event_.notify();
  co_await tasks_.stop();
}

Async<bool> Informer::synced() {
  while (!synced_ && !stopped_) {
    const bool woken = co_await synced_event_.wait();
    if (!woken) co_return false;
  }
  co_return synced_;
}

Async<void> Informer::run() {
  while (!stopped_) {
    const MonoTime begun = seams_.timer->monotonic();
    const Error error = co_await cycle();
    if (error.code() == Code::kCancelled) co_return;
    if (error.code() == Code::kGone) must_list_ = true;
    if (seams_.timer->monotonic() - begun >= kHealthyWatch) {
      backoff_.reset();
    } else {
      last_error_ = error.message();
      log::debug("informer retries", {{"resource", resource_.group_resource()}, {"error", error}});
    }
    const bool slept = co_await seams_.timer->sleep_for(backoff_.next(*seams_.rng));
    if (!slept) co_return;
  }
}

Async<Error> Informer::cycle() {
  if (must_list_) {
    Result<> listed = co_await list_all();
    if (!listed) co_return std::move(listed).error();
  }
  must_list_ = false;
  last_error_.clear();
  Result<> ended = co_await follow();
  if (ended) co_return Error(Code::kUnavailable, "the watch ended");
  co_return std::move(ended).error();
}

Task<> Informer::list_all() {
  ListOptions options;
  options.ns = scope_.ns;
  options.label_selector = scope_.label_selector;
  options.field_selector = scope_.field_selector;
  std::map<ObjectKey, ObjectPtr> fresh;
  Revision revision;
  do {
    CO_TRY(const ObjectList page, co_await client_.list(resource_, options));
    for (const ObjectPtr& object : page.items) fresh.emplace(object->key(), object);
    revision = page.revision;
    options.continue_token = page.continue_token;
  } while (!options.continue_token.empty());

  ++relists_;
  // The revision first: a handler that asks what the copy includes must get the truth.
  revision_ = revision;
  std::vector<ObjectKey> gone;
  for (const auto& [key, object] : objects_) {
    if (!fresh.contains(key)) gone.push_back(key);
  }
  for (const ObjectKey& key : gone) erase(key);
  for (const auto& [key, object] : fresh) set(object);
  synced_ = true;
  synced_event_.notify();
  co_return Unit{};
}

Task<> Informer::follow() {
  WatchOptions options{.ns = scope_.ns,
                       .label_selector = scope_.label_selector,
                       .field_selector = scope_.field_selector,
                       .from = revision_};
  CO_TRY(const std::unique_ptr<Watch> watch, co_await client_.watch(resource_, options));
  while (true) {
    CO_TRY(const WatchEvent event, co_await watch->next());
    apply(event);
  }
}

void Informer::apply(const WatchEvent& event) {
  if (event.revision > revision_) revision_ = event.revision;
  switch (event.type) {
    case EventType::kAdded:
    case EventType::kModified:
      set(event.object);
      break;
    case EventType::kDeleted:
      erase(event.object->key());
      break;
    case EventType::kBookmark:
      break;
  }
}

void Informer::set(const ObjectPtr& now) {
  ObjectPtr& slot = objects_[now->key()];
  if (slot && slot->uid() != now->uid()) {
    erase(now->key());
    set(now);
    return;
  }
  if (slot && slot->revision() == now->revision()) return;
  const ObjectPtr before = slot;
  slot = now;
  for (IndexData& data : indexes_) {
    if (before) index(data, *before, false);
    index(data, *now, true);
  }
  tell(now->key(), before, now);
}

void Informer::erase(const ObjectKey& key) {
  const auto it = objects_.find(key);
  if (it == objects_.end()) return;
  const ObjectPtr before = it->second;
  objects_.erase(it);
  for (IndexData& data : indexes_) index(data, *before, false);
  tell(before->key(), before, nullptr);
}

void Informer::index(IndexData& data, const Object& object, bool present) {
  std::vector<std::string> values;
  data.function(object, values);
  for (const std::string& value : values) {
    if (present) {
      data.keys[value].insert(object.key());
      continue;
    }
    const auto it = data.keys.find(value);
    if (it == data.keys.end()) continue;
    it->second.erase(object.key());
    if (it->second.empty()) data.keys.erase(it);
  }
}

void Informer::tell(const ObjectKey& key, const ObjectPtr& before, const ObjectPtr& now) {
  for (const Handler& handler : handlers_) handler(key, before, now);
}

}  // namespace atl::api
