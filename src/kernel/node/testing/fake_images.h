#pragma once

#include <algorithm>
#include <map>
#include <set>
#include <stdexcept>
#include <string>
#include <vector>

#include "oci/image_store.h"

namespace atl::node {

// Images that a test put on the node, or into a registry.
class FakeImages final : public oci::ImageStore {
 public:
  std::map<std::string, oci::Image> here;      // by ref
  std::map<std::string, oci::Image> registry;  // what a pull finds
  std::map<std::string, std::string> holders;  // holder → image id

  std::set<std::string> throwing;  // refs at which there is a fault in the node itself

  static oci::Image image(const std::string& ref) {
    oci::Image out;
    out.id = "sha256:" + ref, out.digest = "sha256:d" + ref, out.name = ref;
    out.config.command = {"/bin/run"};
    return out;
  }
  Task<oci::Pulled> ensure(oci::PullRequest request) override {
    if (throwing.contains(request.ref)) throw std::runtime_error("a fault in a pull");
    if (const auto it = here.find(request.ref); it != here.end())
      co_return oci::Pulled{it->second, true};
    const auto it = registry.find(request.ref);
    if (it == registry.end() || request.policy == oci::PullPolicy::kNever) {
      co_return Error(Code::kNotFound, "manifest unknown: " + request.ref);
    }
    here[request.ref] = it->second;
    co_return oci::Pulled{it->second, false};
  }
  Task<oci::Image> find(std::string ref) override {
    const auto it = here.find(ref);
    if (it == here.end()) co_return Error(Code::kNotFound, ref);
    co_return it->second;
  }
  Task<std::vector<oci::Image>> load_archive(std::shared_ptr<net::BodyReader>) override {
    co_return std::vector<oci::Image>();
  }
  Task<std::vector<oci::ImageSummary>> list() override {
    co_return std::vector<oci::ImageSummary>();
  }
  Task<> remove(std::string) override { co_return Unit{}; }
  Task<oci::LayerMounts> hold(std::string image_id, std::string holder) override {
    holders[holder] = image_id;
    co_return oci::LayerMounts{{"/nonexistent-layer"}};
  }
  Task<> release(std::string holder) override {
    holders.erase(holder);
    co_return Unit{};
  }
  Task<> keep_only(std::vector<std::string> keep) override {
    std::erase_if(holders, [&](const auto& h) {
      return std::find(keep.begin(), keep.end(), h.first) == keep.end();
    });
    co_return Unit{};
  }
  Task<> pin(std::string, bool) override { co_return Unit{}; }
};

}  // namespace atl::node
