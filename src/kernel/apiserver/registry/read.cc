// GET and LIST. The cache never lags behind an answered write, so that it serves every read of the
// present; the store serves states of the past (pages of an older list,
// resourceVersionMatch=Exact).
#include <fmt/format.h>

#include <algorithm>

#include "kernel/apiserver/contract/status.h"
#include "kernel/apiserver/registry/continue_token.h"
#include "kernel/apiserver/registry/registry.h"
#include "kernel/apiserver/registry/store_keys.h"

namespace atl::apiserver {
namespace {

constexpr Duration kRevisionWait = std::chrono::seconds(3);

// Tells clients of a list whose state was forgotten how to go on without starting again.
Error expired_list(std::string_view start) {
  const std::string token = encode_continue({std::nullopt, std::string(start)});
  return expired(
             "The provided continue parameter is too old to display a consistent list result. You "
             "can "
             "start a new list without the continue parameter, or use the continue token in this "
             "response to retrieve the remainder of the results. Continuing with the provided "
             "token "
             "results in an inconsistent list - objects that were created, modified, or deleted "
             "between the time the first chunk was returned and now may show up in the list.")
      .with_cause({std::string(kContinueToken), token, ""});
}

bool selects(const ListQuery& query, const Cached& item) {
  if (!query.labels.everything() && !query.labels.matches(item.object->header().labels))
    return false;
  return query.fields.everything() ||
         query.fields.matches([&](const std::string& field) { return item.field(field); });
}

bool selects_all(const ListQuery& query) {
  return query.labels.everything() && query.fields.everything();
}

}  // namespace

Task<> Registry::wait_for_revision(Revision revision) {
  if (revision <= cache().revision()) co_return Unit{};
  auto& timer = const_cast<Timer&>(parts_.timer);
  const MonoTime deadline = timer.monotonic() + kRevisionWait;
  while (cache().revision() < revision) {
    const Duration left = deadline - timer.monotonic();
    if (left <= Duration(0)) co_return too_large_revision(revision.value, cache().revision().value);
    const bool advanced = co_await cache().advanced().wait_for(timer, left);
    (void)advanced;  // the loop looks at revision and deadline again
  }
  co_return Unit{};
}

Result<CachedPtr> Registry::find(const Call& call) const {
  const api::KindPtr stored = parts_.versions.stored(call.kind);
  CachedPtr found = parts_.cache.of(stored->gvr.group, stored->gvr.resource)
                        .get(item_key({stored->namespaced ? call.key.ns : "", call.key.name}));
  if (!found) return not_found(call.kind->gvr.group_resource(), call.key.name);
  return found;
}

Task<CachedPtr> Registry::get(Call call, Revision not_older_than) {
  CO_TRY_OK(co_await wait_for_revision(not_older_than));
  co_return find(call);
}

Task<ListPage> Registry::list(Call call, ListQuery query) {
  query.fields = parts_.versions.stored_fields(*call.kind, query.fields);
  std::string start;
  Revision at = query.revision;
  bool past = query.freshness == Freshness::kExact;
  if (!query.continue_token.empty()) {
    CO_TRY(const ContinueToken token, decode_continue(query.continue_token));
    start = token.start;
    past = token.revision.has_value();
    at = token.revision.value_or(Revision{});
  }
  CO_TRY_OK(co_await wait_for_revision(at));
  const api::KindPtr stored = parts_.versions.stored(call.kind);
  ResourceCache& resource = cache().of(stored->gvr.group, stored->gvr.resource);
  if (past) {
    if (at < cache().store().compacted()) {
      if (!start.empty()) co_return expired_list(start);
      co_return expired(fmt::format("The resourceVersion for the provided list is too old."));
    }
    // Nothing of the resource changed since: the present state is that state.
    if (resource.changed() > at) co_return co_await list_past(call, query, at, start);
  }
  ListPage page{.revision = past ? at : cache().revision()};
  auto [item, end] = resource.range(namespace_prefix(call.key.ns), start);
  for (; item != end; ++item) {
    if (!selects(query, *item->second)) continue;
    if (query.limit != 0 && page.items.size() == query.limit) {
      page.next = encode_continue({page.revision, item->first});
      if (selects_all(query)) page.remaining = uint64_t(std::distance(item, end));
      break;
    }
    page.items.push_back(item->second);
  }
  co_return page;
}

Task<ListPage> Registry::list_past(Call call, ListQuery query, Revision at, std::string start) {
  const api::KindPtr stored = parts_.versions.stored(call.kind);
  const std::string prefix = resource_prefix(stored->gvr.group, stored->gvr.resource);
  const std::string within = namespace_prefix(call.key.ns);
  const std::string end = store::prefix_end(prefix + within);
  store::RangeQuery range{.begin = prefix + std::max(within, start), .end = end, .at = at};
  range.limit = query.limit == 0 || !selects_all(query) ? 0 : query.limit + 1;
  ListPage page{.revision = at};
  if (range.begin >= end) co_return page;
  auto found = co_await cache().store().range(range);
  if (!found && found.error().code() == Code::kGone) co_return expired_list(start);
  if (!found) co_return std::move(found).error();
  for (const store::Stored& item : found->items) {
    CO_TRY(CachedPtr cached, cache().read(item));
    if (!selects(query, *cached)) continue;
    if (query.limit != 0 && page.items.size() == query.limit) {
      page.next = encode_continue({at, item.key.substr(prefix.size())});
      break;
    }
    page.items.push_back(std::move(cached));
  }
  if (!page.next.empty() && selects_all(query)) {
    range.begin = page.items.empty() ? range.begin
                                     : prefix + item_key(page.items.back()->object->key()) + '\0';
    range.limit = 0;
    CO_TRY(const store::Range rest, co_await cache().store().range(range));
    page.remaining = rest.items.size();
  }
  co_return page;
}

Task<std::unique_ptr<Watcher>> Registry::watch(Call call, WatchQuery query) {
  query.fields = parts_.versions.stored_fields(*call.kind, query.fields);
  if (query.from_now) query.from = cache().revision();
  const api::KindPtr stored = parts_.versions.stored(call.kind);
  co_return co_await Watcher::open(cache(), parts_.timer, stored->gvr.group, stored->gvr.resource,
                                   call.key.ns, std::move(query));
}

}  // namespace atl::apiserver
