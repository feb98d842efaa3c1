#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/core/result.h"
#include "base/io/layout.h"

namespace atl::gateway {

// Where the gateway listens and keeps its files. Value type.
struct Options {
  std::string folder;  // configuration, maps, certificates; writable by us, readable by HAProxy
  std::vector<std::string> addresses = {
      "127.0.0.1"};  // and LINK_IP, for pods, and GATEWAY_ADDRESSES
  uint16_t http_port = 80;
  uint16_t https_port = 443;
  uint64_t max_body_bytes = uint64_t(1) << 30;  // of a request that says how long it is
  uint32_t max_connections = 8000;
  std::string status_address = "127.0.0.1";  // what status.loadBalancer of an Ingress says
  // Where to ask for a reload when the configuration itself changed (ports, addresses); see
  // gateway.h.
  std::string supervise_socket;

  // kInvalid names the key.
  static Result<Options> from(const io::Layout& layout, const io::Config& config);

  std::string config_file() const { return folder + "/haproxy.cfg"; }
  std::string exact_map() const { return folder + "/exact.map"; }
  std::string prefix_map() const { return folder + "/prefix.map"; }
  std::string certificate_list() const { return folder + "/certificates.list"; }
  std::string certificate_folder() const { return folder + "/certificates"; }
  std::string default_certificate() const { return folder + "/default.pem"; }
  // Names the default certificate, under a name that no client asks for.
  std::string default_list() const { return folder + "/default.list"; }
  // Not in the run folder: that is root's, and HAProxy makes the socket as its own user.
  std::string admin_socket() const { return folder + "/admin.sock"; }
};

}  // namespace atl::gateway
