#include "api/controller/controller_loop.h"

#include <fmt/format.h>

#include <algorithm>
#include <exception>

#include <boost/asio/error.hpp>
#include <boost/system/system_error.hpp>

#include "base/observe/log.h"

namespace atl::api {
namespace {

// A fault in one reconcile must not take the process with it; a cancellation must pass.
Task<Outcome> guarded(Reconciler& reconciler, ObjectKey key) {
  try {
    co_return co_await reconciler.reconcile(std::move(key));
  } catch (const boost::system::system_error& error) {
    if (error.code() == asio::error::operation_aborted) throw;
    co_return Error(Code::kInternal, error.what());
  } catch (const std::exception& error) {
    co_return Error(Code::kInternal, error.what());
  }
}

}  // namespace

ControllerLoop::ControllerLoop(Reconciler& reconciler, Seams seams, Options options)
    : reconciler_(reconciler),
      seams_(seams),
      options_(options),
      queue_(seams, options.retry),
      tasks_(seams.executor) {
  reconciler_.watch(queue_);
}

void ControllerLoop::start() {
  if (started_) return;
  started_ = tasks_.spawn(std::string(name()), [this] { return run(); });
}

Async<void> ControllerLoop::stop() {
  queue_.close();
  co_await tasks_.stop();
}

Async<void> ControllerLoop::run() {
  for (Informer* input : reconciler_.inputs()) {
    const bool ok = co_await input->synced();
    if (!ok) co_return;
  }
  synced_ = true;
  for (int i = 0; i < options_.workers; ++i) {
    tasks_.spawn(std::string(name()) + " worker", [this] { return work(); });
  }
}

Async<void> ControllerLoop::work() {
  while (true) {
    const std::optional<ObjectKey> key = co_await queue_.next();
    if (!key) co_return;
    co_await handle(*key);
  }
}

Async<void> ControllerLoop::handle(ObjectKey key) {
  const MonoTime begun = seams_.timer->monotonic();
  const Result<Outcome> result = co_await guarded(reconciler_, key);
  const Duration took = seams_.timer->monotonic() - begun;
  ++stats_.reconciles;
  stats_.busy += took;
  stats_.slowest = std::max(stats_.slowest, took);
  if (result) {
    queue_.forget(key);
    if (result->again > Duration(0)) queue_.add_after(key, result->again);
  } else {
    note_error(key, result.error());
    queue_.retry(key);
  }
  queue_.done(key);
}

void ControllerLoop::note_error(const ObjectKey& key, const Error& error) {
  ++stats_.errors;
  // A lost race is how optimistic concurrency works: counted, not told.
  if (error.code() == Code::kConflict) {
    ++stats_.conflicts;
    return;
  }
  if (error.code() == Code::kCancelled) return;
  stats_.last_error = key.text() + ": " + error.message();
  stats_.last_error_at = seams_.timer->now();
  log::warn("reconcile failed, will retry", {{"controller", name()},
                                             {"key", key.text()},
                                             {"error", error},
                                             {"failures", queue_.failures(key) + 1}});
}

Result<> ControllerLoop::ready() const {
  if (!started_ || !synced_) return Error(Code::kUnavailable, health());
  const auto wanted = size_t(options_.workers);
  if (tasks_.running() >= wanted) return Unit{};
  return Error(Code::kUnavailable,
               fmt::format("{}: {} of {} workers run", name(), tasks_.running(), wanted));
}

std::string ControllerLoop::health() const {
  if (!started_) return fmt::format("{}: not started", name());
  if (!synced_) {
    std::string waits;
    for (const Informer* input : reconciler_.inputs()) {
      if (input->has_synced()) continue;
      waits += fmt::format(" {}{}{}", input->resource().group_resource(),
                           input->last_error().empty() ? "" : ": ", input->last_error());
    }
    return fmt::format("{}: waits for the first list of{}", name(), waits);
  }
  std::string line = fmt::format("{}: {} reconciles, {} errors, {} waiting", name(),
                                 stats_.reconciles, stats_.errors, queue_.depth());
  if (queue_.failing() > 0)
    line += fmt::format(", {} failing, last: {}", queue_.failing(), stats_.last_error);
  return line;
}

}  // namespace atl::api
