#pragma once

#include <fcntl.h>

#include <map>
#include <optional>
#include <set>
#include <stdexcept>
#include <string>
#include <vector>

#include "kernel/network/pod_network.h"

namespace atl::node {

// Gives out addresses and remembers who came and went.
class FakeNetwork final : public network::PodNetwork {
 public:
  std::map<std::string, std::string> attached;  // uid → ip
  std::vector<std::string> recovered;
  std::vector<std::string> drained;
  std::optional<Error> attach_error;
  std::set<std::string> throwing;  // names of pods at which there is a fault in the node itself

  Task<> recover(std::vector<network::KnownPod> pods) override {
    for (const network::KnownPod& p : pods) recovered.push_back(p.pod.name + " " + p.ip);
    co_return Unit{};
  }
  Task<network::Attachment> attach(network::PodRef pod) override {
    if (attach_error) co_return *attach_error;
    if (throwing.contains(pod.name)) throw std::runtime_error("a fault in an attach");
    std::string& ip = attached[pod.uid];
    if (ip.empty()) ip = "10.42.0." + std::to_string(1 + attached.size());
    network::Attachment out;
    out.netns.reset(::open("/dev/null", O_RDONLY | O_CLOEXEC));
    out.ip = ip;
    co_return std::move(out);
  }
  Task<> drain(std::string uid, Duration) override {
    drained.push_back(uid);
    co_return Unit{};
  }
  Task<> detach(std::string uid) override {
    attached.erase(uid);
    co_return Unit{};
  }
  std::string node_address() const override { return "192.0.2.1"; }
  std::string dns_address() const override { return "169.254.20.1"; }
};

}  // namespace atl::node
