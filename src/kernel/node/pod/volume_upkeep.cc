#include "kernel/node/pod/volume_upkeep.h"

#include <algorithm>

#include "base/observe/log.h"
#include "kernel/node/pod/contained.h"
#include "kernel/node/pod/sources.h"

namespace atl::node {
namespace {

constexpr Duration kRefresh = std::chrono::seconds(60);
constexpr int64_t kTokenSecondsMost = 86'400;
const api::Gvr kServiceAccounts{"", "v1", "serviceaccounts"};

bool any_started(const PodState& state) {
  return std::any_of(state.containers.begin(), state.containers.end(),
                     [](const auto& entry) { return entry.second.attempt >= 0; });
}

}  // namespace

VolumeUpkeep::VolumeUpkeep(PodContext& context, PodRecord& record, PodTasks& tasks)
    : context_(context),
      record_(record),
      tasks_(tasks),
      files_(record.folder(), record.run_folder()) {}

Task<> VolumeUpkeep::set_up() {
  while (busy_) co_await done_.wait();
  if (ready_) co_return Unit{};
  busy_ = true;
  auto outcome = co_await contained(make());
  ready_ = outcome.has_value();
  busy_ = false;
  done_.notify();
  co_return outcome;
}

Task<> VolumeUpkeep::make() {
  VolumeNeeds needs = volume_needs(record_.spec());
  CO_TRY(objects_.data,
         co_await fetch_sources(context_.client, record_.spec().ns, std::move(needs.config_maps),
                                std::move(needs.secrets), DataParts::kAll));
  if (context_.timer().now() >= token_refresh_)
    CO_TRY_OK(co_await fetch_tokens(std::move(needs.tokens)));
  co_return co_await context_.offload.run(
      [files = files_, spec = record_.spec_ptr(), known = record_.facts(),
       objects = objects_]() mutable { return files.set_up(*spec, known, objects); });
}

Task<> VolumeUpkeep::fetch_tokens(std::vector<TokenRequest> needed) {
  const PodSpecPtr pod = record_.spec_ptr();
  const std::string account(json::string_at(pod->doc, {"spec", "serviceAccountName"}, "default"));
  for (const TokenRequest& wanted : needed) {
    json::Object spec{
        {"expirationSeconds", wanted.expiration_seconds},
        {"boundObjectRef",
         json::Object{
             {"apiVersion", "v1"}, {"kind", "Pod"}, {"name", pod->name}, {"uid", pod->uid}}}};
    if (!wanted.audience.empty()) spec["audiences"] = json::Array{json::Value(wanted.audience)};
    json::Object request{{"apiVersion", "authentication.k8s.io/v1"},
                         {"kind", "TokenRequest"},
                         {"spec", std::move(spec)}};
    auto token = co_await context_.client.post(kServiceAccounts, {pod->ns, account}, "token",
                                               std::move(request));
    if (!token) co_return std::move(token).error().during("token of service account " + account);
    objects_.tokens[wanted] = json::string_at(*token, {"status", "token"});
    const auto life =
        std::chrono::seconds(std::min(wanted.expiration_seconds, kTokenSecondsMost)) * 4 / 5;
    token_refresh_ = context_.timer().now() + life;
  }
  co_return Unit{};
}

Async<void> VolumeUpkeep::refresh() {
  const VolumeNeeds needs = volume_needs(record_.spec());
  if (needs.config_maps.empty() && needs.secrets.empty() && needs.tokens.empty()) co_return;
  for (;;) {
    const bool slept = co_await context_.timer().sleep_for(kRefresh);
    if (!slept || tasks_.stopping()) co_return;
    if (record_.state().torn_down || record_.spec().deleting || !any_started(record_.state()))
      continue;
    ready_ = false;
    auto fresh = co_await set_up();
    // The files that are there stay: an object may be gone for a moment.
    if (!fresh)
      log::info("volumes not refreshed", {{"pod", record_.spec().key()}, {"error", fresh.error()}});
    ready_ = true;
  }
}

Async<void> VolumeUpkeep::idle() {
  while (busy_) {
    const bool woken = co_await done_.wait();
    if (!woken) co_return;
  }
}

Async<void> VolumeUpkeep::tear_down() {
  auto cleared =
      co_await context_.offload.run([files = files_]() mutable { return files.tear_down(); });
  if (!cleared)
    log::warn("volumes of a pod are not gone",
              {{"pod", record_.spec().key()}, {"error", cleared.error()}});
}

}  // namespace atl::node
