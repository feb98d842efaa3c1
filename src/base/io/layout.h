#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/core/result.h"

namespace atl::io {

// Where an instance of Atoll keeps things. The machine's own instance (home is empty) follows the
// system's folders; one under --home DIR keeps everything below DIR. Value type.
struct Layout {
  std::string home;      // empty, or an absolute folder
  std::string instance;  // "atoll", or "atoll-" + 6 hex digits of the home's hash: names cgroups,
                         // tables, links
  std::string etc;       // /etc/atoll          or DIR/etc
  std::string data;      // /var/lib/atoll      or DIR/data
  std::string run;       // /run/atoll          or DIR/run
  std::string lib;       // /usr/local/lib/atoll or DIR/lib: the executables

  static Layout of(std::string_view home);

  std::string config_file() const { return etc + "/atoll.conf"; }
  std::string admin_kubeconfig() const { return etc + "/admin.kubeconfig"; }
  std::string server_data() const { return data + "/server"; }  // owned by the server's user
  std::string pki() const { return data + "/pki"; }
  std::string agent_data() const { return data + "/agent"; }
  std::string keeper_data() const { return data + "/keeper"; }
  std::string gateway_data() const { return data + "/gateway"; }
  std::string agent_socket() const { return run + "/agent.sock"; }
  std::string keeper_socket() const { return run + "/keeper.sock"; }
  std::string supervise_socket() const { return run + "/supervise.sock"; }
  std::string gateway_socket() const { return run + "/haproxy.sock"; }
  std::string log_folder() const { return data + "/log"; }
};

// etc/atoll.conf: lines KEY=value, '#' comments. Readable by every program, shell included.
// API_PORT, HTTP_PORT, HTTPS_PORT, POD_CIDR, SERVICE_CIDR, DNS_IP, LINK_IP (link-local address of
// API and gateway for pods), NODE_NAME, CLUSTER_DOMAIN, GATEWAY_DOMAIN, SERVER_USER, GATEWAY_USER;
// docs/formats/atoll-conf.md says what each means, and which may be added.
class Config {
 public:
  // kNotFound where there is no file; kInvalid names the bad line.
  static Result<Config> load(const std::string& file);
  static Result<Config> parse(std::string_view text);
  std::string get(std::string_view key, std::string_view fallback = {}) const;
  // kInvalid where missing or not a number in 1..65535.
  Result<uint16_t> port(std::string_view key) const;
  // IP addresses, with blanks or commas between them; empty where the key is missing. kInvalid
  // names the one that is none.
  Result<std::vector<std::string>> addresses(std::string_view key) const;
  // kInvalid where missing.
  Result<std::string> require(std::string_view key) const;

 private:
  std::map<std::string, std::string, std::less<>> values_;
};

}  // namespace atl::io
