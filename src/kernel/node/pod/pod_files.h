#pragma once

#include <string>
#include <vector>

#include "kernel/node/pod/pod_spec.h"

// The files that the node writes for a pod: hosts, resolv.conf, hostname. Pure text.
namespace atl::node {

// The pod's host name: spec.hostname or its name, cut to the 63 characters that the kernel takes.
std::string hostname_of(const PodSpec& pod);

// `host_file`: the host's own /etc/hosts, for pods on the host network.
std::string hosts_file(const PodSpec& pod, const std::string& pod_ip,
                       const std::string& cluster_domain, const std::string& host_file);

struct DnsSettings {
  std::string cluster_dns;  // empty: not offered
  std::string cluster_domain;
  std::string host_resolv;  // the host's /etc/resolv.conf
};
std::string resolv_conf(const PodSpec& pod, const DnsSettings& settings);

}  // namespace atl::node
