#include "kernel/node/pod/pod_files.h"

#include <algorithm>
#include <sstream>

#include "kernel/node/json_read.h"

namespace atl::node {
namespace {

constexpr size_t kHostnameMax = 63;
constexpr size_t kNameserversMax = 3;

struct Resolver {
  std::vector<std::string> servers, searches, options;

  static void add(std::vector<std::string>& to, std::string value) {
    if (!value.empty() && std::find(to.begin(), to.end(), value) == to.end())
      to.push_back(std::move(value));
  }
};

Resolver parse_resolv(const std::string& text) {
  Resolver out;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string verb;
    std::string word;
    words >> verb;
    while (words >> word) {
      if (verb == "nameserver") Resolver::add(out.servers, word);
      if (verb == "search") Resolver::add(out.searches, word);
      if (verb == "options") Resolver::add(out.options, word);
    }
  }
  return out;
}

// An option of dnsConfig replaces one of the same name: "ndots:2" for "ndots:5".
void set_option(std::vector<std::string>& options, const std::string& option) {
  const std::string name = option.substr(0, option.find(':'));
  std::erase_if(options, [&](const std::string& o) { return o.substr(0, o.find(':')) == name; });
  options.push_back(option);
}

void apply_config(const PodSpec& pod, Resolver& r) {
  for (const json::Value& v : json::array_at(pod.doc, {"spec", "dnsConfig", "nameservers"})) {
    Resolver::add(r.servers, std::string(text_of(v)));
  }
  for (const json::Value& v : json::array_at(pod.doc, {"spec", "dnsConfig", "searches"})) {
    Resolver::add(r.searches, std::string(text_of(v)));
  }
  for (const json::Value& o : json::array_at(pod.doc, {"spec", "dnsConfig", "options"})) {
    const std::string value(json::string_at(o, {"value"}));
    set_option(r.options,
               std::string(json::string_at(o, {"name"})) + (value.empty() ? "" : ":" + value));
  }
}

}  // namespace

std::string hostname_of(const PodSpec& pod) {
  std::string name(json::string_at(pod.doc, {"spec", "hostname"}, pod.name));
  if (name.size() > kHostnameMax) {
    name.resize(kHostnameMax);
    while (!name.empty() && (name.back() == '-' || name.back() == '.')) name.pop_back();
  }
  return name;
}

std::string hosts_file(const PodSpec& pod, const std::string& pod_ip,
                       const std::string& cluster_domain, const std::string& host_file) {
  std::string out = "# Written by the node for this pod; changes are lost.\n";
  if (pod.host_network) {
    out += host_file;
  } else {
    out +=
        "127.0.0.1\tlocalhost\n"
        "::1\tlocalhost ip6-localhost ip6-loopback\n"
        "fe00::0\tip6-localnet\n"
        "fe00::1\tip6-allnodes\n"
        "fe00::2\tip6-allrouters\n";
    const std::string subdomain(json::string_at(pod.doc, {"spec", "subdomain"}));
    const std::string host = hostname_of(pod);
    out += pod_ip + "\t";
    if (!subdomain.empty())
      out += host + "." + subdomain + "." + pod.ns + ".svc." + cluster_domain + "\t";
    out += host + "\n";
  }
  for (const json::Value& alias : json::array_at(pod.doc, {"spec", "hostAliases"})) {
    out += json::string_at(alias, {"ip"});
    for (const json::Value& name : json::array_at(alias, {"hostnames"}))
      out += "\t" + std::string(text_of(name));
    out += "\n";
  }
  return out;
}

std::string resolv_conf(const PodSpec& pod, const DnsSettings& settings) {
  const std::string_view policy = json::string_at(pod.doc, {"spec", "dnsPolicy"}, "ClusterFirst");
  const Resolver host = parse_resolv(settings.host_resolv);
  const bool cluster =
      !settings.cluster_dns.empty() &&
      (policy == "ClusterFirstWithHostNet" || (policy == "ClusterFirst" && !pod.host_network));
  Resolver r;
  if (cluster) {
    r.servers = {settings.cluster_dns};
    r.searches = {pod.ns + ".svc." + settings.cluster_domain, "svc." + settings.cluster_domain,
                  settings.cluster_domain};
    for (const std::string& search : host.searches) Resolver::add(r.searches, search);
    r.options = {"ndots:5"};
  } else if (policy != "None") {
    r = host;
    if (!pod.host_network) {
      // A resolver on the host's loopback cannot be reached from a pod.
      std::erase_if(r.servers,
                    [](const std::string& s) { return s.starts_with("127.") || s == "::1"; });
      if (r.servers.empty() && !settings.cluster_dns.empty()) r.servers = {settings.cluster_dns};
    }
  }
  apply_config(pod, r);
  if (r.servers.size() > kNameserversMax) r.servers.resize(kNameserversMax);
  std::string out;
  for (const std::string& s : r.servers) out += "nameserver " + s + "\n";
  for (const auto& [verb, words] :
       {std::pair("search", r.searches), std::pair("options", r.options)}) {
    if (words.empty()) continue;
    out += verb;
    for (const std::string& w : words) out += " " + w;
    out += "\n";
  }
  return out;
}

}  // namespace atl::node
