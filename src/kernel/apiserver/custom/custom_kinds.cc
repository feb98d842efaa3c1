#include "kernel/apiserver/custom/custom_kinds.h"

#include <fmt/ranges.h>

#include <algorithm>

#include "base/observe/log.h"
#include "kernel/apiserver/custom/definition.h"
#include "kernel/apiserver/custom/definition_hook.h"
#include "kernel/apiserver/custom/definition_rules.h"
#include "kernel/apiserver/registry/store_keys.h"

namespace atl::apiserver {
namespace {

constexpr Duration kRetry = std::chrono::seconds(1);
const api::Gvr kResource{std::string(kDefinitionGroup), "v1", std::string(kDefinitions)};

json::Value accepted_names(const json::Value& definition) {
  const json::Value* names = json::find(definition, {"spec", "names"});
  return names ? *names : json::Value(json::Object{});
}

std::string_view reason_of(Approval::State state) {
  if (state == Approval::State::kApproved) return "ApprovedAnnotation";
  if (state == Approval::State::kBypassed) return "UnapprovedAnnotation";
  return state == Approval::State::kMissing ? "MissingAnnotation" : "InvalidAnnotation";
}

// Whether a definition in a group of Kubernetes itself has been reviewed there.
void say_approval(json::Value& definition, WallTime now) {
  const Approval approval = approval_of(definition);
  if (approval.state == Approval::State::kNotAsked) return;
  set_condition(definition, "KubernetesAPIApprovalPolicyConformant",
                approval.state == Approval::State::kApproved, reason_of(approval.state),
                approval.message, now);
}

}  // namespace

CustomKinds::CustomKinds(Registry& registry, api::KindSet& kinds, Executor executor)
    : registry_(registry), kinds_(kinds), tasks_(std::move(executor)) {}

CustomKinds::~CustomKinds() = default;

void CustomKinds::add_hooks(HookTable& hooks) {
  hooks.add(kResource.group, kResource.resource, std::make_unique<DefinitionHook>());
}

Task<> CustomKinds::start() {
  listener_ =
      registry_.cache().listen(kResource.group, kResource.resource,
                               [this](const api::ObjectPtr& now, const api::ObjectPtr& before) {
                                 queue_.insert((now ? now : before)->name());
                                 queued_.notify();
                               });
  std::vector<std::string> names;
  registry_.cache().each(kResource.group, kResource.resource, {},
                         [&](const api::ObjectPtr& stored) {
                           names.push_back(stored->name());
                           return true;
                         });
  for (const std::string& name : names) {
    auto done = co_await reconcile(name);
    if (!done)
      log::warn("custom kind not installed", {{"definition", name}, {"error", done.error()}});
  }
  tasks_.spawn("custom kinds", [this] { return work(); });
  co_return Unit{};
}

Async<void> CustomKinds::stop() {
  listener_.reset();
  co_await tasks_.stop();
}

Async<void> CustomKinds::work() {
  for (;;) {
    if (queue_.empty()) {
      const bool woken = co_await queued_.wait();
      if (!woken) co_return;
      continue;
    }
    const std::string name = *queue_.begin();
    queue_.erase(queue_.begin());
    const auto done = co_await reconcile(name);
    if (done) continue;
    log::warn("custom kind, will retry", {{"definition", name}, {"error", done.error()}});
    queue_.insert(name);
    const bool woken = co_await queued_.wait_for(registry_.parts().timer, kRetry);
    (void)woken;  // a change or the time: both mean another try
  }
}

Call CustomKinds::system_call(api::KindPtr kind, api::ObjectKey key) const {
  auto user = std::make_shared<UserInfo>();
  user->name = "system:apiserver";
  user->groups.emplace_back(kGroupMasters);
  return {.kind = std::move(kind),
          .key = std::move(key),
          .user = std::move(user),
          .manager = "atoll-apiserver"};
}

Task<> CustomKinds::reconcile(std::string name) {
  const api::ObjectPtr stored =
      registry_.cache().get(kResource.group, kResource.resource, {"", name});
  if (!stored) {
    uninstall(name);
    co_return Unit{};
  }
  if (stored->header().deleting) co_return co_await clean_up(stored);
  co_return co_await accept(stored);
}

Task<> CustomKinds::accept(const api::ObjectPtr& stored) {
  const json::Value definition = stored->parse();
  const WallTime now = registry_.parts().timer.now();
  const std::string clash = name_conflict(definition, kinds_.all());
  json::Value wished = definition;
  if (clash.empty()) {
    json::set(wished, {"status", "acceptedNames"}, accepted_names(definition));
    set_condition(wished, "NamesAccepted", true, "NoConflicts", "no conflicts found", now);
    CO_TRY(std::vector<api::KindPtr> kinds, kinds_of(wished));
    // Served before it says so: who sees the condition can use the kind.
    install(stored->name(), std::move(kinds));
    set_condition(wished, "Established", true, "InitialNamesAccepted",
                  "the initial names have been accepted", now);
    say_approval(wished, now);
    const std::vector<std::string> left_out = versions_left_out(wished);
    if (!left_out.empty()) {
      set_condition(wished, "AllVersionsServed", false, "ConversionByWebhook",
                    fmt::format("not served: {}: conversion by webhook is not offered, use the "
                                "stored version",
                                fmt::join(left_out, ", ")),
                    now);
    } else if (condition_is(wished, "AllVersionsServed", "False")) {
      set_condition(wished, "AllVersionsServed", true, "NoConversion", "", now);
    }
  } else {
    set_condition(wished, "NamesAccepted", false, "NameConflict", clash, now);
    if (!condition_is(wished, "Established", "True")) {
      set_condition(wished, "Established", false, "NotAccepted", "not all names are accepted", now);
    }
  }
  const json::Value* status = json::find(wished, {"status"});
  if (json::equal(*status, json::find(definition, {"status"}) ? *json::find(definition, {"status"})
                                                              : json::Value())) {
    co_return Unit{};
  }
  Call call = system_call(kinds_.find(kResource), {"", stored->name()});
  call.subresource = "status";
  const std::string revision = std::to_string(stored->revision().value);
  auto written = co_await registry_.modify(
      std::move(call), [status, &revision](json::Value& live) -> Result<> {
        // Decided from another state: the change itself queued the definition again.
        if (json::string_at(live, {"metadata", "resourceVersion"}) != revision) return Unit{};
        json::set(live, {"status"}, *status);
        return Unit{};
      });
  if (!written && written.error().code() != Code::kNotFound) co_return std::move(written).error();
  co_return Unit{};
}

Task<> CustomKinds::clean_up(const api::ObjectPtr& stored) {
  const std::string name = stored->name();
  bool held = false;
  for (const json::Value& item : json::array_at(stored->parse(), {"metadata", "finalizers"})) {
    held = held || item == json::Value(kCleanupFinalizer);
  }
  if (!held) co_return Unit{};
  size_t left = 0;
  const auto installed = installed_.find(name);
  if (installed != installed_.end()) {
    refuse_new_objects(installed->second);
    api::KindPtr kind = installed->second.kinds.front();
    CO_TRY(left, co_await remove_objects(std::move(kind)));
  }
  Call call = system_call(kinds_.find(kResource), {"", name});
  const WallTime now = registry_.parts().timer.now();
  const bool done = left == 0;
  if (done) uninstall(name);
  CO_TRY_OK(co_await registry_.modify(std::move(call), [done, now](json::Value& live) -> Result<> {
    set_condition(live, "Terminating", !done,
                  done ? "InstanceDeletionCompleted" : "InstanceDeletionInProgress",
                  done ? "removed all instances" : "CustomResource deletion is in progress", now);
    if (!done) return Unit{};
    json::Array rest;
    for (const json::Value& item : json::array_at(live, {"metadata", "finalizers"})) {
      if (item != json::Value(kCleanupFinalizer)) rest.push_back(item);
    }
    json::set(live, {"metadata", "finalizers"}, std::move(rest));
    return Unit{};
  }));
  if (!done) co_return Error(Code::kUnavailable, "objects of the definition are still there");
  co_return Unit{};
}

void CustomKinds::refuse_new_objects(Installed& installed) {
  for (api::KindPtr& kind : installed.kinds) {
    if (std::find(kind->verbs.begin(), kind->verbs.end(), "create") == kind->verbs.end()) continue;
    auto closed = std::make_shared<api::Kind>(*kind);
    std::erase(closed->verbs, "create");
    kind = closed;
    kinds_.put(kind);
  }
}

Task<size_t> CustomKinds::remove_objects(api::KindPtr kind) {
  std::vector<api::ObjectPtr> objects;
  registry_.cache().each(kind->gvr.group, kind->gvr.resource, {},
                         [&](const api::ObjectPtr& object) {
                           objects.push_back(object);
                           return true;
                         });
  size_t left = 0;
  for (const api::ObjectPtr& object : objects) {
    if (object->header().deleting) {
      ++left;
      continue;
    }
    auto removed = co_await registry_.remove(system_call(kind, object->key()), {});
    if (!removed && removed.error().code() != Code::kNotFound) co_return std::move(removed).error();
    if (removed && !removed->gone) ++left;
  }
  co_return left;
}

void CustomKinds::install(const std::string& name, std::vector<api::KindPtr> kinds) {
  const api::ObjectPtr stored =
      registry_.cache().get(kResource.group, kResource.resource, {"", name});
  const json::Value definition = stored ? stored->parse() : json::Value();
  const json::Value* spec = json::find(definition, {"spec"});
  std::string schemas = spec ? json::serialize(*spec) : std::string();
  Installed& slot = installed_[name];
  if (slot.schemas == schemas && !slot.kinds.empty()) return;
  for (const api::KindPtr& old : slot.kinds) {
    bool stays = false;
    for (const api::KindPtr& kind : kinds) stays = stays || kind->gvr == old->gvr;
    if (!stays) kinds_.remove(old->gvr);
  }
  for (const api::KindPtr& kind : kinds) kinds_.put(kind);
  slot = {kinds, std::move(schemas)};
  for (const api::KindPtr& kind : kinds) {
    if (kind->storage) refresh_objects(*kind);
  }
  log::info("custom kind installed", {{"definition", name}, {"versions", kinds.size()}});
}

// Objects written under an older schema are read as the newer one sees them.
void CustomKinds::refresh_objects(const api::Kind& kind) {
  registry_.cache().rewrite(
      kind.gvr.group, kind.gvr.resource, [&kind](const api::ObjectPtr& object) -> api::ObjectPtr {
        json::Value document = object->parse();
        json::set(document, {"apiVersion"}, json::Value(kind.gvk.group_version().text()));
        api::prune(*kind.schema, document);
        api::apply_defaults(*kind.schema, document);
        auto fresh = api::Object::from_document(std::move(document), object->revision());
        return fresh ? *fresh : nullptr;
      });
}

void CustomKinds::uninstall(const std::string& name) {
  const auto at = installed_.find(name);
  if (at == installed_.end()) return;
  for (const api::KindPtr& kind : at->second.kinds) kinds_.remove(kind->gvr);
  installed_.erase(at);
  // Its names are free: others may have waited for them.
  registry_.cache().each(kResource.group, kResource.resource, {},
                         [this](const api::ObjectPtr& other) {
                           if (!installed_.contains(other->name())) queue_.insert(other->name());
                           return true;
                         });
  queued_.notify();
  log::info("custom kind removed", {{"definition", name}});
}

}  // namespace atl::apiserver
