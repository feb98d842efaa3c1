#pragma once

#include <algorithm>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/core/check.h"
#include "kernel/apiserver/contract/reader.h"

namespace atl::apiserver {

// Stored objects in memory, for tests of what looks them up. One thread.
class FakeReader final : public Reader {
 public:
  // Creates or replaces. group and resource as in a URL.
  void put(std::string group, std::string resource, json::Value document) {
    auto object = api::Object::from_document(std::move(document), {++revision_});
    CHECK(object.has_value());
    Collection& in = collections_[{std::move(group), std::move(resource)}];
    api::ObjectPtr& slot = in.objects[(*object)->key()];
    const api::ObjectPtr before = std::exchange(slot, *object);
    in.changed = {revision_};
    tell(in, *object, before);
  }
  void remove(const std::string& group, const std::string& resource, const api::ObjectKey& key) {
    Collection& in = collections_[{group, resource}];
    const auto at = in.objects.find(key);
    if (at == in.objects.end()) return;
    const api::ObjectPtr before = at->second;
    in.objects.erase(at);
    in.changed = {++revision_};
    tell(in, nullptr, before);
  }

  api::ObjectPtr get(std::string_view group, std::string_view resource,
                     const api::ObjectKey& key) const override {
    const Collection* in = find(group, resource);
    if (in == nullptr) return nullptr;
    const auto at = in->objects.find(key);
    return at == in->objects.end() ? nullptr : at->second;
  }
  void each(std::string_view group, std::string_view resource, std::string_view ns,
            const std::function<bool(const api::ObjectPtr&)>& visit) const override {
    const Collection* in = find(group, resource);
    if (in == nullptr) return;
    for (const auto& [key, object] : in->objects) {
      if ((ns.empty() || key.ns == ns) && !visit(object)) return;
    }
  }
  Revision changed(std::string_view group, std::string_view resource) const override {
    const Collection* in = find(group, resource);
    return in == nullptr ? Revision{} : in->changed;
  }
  std::shared_ptr<void> listen(std::string_view group, std::string_view resource,
                               Listener listener) override {
    auto held = std::make_shared<Listener>(std::move(listener));
    collections_[{std::string(group), std::string(resource)}].listeners.push_back(held);
    return held;
  }

 private:
  struct Collection {
    std::map<api::ObjectKey, api::ObjectPtr> objects;
    Revision changed;
    std::vector<std::weak_ptr<Listener>> listeners;
  };
  static void tell(Collection& in, const api::ObjectPtr& now, const api::ObjectPtr& before) {
    for (const std::weak_ptr<Listener>& weak : in.listeners) {
      if (const auto listener = weak.lock()) (*listener)(now, before);
    }
  }
  const Collection* find(std::string_view group, std::string_view resource) const {
    const auto at = collections_.find({std::string(group), std::string(resource)});
    return at == collections_.end() ? nullptr : &at->second;
  }

  std::map<std::pair<std::string, std::string>, Collection> collections_;
  uint64_t revision_ = 0;
};

}  // namespace atl::apiserver
