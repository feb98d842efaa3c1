#include "store/memory/memory_store.h"

#include <algorithm>

#include "base/core/check.h"

namespace atl::store {

Task<Event> MemoryStore::write(Write write) {
  std::vector<Write> writes;
  writes.push_back(std::move(write));
  CO_TRY(auto events, commit(std::move(writes)));
  co_return std::move(events.front());
}

Task<std::vector<Event>> MemoryStore::write_all(std::vector<Write> writes) {
  co_return commit(std::move(writes));
}

Result<std::vector<Event>> MemoryStore::commit(std::vector<Write> writes) {
  if (closed_) return Error(Code::kUnavailable, "the store is closed");
  for (size_t i = 0; i < writes.size(); ++i) {
    TRY_OK(check_write(writes[i], state_of(writes[i].key)));
    const bool twice = std::any_of(writes.begin(), writes.begin() + ptrdiff_t(i),
                                   [&](const Write& w) { return w.key == writes[i].key; });
    if (twice) return Error(Code::kInvalid, writes[i].key + " stands twice in one commit");
  }
  if (faults_.on_commit) {
    if (auto fault = faults_.on_commit(++commits_)) return *std::move(fault);
  }
  std::vector<Event> events;
  for (Write& write : writes) {
    newest_ = newest_.next();
    const WriterNotePtr note = write.note;
    events.push_back(append(std::move(write), newest_));
    events.back().note = note;
  }
  listeners_.publish(events);
  return events;
}

KeyState MemoryStore::state_of(const std::string& key) const {
  const auto it = keys_.find(key);
  if (it == keys_.end() || !it->second.back().value) return {};
  return {true, it->second.back().created, it->second.back().modified};
}

Event MemoryStore::append(Write write, Revision revision) {
  const KeyState before = state_of(write.key);
  Versions& versions = keys_[write.key];
  const SharedBytes value = write.value ? share(*std::move(write.value)) : nullptr;
  versions.push_back({before.exists ? before.created : revision, revision, value});
  log_[revision] = write.key;
  return event_at(revision);
}

const MemoryStore::Version* MemoryStore::visible(const Versions& versions, Revision at) {
  const auto after = std::upper_bound(versions.begin(), versions.end(), at,
                                      [](Revision r, const Version& v) { return r < v.modified; });
  if (after == versions.begin()) return nullptr;
  const Version& version = *std::prev(after);
  return version.value ? &version : nullptr;
}

Event MemoryStore::event_at(Revision revision) const {
  const std::string& key = log_.at(revision);
  const Versions& versions = keys_.find(key)->second;
  const auto it = std::find_if(versions.begin(), versions.end(),
                               [&](const Version& v) { return v.modified == revision; });
  CHECK(it != versions.end());
  Event event{it->value ? Event::Type::kPut : Event::Type::kDelete,
              {key, it->value, it->created, it->modified},
              std::nullopt};
  if (it != versions.begin() && std::prev(it)->value) {
    const Version& before = *std::prev(it);
    event.previous = Stored{key, before.value, before.created, before.modified};
  }
  return event;
}

Task<std::optional<Stored>> MemoryStore::get(std::string key, Revision at) {
  const Revision when = at ? at : newest_;
  CO_TRY_OK(check_revision(when, compacted_, newest_));
  const auto it = keys_.find(key);
  const Version* version = it == keys_.end() ? nullptr : visible(it->second, when);
  if (!version) co_return std::optional<Stored>();
  co_return std::optional<Stored>(Stored{key, version->value, version->created, version->modified});
}

Task<Range> MemoryStore::range(RangeQuery query) {
  Range range;
  range.revision = query.at ? query.at : newest_;
  CO_TRY_OK(check_revision(range.revision, compacted_, newest_));
  for (auto it = keys_.lower_bound(query.begin); it != keys_.end(); ++it) {
    if (!query.end.empty() && it->first >= query.end) break;
    const Version* version = visible(it->second, range.revision);
    if (!version) continue;
    if (query.limit && range.items.size() == query.limit) {
      range.more = true;
      break;
    }
    range.items.push_back({it->first, version->value, version->created, version->modified});
  }
  co_return range;
}

Task<std::vector<Event>> MemoryStore::history(std::string prefix, Revision from, size_t limit) {
  if (from < compacted_) co_return Error(Code::kGone, "the revision is compacted");
  std::vector<Event> events;
  for (auto it = log_.upper_bound(from); it != log_.end() && events.size() < limit; ++it) {
    if (it->second.starts_with(prefix)) events.push_back(event_at(it->first));
  }
  co_return events;
}

Task<> MemoryStore::compact(Revision at) {
  if (at > newest_) co_return Error(Code::kInvalid, "cannot compact the future");
  if (at <= compacted_) co_return Unit{};
  compacted_ = at;
  for (auto it = keys_.begin(); it != keys_.end();) {
    Versions& versions = it->second;
    auto keep = std::upper_bound(versions.begin(), versions.end(), at,
                                 [](Revision r, const Version& v) { return r < v.modified; });
    if (keep != versions.begin() && std::prev(keep)->value)
      --keep;  // the value visible at `at` stays
    versions.erase(versions.begin(), keep);
    it = versions.empty() ? keys_.erase(it) : std::next(it);
  }
  log_.erase(log_.begin(), log_.upper_bound(at));
  co_return Unit{};
}

Task<> MemoryStore::backup(std::string folder) {
  co_return Error(Code::kMethodNotAllowed, "the memory store has nothing to copy to " + folder);
}

Task<> MemoryStore::close() {
  closed_ = true;
  co_return Unit{};
}

}  // namespace atl::store
