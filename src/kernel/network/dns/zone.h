#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "kernel/network/dns/message.h"
#include "kernel/network/options.h"
#include "kernel/network/service_model.h"

namespace atl::network::dns {

// The names of the cluster (the Kubernetes DNS specification, version 1.1.0), computed from
// Services and EndpointSlices at each question: nothing is stored twice, and a change counts at the
// next question.
//
//   web.default.svc.cluster.local             A: the ClusterIP; headless: every ready endpoint;
//   ExternalName: CNAME web-0.web.default.svc.cluster.local       A: of an endpoint with that
//   hostname; 10-42-0-7.web... of one without _http._tcp.web.default.svc.cluster.local  SRV: port
//   and target 10-42-0-7.default.pod.cluster.local       A: any address of the pod range
//   7.0.42.10.in-addr.arpa                    PTR: of ClusterIPs and of endpoints of headless
//   Services
//
// Memory only; owned by DnsServer; one executor.
class Zone {
 public:
  explicit Zone(const Options& options);

  void set_service(ServiceInfo service);
  void remove_service(const api::ObjectKey& key);
  void set_slice(const api::ObjectKey& key, SliceInfo slice);
  void remove_slice(const api::ObjectKey& key);

  // True for names of the cluster's zones: nobody else is asked about them.
  bool owns(std::string_view lower_name) const;

  struct Answer {
    Reply reply;
    std::string alias;  // a CNAME's target that lies outside: to be resolved elsewhere
  };
  // For names it owns. Never fails: what does not exist is an NXDOMAIN, or an empty answer where
  // the name has records of other types, with the SOA.
  Answer answer(const Query& query) const;

 private:
  struct Found {
    bool exists = false;
    std::vector<Record> records;  // of every type
    std::vector<Record> additional;
  };
  Found find(const std::string& name) const;
  Found find_in_service(const std::string& name, const std::vector<std::string_view>& labels) const;
  Found find_service(const std::string& name, const ServiceInfo& service) const;
  Found find_srv(const std::string& name, const ServiceInfo& service, std::string_view port,
                 std::string_view protocol) const;
  Found find_endpoint(const std::string& name, const ServiceInfo& service,
                      std::string_view host) const;
  Found find_pod(const std::string& name, const std::vector<std::string_view>& labels) const;
  Found find_reverse(const std::string& name) const;
  std::string service_name(const api::ObjectKey& service) const;
  template <class F>
  void for_each_endpoint(const api::ObjectKey& service, F each) const;
  const ServiceInfo* service(std::string_view ns, std::string_view name) const;
  void index(const ServiceInfo& service, bool present);

  std::string domain_;
  Ipv4Range pods_, services_;
  Ipv4 dns_ip_;
  std::map<api::ObjectKey, ServiceInfo> services_by_key_;
  std::map<Ipv4, api::ObjectKey> by_cluster_ip_;
  std::map<std::string, size_t, std::less<>> namespaces_;  // with how many Services
  std::map<api::ObjectKey, SliceInfo> slices_;
  std::map<api::ObjectKey, std::set<api::ObjectKey>> slices_of_;
  std::map<Ipv4, std::set<api::ObjectKey>> slices_with_;  // by endpoint address
  uint32_t serial_ = 1;
  mutable uint32_t turn_ = 0;  // rotates the order of several addresses
};

// "10-42-0-7": the name of an address without a hostname.
std::string dashed(Ipv4 ip);

}  // namespace atl::network::dns
