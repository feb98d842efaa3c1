#include "kernel/node/pod/pod_reporter.h"

#include <utility>

#include "base/observe/log.h"
#include "kernel/node/pod/contained.h"
#include "kernel/node/pod/pod_status.h"

namespace atl::node {
namespace {

constexpr Duration kApiRetry = std::chrono::seconds(1);
constexpr Duration kPassing = std::chrono::milliseconds(100);
const api::Gvr kPods{"", "v1", "pods"};

}  // namespace

PodReporter::PodReporter(PodContext& context, PodRecord& record, PodTasks& tasks, Hooks hooks)
    : context_(context),
      record_(record),
      tasks_(tasks),
      hooks_(std::move(hooks)),
      last_written_(json::object_at(record.spec().doc, {"status"})) {}

void PodReporter::status_changed() {
  if (!due_) due_since_ = context_.timer().monotonic();
  due_ = true;
  news_.notify();
}

void PodReporter::note(api::EventLevel level, std::string reason, std::string message) {
  notes_.push_back({level, std::move(reason), std::move(message), {}});
  status_changed();
}

void PodReporter::note_of(const std::string& container, api::EventLevel level, std::string reason,
                          std::string message) {
  const ContainerSpec* spec = record_.spec().find(container);
  const bool main = !spec || spec->role == ContainerSpec::Role::kMain;
  notes_.push_back({level, std::move(reason), std::move(message),
                    (main ? "spec.containers{" : "spec.initContainers{") + container + "}"});
  status_changed();
}

void PodReporter::tell_notes() {
  if (notes_.empty()) return;
  auto object = api::Object::from_document(record_.spec().doc, Revision{});
  for (Note& n : notes_) {
    if (object) {
      context_.events.note(**object, n.level, std::move(n.reason), std::move(n.message),
                           std::move(n.field_path));
    }
  }
  notes_.clear();
}

void PodReporter::server_said(const PodSpec& spec) {
  if (spec.revision <= written_revision_) return;
  if (!writing_) last_written_ = json::object_at(spec.doc, {"status"});
  told_while_writing_ = writing_;
}

Async<void> PodReporter::run() {
  while (!tasks_.stopping()) {
    if (!due_) {
      co_await news_.wait();
      continue;
    }
    const Duration left = due_since_ + kPassing - context_.timer().monotonic();
    if (left > Duration::zero() && hooks_.passing()) {
      co_await news_.wait_for(context_.timer(), left);
      continue;
    }
    due_ = false;
    writing_ = true;
    auto written = co_await contained(write_status());
    writing_ = false;
    tell_notes();
    // The patch was made against what the server had before: look at what it has now.
    if (std::exchange(told_while_writing_, false)) due_ = true;
    if (!written) {
      log::warn("pod status cannot be written; trying again",
                {{"pod", record_.spec().key()}, {"error", written.error()}});
      due_ = true;
      const bool slept = co_await context_.timer().sleep_for(kApiRetry);
      if (!slept) co_return;
    }
    news_.notify();
  }
}

Async<void> PodReporter::settled() {
  while ((due_ || writing_) && !removed_ && !tasks_.stopping()) co_await news_.wait();
}

Task<> PodReporter::write_status() {
  if (removed_ || over_) co_return Unit{};
  const json::Value before = last_written_.is_null() ? json::Value(json::Object{}) : last_written_;
  json::Value base = json::object_at(record_.spec().doc, {"status"});
  json::set(base, {"conditions"},
            newest_conditions(json::array_at(base, {"conditions"}),
                              json::array_at(before, {"conditions"})));
  const json::Value after =
      pod_status(record_.spec(), record_.state(),
                 {context_.network.node_address(), context_.timer().now()}, base);
  json::Value patch = status_patch(before, after);
  if (patch.is_null()) co_return Unit{};
  json::Object document{{"metadata", json::Object{{"uid", record_.spec().uid}}},
                        {"status", std::move(patch)}};
  api::PatchOptions options;
  options.subresource = "status";
  auto written =
      co_await context_.client.patch(kPods, {record_.spec().ns, record_.spec().name},
                                     api::PatchType::kMerge, std::move(document), options);
  if (written) {
    last_written_ = json::object_at((*written)->parse(), {"status"});
    written_revision_ = (*written)->revision();
    co_return Unit{};
  }
  // Gone, or another pod of this name: the watch tells which.
  const Code code = written.error().code();
  if (code == Code::kNotFound) hooks_.gone();
  if (code == Code::kNotFound || code == Code::kConflict) co_return Unit{};
  co_return std::move(written).error();
}

Task<> PodReporter::remove_object() {
  if (removed_) co_return Unit{};
  const PodSpecPtr spec = record_.spec_ptr();
  api::DeleteOptions options;
  options.grace_seconds = 0;
  options.uid = spec->uid;
  auto gone = co_await context_.client.remove(kPods, {spec->ns, spec->name}, options);
  if (!gone && gone.error().code() != Code::kNotFound && gone.error().code() != Code::kConflict)
    co_return gone;
  co_return Unit{};
}

}  // namespace atl::node
