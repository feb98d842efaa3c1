#include "api/controller/event_recorder.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/observe/log.h"

namespace atl::api {
namespace {

const Gvr kEvents{"", "v1", "events"};

std::string_view text(EventLevel level) {
  return level == EventLevel::kNormal ? "Normal" : "Warning";
}

}  // namespace

EventRecorder::EventRecorder(Client& client, Seams seams, std::string component)
    : client_(client), seams_(seams), component_(std::move(component)), tasks_(seams.executor) {}

void EventRecorder::note(const Object& about, EventLevel level, std::string reason,
                         std::string message, std::string field_path) {
  const Header& header = about.header();
  const WallTime now = seams_.timer->now();
  if (queue_.size() >= kQueueMax || !allowed(header.uid, now)) {
    ++dropped_;
    return;
  }
  json::Object involved{{"apiVersion", header.gvk.group_version().text()},
                        {"kind", header.gvk.kind},
                        {"name", header.key.name},
                        {"uid", header.uid},
                        {"resourceVersion", std::to_string(header.revision.value)}};
  if (!header.key.ns.empty()) involved["namespace"] = header.key.ns;
  if (!field_path.empty()) involved["fieldPath"] = field_path;
  Note note{std::move(involved),
            header.key.ns.empty() ? "default" : header.key.ns,
            header.key.name,
            fmt::format("{}|{}|{}|{}", header.uid, field_path, text(level), reason),
            level,
            std::move(reason),
            std::move(message),
            now};
  aggregate(note);
  queue_.push_back(std::move(note));
  // One writer at a time; it ends when the queue is empty, so that an idle process has no task
  // here. It may run at once, inside spawn().
  if (writing_) return;
  writing_ = true;
  tasks_.spawn("events of " + component_, [this] { return run(); });
}

bool EventRecorder::allowed(const std::string& object, WallTime now) {
  if (budgets_.size() > kKnownMax) budgets_.clear();
  auto [it, fresh] = budgets_.try_emplace(object);
  Budget& budget = it->second;
  if (!fresh)
    budget.tokens = std::min(
        kBurst, budget.tokens + double((now - budget.last).count()) / double(kRefill.count()));
  budget.last = now;
  if (budget.tokens < 1) return false;
  budget.tokens -= 1;
  return true;
}

// More than kSimilarMax different messages of one kind within the window become one Event.
void EventRecorder::aggregate(Note& note) {
  if (similar_.size() > kKnownMax) similar_.clear();
  Similar& similar = similar_[note.identity];
  if (note.at - similar.last > kSimilarWindow) similar.messages.clear();
  similar.last = note.at;
  const bool seen = std::find(similar.messages.begin(), similar.messages.end(), note.message) !=
                    similar.messages.end();
  if (!seen && similar.messages.size() < kSimilarMax) {
    similar.messages.push_back(note.message);
  } else if (!seen) {
    note.message = "(combined from similar events): " + note.message;
    return;  // the identity without the message: all of them raise one count
  }
  note.identity += "|" + note.message;
}

Async<void> EventRecorder::run() {
  while (!queue_.empty()) {
    Note note = std::move(queue_.front());
    queue_.pop_front();
    co_await write(std::move(note));
  }
  writing_ = false;
  idle_.notify();
}

Async<void> EventRecorder::write(Note note) {
  if (const auto it = known_.find(note.identity); it != known_.end()) {
    const Known known = it->second;
    const Result<ObjectPtr> patched =
        co_await client_.patch(kEvents, known.key, PatchType::kMerge,
                               json::Object{{"count", known.count + 1},
                                            {"lastTimestamp", rfc3339(note.at)},
                                            {"message", note.message}});
    if (patched) {
      ++written_;
      remember(note.identity, {known.key, known.count + 1});
      co_return;
    }
  }
  const auto nanos = uint64_t(note.at.time_since_epoch().count());
  const std::string name = fmt::format("{}.{:x}", note.name, nanos + seams_.rng->below(1 << 20));
  json::Value body = document(note, name);
  const Result<ObjectPtr> made = co_await client_.create(kEvents, note.ns, std::move(body));
  if (made) {
    ++written_;
    remember(note.identity, {(*made)->key(), 1});
    co_return;
  }
  ++dropped_;
  log::debug("event not written", {{"reason", note.reason}, {"error", made.error()}});
}

void EventRecorder::remember(const std::string& identity, Known known) {
  const bool fresh = known_.insert_or_assign(identity, std::move(known)).second;
  if (!fresh) return;
  order_.push_back(identity);
  if (order_.size() <= kKnownMax) return;
  known_.erase(order_.front());
  order_.pop_front();
}

json::Value EventRecorder::document(const Note& note, const std::string& name) const {
  const std::string time = rfc3339(note.at);
  return json::Object{{"apiVersion", "v1"},
                      {"kind", "Event"},
                      {"metadata", json::Object{{"name", name}, {"namespace", note.ns}}},
                      {"involvedObject", note.involved},
                      {"reason", note.reason},
                      {"message", note.message.substr(0, 1024)},
                      {"source", json::Object{{"component", component_}}},
                      {"firstTimestamp", time},
                      {"lastTimestamp", time},
                      {"count", 1},
                      {"type", text(note.level)},
                      {"reportingComponent", component_},
                      {"reportingInstance", ""}};
}

Async<void> EventRecorder::flush() {
  while (writing_) {
    const bool woken = co_await idle_.wait();
    if (!woken) co_return;
  }
}

Async<void> EventRecorder::stop() {
  co_await tasks_.stop();
  writing_ = false;
}

}  // namespace atl::api
