#include "kernel/apiserver/server/local_client.h"

#include <charconv>

#include "kernel/apiserver/contract/status.h"

namespace atl::apiserver {
namespace {

// Objects of the registry in the version that was asked for.
Result<api::ObjectPtr> in_version(const Versions& versions, api::ObjectPtr object,
                                  const api::KindPtr& kind) {
  if (object->header().gvk == kind->gvk) return object;
  json::Value document = object->parse();
  versions.from_stored(*versions.stored(kind), *kind, document);
  return api::Object::from_document(std::move(document), object->revision());
}

class LocalWatch final : public api::Watch {
 public:
  LocalWatch(std::unique_ptr<Watcher> watcher, const Versions& versions, api::KindPtr kind)
      : watcher_(std::move(watcher)), versions_(versions), kind_(std::move(kind)) {}

  Task<api::WatchEvent> next() override {
    CO_TRY(auto item, co_await watcher_->next());
    if (!item) co_return Error(Code::kUnavailable, "the watch's time is over");
    if (item->type == api::EventType::kBookmark)
      co_return api::WatchEvent{item->type, nullptr, item->revision};
    CO_TRY(api::ObjectPtr object, in_version(versions_, item->object->object, kind_));
    co_return api::WatchEvent{item->type, std::move(object), item->revision};
  }

 private:
  std::unique_ptr<Watcher> watcher_;
  const Versions& versions_;
  api::KindPtr kind_;
};

class LocalClient final : public api::Client {
 public:
  explicit LocalClient(LocalClientOptions options) : o_(std::move(options)) {}

  Task<api::ObjectPtr> get(api::Gvr resource, api::ObjectKey key) override {
    CO_TRY(const Call call, co_await begin("get", resource, key, {}));
    CO_TRY(const CachedPtr found, co_await o_.registry.get(call));
    co_return in_version(versions(), found->object, call.kind);
  }

  Task<api::ObjectList> list(api::Gvr resource, api::ListOptions options) override {
    CO_TRY(const Call call, co_await begin("list", resource, {options.ns, ""}, {},
                                           {options.field_selector, options.label_selector}));
    ListQuery query;
    CO_TRY(query.labels, api::LabelSelector::parse(options.label_selector));
    CO_TRY(query.fields, api::FieldSelector::parse(options.field_selector));
    query.limit = options.limit;
    query.continue_token = options.continue_token;
    const std::string& text = options.resource_version;
    std::from_chars(text.data(), text.data() + text.size(), query.revision.value);
    if (query.revision) query.freshness = Freshness::kNotOlderThan;
    CO_TRY(const ListPage page, co_await o_.registry.list(call, query));
    api::ObjectList out{.revision = page.revision, .continue_token = page.next};
    out.items.reserve(page.items.size());
    for (const CachedPtr& item : page.items) {
      CO_TRY(api::ObjectPtr object, in_version(versions(), item->object, call.kind));
      out.items.push_back(std::move(object));
    }
    co_return out;
  }

  Task<std::unique_ptr<api::Watch>> watch(api::Gvr resource, api::WatchOptions options) override {
    CO_TRY(const Call call, co_await begin("watch", resource, {options.ns, ""}, {},
                                           {options.field_selector, options.label_selector}));
    WatchQuery query;
    CO_TRY(query.labels, api::LabelSelector::parse(options.label_selector));
    CO_TRY(query.fields, api::FieldSelector::parse(options.field_selector));
    query.from = options.from;
    query.bookmarks = true;
    query.timeout = std::chrono::hours(24 * 365);  // as long as its owner lives
    CO_TRY(auto watcher, co_await o_.registry.watch(call, std::move(query)));
    co_return std::make_unique<LocalWatch>(std::move(watcher), versions(), call.kind);
  }

  Task<api::ObjectPtr> create(api::Gvr resource, std::string ns, json::Value document,
                              api::WriteOptions options) override {
    CO_TRY(const Call call, co_await begin("create", resource, {ns, ""}, options));
    if (o_.hooks.virtual_hook(resource, {})) {
      CO_TRY(VirtualReply reply, co_await o_.registry.post(call, {std::move(document), {}}));
      co_return api::Object::from_document(std::move(reply.document), {});
    }
    CO_TRY(const Written written, co_await o_.registry.create(call, {std::move(document), {}}));
    co_return in_version(versions(), written.object, call.kind);
  }

  Task<api::ObjectPtr> update(api::Gvr resource, api::ObjectKey key, json::Value document,
                              api::WriteOptions options) override {
    CO_TRY(const Call call, co_await begin("update", resource, key, options));
    Body body{std::move(document), {}};
    if (call.subresource == "scale") {
      CO_TRY(json::Value scale, co_await o_.registry.update_scale(call, std::move(body)));
      co_return api::Object::from_document(std::move(scale), {});
    }
    CO_TRY(const Written written, co_await o_.registry.update(call, std::move(body)));
    co_return in_version(versions(), written.object, call.kind);
  }

  Task<api::ObjectPtr> patch(api::Gvr resource, api::ObjectKey key, api::PatchType type,
                             json::Value patch, api::PatchOptions options) override {
    CO_TRY(const Call call, co_await begin("patch", resource, key, options));
    PatchBody body{type, {std::move(patch), {}}, options.force};
    if (call.subresource == "scale") {
      CO_TRY(json::Value scale, co_await o_.registry.patch_scale(call, std::move(body)));
      co_return api::Object::from_document(std::move(scale), {});
    }
    CO_TRY(const Written written, co_await o_.registry.patch(call, std::move(body)));
    co_return in_version(versions(), written.object, call.kind);
  }

  Task<> remove(api::Gvr resource, api::ObjectKey key, api::DeleteOptions options) override {
    CO_TRY(const Call call, co_await begin("delete", resource, key, {}));
    DeleteQuery query{.grace_seconds = options.grace_seconds,
                      .uid = options.uid,
                      .propagation = options.propagation};
    if (options.resource_version)
      query.resource_version = std::to_string(options.resource_version.value);
    CO_TRY(const Removed removed, co_await o_.registry.remove(call, std::move(query)));
    co_return Unit{};
  }

  Task<json::Value> post(api::Gvr resource, api::ObjectKey key, std::string subresource,
                         json::Value document) override {
    api::WriteOptions options;
    options.subresource = std::move(subresource);
    CO_TRY(const Call call, co_await begin("create", resource, key, options));
    CO_TRY(VirtualReply reply, co_await o_.registry.post(call, {std::move(document), {}}));
    co_return std::move(reply.document);
  }

 private:
  const Versions& versions() const { return o_.registry.parts().versions; }

  struct Selectors {
    std::string fields, labels;
  };
  // Routing and authorization.
  Task<Call> begin(std::string verb, api::Gvr resource, api::ObjectKey key,
                   api::WriteOptions options, Selectors selectors = {}) {
    Call call{.kind = o_.kinds.find(resource),
              .subresource = options.subresource,
              .key = key,
              .user = o_.user,
              .manager = options.field_manager.empty() ? o_.manager : options.field_manager,
              .dry_run = options.dry_run};
    if (!call.kind) co_return unknown_resource();
    if (!call.kind->namespaced) call.key.ns.clear();
    const Attributes wanted{.user = o_.user,
                            .verb = std::move(verb),
                            .group = resource.group,
                            .version = resource.version,
                            .resource = resource.resource,
                            .subresource = options.subresource,
                            .ns = call.key.ns,
                            .name = call.key.name,
                            .field_selector = std::move(selectors.fields),
                            .label_selector = std::move(selectors.labels)};
    CO_TRY(const Decision decision, co_await o_.authorizer.authorize(wanted));
    if (!decision.allowed) co_return forbidden(wanted, decision.reason);
    co_return call;
  }

  LocalClientOptions o_;
};

}  // namespace

std::unique_ptr<api::Client> make_local_client(LocalClientOptions options) {
  return std::make_unique<LocalClient>(std::move(options));
}

}  // namespace atl::apiserver
