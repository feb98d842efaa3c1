#include "kernel/apiserver/registry/watcher.h"

#include <fmt/format.h>

#include <algorithm>

#include "kernel/apiserver/contract/status.h"
#include "kernel/apiserver/registry/store_keys.h"

namespace atl::apiserver {
namespace {

constexpr Duration kBookmarkEvery = std::chrono::minutes(1);
constexpr Duration kLastBookmarkBefore = std::chrono::seconds(2);
constexpr size_t kHistoryPage = 1'000;

Error too_old(Revision wanted, Revision oldest) {
  return expired(fmt::format("too old resource version: {} ({})", wanted.value, oldest.value));
}

// The last state of an object that left a selector's view: as it was, with the revision of leaving.
CachedPtr departed(const Cached& before, Revision revision) {
  auto object = api::Object::from_document(before.object->parse(), revision);
  auto cached = std::make_shared<Cached>(before);
  if (object) cached->object = *std::move(object);
  return cached;
}

}  // namespace

Watcher::Watcher(WatchCache& cache, const Timer& timer, ResourceCache& resource, std::string prefix,
                 std::string ns, WatchQuery query)
    : cache_(cache),
      timer_(timer),
      resource_(resource),
      prefix_(std::move(prefix)),
      ns_(std::move(ns)),
      query_(std::move(query)),
      deadline_(timer.monotonic() + query_.timeout),
      bookmark_at_(query_.bookmarks ? std::min(timer.monotonic() + kBookmarkEvery,
                                               deadline_ - kLastBookmarkBefore)
                                    : MonoTime::max()) {
  subscriber_.wants = [this](const Change& change) { return wants(change); };
  auto& all = resource_.subscribers();
  place_ = all.insert(all.end(), &subscriber_);
}

Watcher::~Watcher() {
  resource_.subscribers().erase(place_);
}

Task<std::unique_ptr<Watcher>> Watcher::open(WatchCache& cache, const Timer& timer,
                                             std::string group, std::string resource,
                                             std::string ns, WatchQuery query) {
  std::string prefix = resource_prefix(group, resource);
  ResourceCache& items = cache.of(group, resource);
  std::unique_ptr<Watcher> self(
      new Watcher(cache, timer, items, std::move(prefix), std::move(ns), std::move(query)));
  if (!self->query_.from || self->query_.initial_events) {
    self->take_initial_state();
    co_return std::move(self);
  }
  const Revision from = *self->query_.from;
  self->skip_until_ = from;
  self->seen_ = from;
  if (const auto cursor = items.change_after(from)) {
    self->cursor_ = *cursor;
  } else {
    self->behind_ = from;
    CO_TRY_OK(co_await self->read_history());
  }
  co_return std::move(self);
}

void Watcher::take_initial_state() {
  auto [at, end] = resource_.range(namespace_prefix(ns_), {});
  for (; at != end; ++at) {
    if (concerns(*at->second)) initial_.push_back(at->second);
  }
  initial_revision_ = cache_.revision();
  seen_ = initial_revision_;
  initial_end_due_ = query_.initial_events && query_.bookmarks;
  cursor_ = resource_.next_change();
}

bool Watcher::concerns(const Cached& object) const {
  if (!ns_.empty() && object.object->ns() != ns_) return false;
  if (!query_.labels.everything() && !query_.labels.matches(object.object->header().labels)) {
    return false;
  }
  return query_.fields.everything() ||
         query_.fields.matches([&](const std::string& field) { return object.field(field); });
}

bool Watcher::wants(const Change& change) const {
  return (change.now && concerns(*change.now)) || (change.before && concerns(*change.before));
}

std::optional<Watcher::Item> Watcher::classify(const ChangePtr& change) const {
  if (change->revision <= skip_until_) return std::nullopt;
  const bool now = change->now && concerns(*change->now);
  const bool before = change->before && concerns(*change->before);
  if (!now && !before) return std::nullopt;
  Item item{.change = change, .revision = change->revision};
  if (now) {
    item.type = before ? api::EventType::kModified : api::EventType::kAdded;
    item.object = change->now;
    return item;
  }
  item.type = api::EventType::kDeleted;
  item.object = change->now ? departed(*change->before, change->revision) : change->before;
  // The shared frame of a deletion holds the object that was deleted, not one that merely left.
  if (change->now) item.change = nullptr;
  return item;
}

// One page of the store's past, and from there into the window when it has been reached.
Task<> Watcher::read_history() {
  const Revision from = *behind_;
  const Revision seen = cache_.revision();
  auto past = co_await cache_.store().history(prefix_, from, kHistoryPage);
  if (!past && past.error().code() == Code::kGone) {
    co_return too_old(from, cache_.store().compacted());
  }
  if (!past) co_return std::move(past).error();
  for (const store::Event& event : *past) {
    CO_TRY(ChangePtr change, cache_.read(event));
    backlog_.push_back(std::move(change));
  }
  Revision reached = past->empty() ? from : past->back().now.modified;
  if (past->size() < kHistoryPage) reached = std::max(reached, seen);
  behind_ = reached;
  if (const auto cursor = resource_.change_after(reached)) {
    cursor_ = *cursor;
    behind_.reset();
  }
  co_return Unit{};
}

std::optional<Watcher::Item> Watcher::due_bookmark() {
  const MonoTime now = timer_.monotonic();
  if (now < bookmark_at_) return std::nullopt;
  const MonoTime last = deadline_ - kLastBookmarkBefore;
  bookmark_at_ = now + kBookmarkEvery;
  if (now < last && bookmark_at_ > last) bookmark_at_ = last;
  return Item{.type = api::EventType::kBookmark, .revision = cache_.revision()};
}

// What can be handed out without waiting. Nothing: all changes have been seen.
Result<std::optional<Watcher::Item>> Watcher::next_ready() {
  if (initial_at_ < initial_.size()) {
    CachedPtr object = std::move(initial_[initial_at_++]);
    const Revision revision = object->object->revision();
    return Item{.type = api::EventType::kAdded, .object = std::move(object), .revision = revision};
  }
  if (initial_end_due_) {
    initial_end_due_ = false;
    initial_.clear();
    return Item{
        .type = api::EventType::kBookmark, .revision = initial_revision_, .initial_end = true};
  }
  while (backlog_at_ < backlog_.size()) {
    const ChangePtr change = std::move(backlog_[backlog_at_++]);
    seen_ = change->revision;
    if (auto item = classify(change)) return item;
  }
  if (!backlog_.empty()) {
    backlog_ = {};
    backlog_at_ = 0;
  }
  if (behind_) return std::nullopt;
  if (cursor_ < resource_.first_change()) {
    behind_ = seen_;  // the window moved past this watcher
    return std::nullopt;
  }
  while (cursor_ < resource_.next_change()) {
    const ChangePtr& change = resource_.change(cursor_++);
    seen_ = change->revision;
    if (auto item = classify(change)) return item;
  }
  return std::nullopt;
}

Task<std::optional<Watcher::Item>> Watcher::next(MonoTime until) {
  for (;;) {
    // Also where changes come without a pause: the client begins anew from the last it saw.
    const bool over = timer_.monotonic() >= deadline_ && initial_at_ >= initial_.size();
    if (over) co_return std::nullopt;
    CO_TRY(auto ready, next_ready());
    if (ready) co_return std::move(ready);
    if (behind_) {
      CO_TRY_OK(co_await read_history());
      continue;
    }
    const MonoTime now = timer_.monotonic();
    if (auto bookmark = due_bookmark()) co_return std::move(bookmark);
    if (now >= until) {
      Item quiet{.type = api::EventType::kBookmark, .revision = cache_.revision()};
      quiet.quiet = true;
      co_return quiet;
    }
    subscriber_.wake_at = std::min({deadline_, bookmark_at_, until});
    const bool woken = co_await subscriber_.woken.wait();
    if (!woken) co_return Error(Code::kCancelled, "the watch was cancelled");
  }
}

}  // namespace atl::apiserver
