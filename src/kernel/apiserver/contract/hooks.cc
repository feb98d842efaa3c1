#include "kernel/apiserver/contract/hooks.h"

#include "base/core/check.h"

namespace atl::apiserver {

bool KindHook::keeps_status_on_create() const {
  return false;
}
Result<> KindHook::prepare(WriteContext&) const {
  return Unit{};
}
api::Findings KindHook::validate(const WriteContext&) const {
  return {};
}
Result<> KindHook::reserve(WriteContext&) {
  return Unit{};
}
void KindHook::settle(const WriteContext&, bool) {}
Result<> KindHook::check_delete(const json::Value&) const {
  return Unit{};
}
bool KindHook::holds_deletion(json::Value&) const {
  return false;
}
std::optional<int64_t> KindHook::grace_seconds(const json::Value&, std::optional<int64_t>) const {
  return std::nullopt;
}
void KindHook::removed(const api::Object&) {}

void HookTable::add(std::string group, std::string resource, std::unique_ptr<KindHook> hook) {
  kinds_[{std::move(group), std::move(resource)}].push_back(std::move(hook));
}

void HookTable::add(std::string group, std::string resource, std::string subresource,
                    std::unique_ptr<VirtualHook> hook) {
  auto& slot = virtuals_[{std::move(group), std::move(resource), std::move(subresource)}];
  CHECK(!slot);  // one hook for a path
  slot = std::move(hook);
}

void HookTable::add(std::string group, std::string resource, std::string subresource,
                    std::unique_ptr<ConnectHook> hook) {
  auto& slot = connects_[{std::move(group), std::move(resource), std::move(subresource)}];
  CHECK(!slot);  // one hook for a path
  slot = std::move(hook);
}

void HookTable::add_part(std::string group, std::string resource, std::string subresource,
                         std::vector<std::string> path) {
  parts_[{std::move(group), std::move(resource), std::move(subresource)}] = std::move(path);
}

const std::vector<std::unique_ptr<KindHook>>& HookTable::of(const api::Gvr& resource) const {
  static const std::vector<std::unique_ptr<KindHook>> none;
  const auto at = kinds_.find({resource.group, resource.resource});
  return at == kinds_.end() ? none : at->second;
}

VirtualHook* HookTable::virtual_hook(const api::Gvr& resource, std::string_view subresource) const {
  const auto at = virtuals_.find({resource.group, resource.resource, std::string(subresource)});
  return at == virtuals_.end() ? nullptr : at->second.get();
}

ConnectHook* HookTable::connect_hook(const api::Gvr& resource, std::string_view subresource) const {
  const auto at = connects_.find({resource.group, resource.resource, std::string(subresource)});
  return at == connects_.end() ? nullptr : at->second.get();
}

const std::vector<std::string>* HookTable::part(const api::Gvr& resource,
                                                std::string_view subresource) const {
  const auto at = parts_.find({resource.group, resource.resource, std::string(subresource)});
  return at == parts_.end() ? nullptr : &at->second;
}

void HookTable::add_document(std::string path, Document make) {
  documents_[std::move(path)] = std::move(make);
}

const HookTable::Document* HookTable::document(std::string_view path) const {
  const auto at = documents_.find(path);
  return at == documents_.end() ? nullptr : &at->second;
}

}  // namespace atl::apiserver
