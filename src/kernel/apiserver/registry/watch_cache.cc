#include "kernel/apiserver/registry/watch_cache.h"

#include <algorithm>

#include "api/select/select.h"
#include "base/observe/log.h"
#include "kernel/apiserver/registry/store_keys.h"
#include "kernel/apiserver/registry/stored_object.h"

namespace atl::apiserver {
namespace {
constexpr size_t kLoadPage = 2'000;

// What a writer in this process knows of the object it stores: all of an entry but its revision.
struct KnownObject final : store::WriterNote {
  api::Header header;
  std::vector<std::pair<std::string, std::string>> fields;
};
}  // namespace

std::string Cached::field(const std::string& path) const {
  if (path == "metadata.name") return object->name();
  if (path == "metadata.namespace") return object->ns();
  for (const auto& [name, value] : fields) {
    if (name == path) return value;
  }
  return {};
}

CachedPtr ResourceCache::get(std::string_view item) const {
  const auto at = items_.find(item);
  return at == items_.end() ? nullptr : at->second;
}

std::pair<ResourceCache::Items::const_iterator, ResourceCache::Items::const_iterator>
ResourceCache::range(std::string_view prefix, std::string_view start) const {
  const auto end = prefix.empty() ? items_.end() : items_.lower_bound(store::prefix_end(prefix));
  // A start behind the prefix (a forged continue token) finds nothing.
  if (!prefix.empty() && start >= store::prefix_end(prefix)) return {end, end};
  return {items_.lower_bound(std::max(prefix, start)), end};
}

std::optional<uint64_t> ResourceCache::change_after(Revision revision) const {
  if (revision < window_from_) return std::nullopt;
  const auto at = std::upper_bound(
      window_.begin(), window_.end(), revision,
      [](Revision wanted, const ChangePtr& change) { return wanted < change->revision; });
  return first_ + uint64_t(at - window_.begin());
}

void ResourceCache::put(std::string item, CachedPtr object) {
  items_.insert_or_assign(std::move(item), std::move(object));
}

void ResourceCache::append(ChangePtr change) {
  changed_ = change->revision;
  const MonoTime now = change->at;
  window_.push_back(std::move(change));
  while (window_.size() > kWindowMin &&
         (window_.size() > kWindowMax || now - window_.front()->at > kWindowAge)) {
    window_from_ = window_.front()->revision;
    window_.pop_front();
    ++first_;
  }
}

WatchCache::WatchCache(store::Store& store, const api::KindSet& kinds, const Timer& timer)
    : store_(store), kinds_(kinds), timer_(timer) {}

WatchCache::~WatchCache() = default;

Task<std::unique_ptr<WatchCache>> WatchCache::open(store::Store& store, const api::KindSet& kinds,
                                                   const Timer& timer) {
  std::unique_ptr<WatchCache> cache(new WatchCache(store, kinds, timer));
  WatchCache* self = cache.get();
  cache->subscription_ = store.subscribe([self](std::span<const store::Event> events) {
    for (const store::Event& event : events) {
      if (self->loaded_) {
        self->take(event);
      } else {
        self->early_.push_back(event);
      }
    }
    if (self->loaded_) self->advanced_.notify();
  });
  const Revision at = store.revision();
  store::RangeQuery query{
      .begin = "/", .end = store::prefix_end("/"), .limit = kLoadPage, .at = at};
  while (at) {
    CO_TRY(const store::Range page, co_await store.range(query));
    for (const store::Stored& stored : page.items) {
      const auto key = read_store_key(stored.key);
      if (!key) continue;
      CO_TRY(CachedPtr cached, self->read(stored));
      self->of(key->group, key->resource).put(std::string(key->item), std::move(cached));
    }
    if (!page.more || page.items.empty()) break;
    query.begin = page.items.back().key + '\0';
  }
  for (auto& [prefix, resource] : cache->resources_) {
    resource->window_from_ = at;
    resource->changed_ = at;
  }
  cache->revision_ = at;
  cache->loaded_ = true;
  for (const store::Event& event : self->early_) {
    if (event.now.modified > at) self->take(event);
  }
  self->early_.clear();
  co_return std::move(cache);
}

ResourceCache& WatchCache::of(std::string_view group, std::string_view resource) {
  const std::string prefix = resource_prefix(group, resource);
  auto& slot = resources_[prefix];
  if (!slot) {
    slot = std::make_unique<ResourceCache>();
    // Nothing of this resource exists, and nothing of it changed since the cache was loaded.
    slot->window_from_ = revision_;
  }
  return *slot;
}

const ResourceCache* WatchCache::find(std::string_view group, std::string_view resource) const {
  const auto at = resources_.find(resource_prefix(group, resource));
  return at == resources_.end() ? nullptr : at->second.get();
}

std::vector<std::pair<std::string, std::string>> WatchCache::fields_of(
    const api::Gvk& gvk, const json::Value& document) const {
  std::vector<std::pair<std::string, std::string>> fields;
  if (const api::KindPtr kind = kinds_.find(gvk)) {
    for (const std::string& field : kind->selectable_fields)
      fields.emplace_back(field, api::field_text(document, field));
  }
  return fields;
}

CachedPtr WatchCache::make_cached(api::ObjectPtr object, const json::Value& document) const {
  auto cached = std::make_shared<Cached>();
  cached->fields = fields_of(object->header().gvk, document);
  cached->object = std::move(object);
  return cached;
}

Result<store::WriterNotePtr> WatchCache::note(const json::Value& document) const {
  auto known = std::make_shared<KnownObject>();
  TRY(known->header, api::Object::header_of(document));
  known->fields = fields_of(known->header.gvk, document);
  return store::WriterNotePtr(std::move(known));
}

Result<CachedPtr> WatchCache::committed(const store::Event& event) const {
  const auto* known = dynamic_cast<const KnownObject*>(event.note.get());
  if (!known) return read(event.now);
  TRY(std::string text, decode_stored(*event.now.value, event.now.modified));
  api::Header header = known->header;
  header.revision = event.now.modified;
  auto cached = std::make_shared<Cached>();
  cached->fields = known->fields;
  cached->object = api::Object::from_parts(std::move(header), std::move(text));
  return cached;
}

Result<CachedPtr> WatchCache::read(const store::Stored& stored) const {
  TRY(std::string text, decode_stored(*stored.value, stored.modified));
  json::Value document;
  TRY(api::ObjectPtr object, api::Object::from_text(std::move(text), document));
  return make_cached(std::move(object), document);
}

Result<ChangePtr> WatchCache::read(const store::Event& event) const {
  auto change = std::make_shared<Change>();
  change->revision = event.now.modified;
  change->at = timer_.monotonic();
  const bool deleted = event.type == store::Event::Type::kDelete;
  if (!deleted) {
    TRY(change->now, read(event.now));
  }
  if (event.previous) {
    store::Stored before = *event.previous;
    if (deleted) before.modified = event.now.modified;
    TRY(change->before, read(before));
  }
  return change;
}

// What stands in the store was written through encode_stored(): a value that cannot be read is a
// fault of ours. The cache goes on without it and says so.
void WatchCache::take(const store::Event& event) {
  revision_ = event.now.modified;
  const auto key = read_store_key(event.now.key);
  if (!key) return;
  ResourceCache& resource = of(key->group, key->resource);
  auto change = std::make_shared<Change>();
  change->revision = event.now.modified;
  change->at = timer_.monotonic();
  change->before = resource.get(key->item);
  if (event.type == store::Event::Type::kPut) {
    auto now = committed(event);
    if (!now) {
      log::error("stored object cannot be read", {{"key", event.now.key}, {"error", now.error()}});
      return;
    }
    change->now = *std::move(now);
    resource.put(std::string(key->item), change->now);
  } else {
    resource.items_.erase(std::string(key->item));
    if (event.previous) {
      store::Stored last = *event.previous;
      last.modified = event.now.modified;
      if (auto before = read(last)) change->before = *std::move(before);
    }
  }
  const api::ObjectPtr now = change->now ? change->now->object : nullptr;
  const api::ObjectPtr before = change->before ? change->before->object : nullptr;
  resource.append(change);
  for (Subscriber* subscriber : resource.subscribers_) {
    if (subscriber->wants(*change)) subscriber->woken.notify();
  }
  for (auto at = resource.listeners_.begin(); at != resource.listeners_.end();) {
    const auto listener = at->lock();
    if (listener) (*listener)(now, before);
    at = listener ? std::next(at) : resource.listeners_.erase(at);
  }
}

size_t WatchCache::objects() const {
  size_t count = 0;
  for (const auto& [prefix, resource] : resources_) count += resource->items().size();
  return count;
}

size_t WatchCache::watchers() const {
  size_t count = 0;
  for (const auto& [prefix, resource] : resources_) count += resource->subscribers_.size();
  return count;
}

void WatchCache::wake_due() {
  const MonoTime now = timer_.monotonic();
  for (auto& [prefix, resource] : resources_) {
    for (Subscriber* subscriber : resource->subscribers_) {
      if (subscriber->wake_at <= now) subscriber->woken.notify();
    }
  }
}

void WatchCache::rewrite(std::string_view group, std::string_view resource,
                         const std::function<api::ObjectPtr(const api::ObjectPtr&)>& refresh) {
  for (auto& [item, cached] : of(group, resource).items_) {
    if (api::ObjectPtr fresh = refresh(cached->object)) {
      cached = make_cached(fresh, fresh->parse());
    }
  }
}

api::ObjectPtr WatchCache::get(std::string_view group, std::string_view resource,
                               const api::ObjectKey& key) const {
  const ResourceCache* found = find(group, resource);
  const CachedPtr cached = found ? found->get(item_key(key)) : nullptr;
  return cached ? cached->object : nullptr;
}

void WatchCache::each(std::string_view group, std::string_view resource, std::string_view ns,
                      const std::function<bool(const api::ObjectPtr&)>& visit) const {
  const ResourceCache* found = find(group, resource);
  if (!found) return;
  auto [at, end] = found->range(namespace_prefix(ns), {});
  for (; at != end; ++at) {
    if (!visit(at->second->object)) return;
  }
}

Revision WatchCache::changed(std::string_view group, std::string_view resource) const {
  const ResourceCache* found = find(group, resource);
  return found ? found->changed() : Revision{};
}

std::shared_ptr<void> WatchCache::listen(std::string_view group, std::string_view resource,
                                         Listener listener) {
  auto handle = std::make_shared<Listener>(std::move(listener));
  of(group, resource).listeners_.push_back(handle);
  return handle;
}

}  // namespace atl::apiserver
