#include "kernel/apiserver/admission/quota_reporter.h"

#include <utility>

#include "base/observe/log.h"

namespace atl::apiserver {
namespace {

constexpr auto kPause = std::chrono::milliseconds(500);
const api::Gvr kQuotas{"", "v1", "resourcequotas"};

json::Object texts(const ResourceAmounts& amounts) {
  json::Object out;
  for (const auto& [name, amount] : amounts) out[name] = amount.text();
  return out;
}

}  // namespace

QuotaReporter::QuotaReporter(Executor executor, Timer& timer, Reader& reader, api::Client& client,
                             ResourceQuotaAdmission& quotas)
    : timer_(timer),
      reader_(reader),
      client_(client),
      quotas_(quotas),
      tasks_(std::move(executor)) {}

void QuotaReporter::start() {
  const auto mark = [this](const std::string& ns) {
    dirty_.insert(ns);
    changed_.notify();
  };
  quotas_.ledger().on_change(mark);
  listener_ = reader_.listen("", "resourcequotas",
                             [mark](const api::ObjectPtr& now, const api::ObjectPtr&) {
                               if (now) mark(now->ns());
                             });
  reader_.each("", "resourcequotas", "", [this](const api::ObjectPtr& object) {
    dirty_.insert(object->ns());
    return true;
  });
  tasks_.spawn("quota reporter", [this]() -> Async<void> { co_await run(); });
}

Async<void> QuotaReporter::stop() {
  listener_.reset();
  quotas_.ledger().on_change({});
  co_await tasks_.stop();
}

Async<void> QuotaReporter::run() {
  for (;;) {
    if (dirty_.empty()) {
      const bool woken = co_await changed_.wait();
      if (!woken) co_return;
    }
    for (const std::string& ns : std::exchange(dirty_, {})) {
      const auto reported = co_await report(ns);
      if (reported) continue;
      log::warn("status of resource quotas not written",
                {{"namespace", ns}, {"error", reported.error()}});
      dirty_.insert(ns);
    }
    const bool slept = co_await timer_.sleep_for(kPause);
    if (!slept) co_return;
  }
}

Task<> QuotaReporter::report(std::string ns) {
  std::vector<api::ObjectPtr> quotas;
  reader_.each("", "resourcequotas", ns, [&](const api::ObjectPtr& object) {
    quotas.push_back(object);
    return true;
  });
  for (const api::ObjectPtr& quota : quotas) {
    json::Value document = quota->parse();
    const json::Value status = json::Object{{"hard", json::object_at(document, {"spec", "hard"})},
                                            {"used", texts(quotas_.used(document))}};
    if (json::equal(json::object_at(document, {"status"}), status)) continue;
    json::set(document, {"status"}, status);
    auto written = co_await client_.update(kQuotas, quota->key(), std::move(document),
                                           {.subresource = "status"});
    const bool settled = written || written.error().code() == Code::kNotFound ||
                         written.error().code() == Code::kConflict;
    if (!settled) co_return std::move(written).error();
  }
  co_return Unit{};
}

}  // namespace atl::apiserver
