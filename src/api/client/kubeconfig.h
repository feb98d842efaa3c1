#pragma once

#include <string>

#include "base/core/result.h"
#include "base/net/client.h"

namespace atl::api {

// How to reach a cluster and as whom: one context of a kubeconfig. Value type; holds secrets.
struct ClusterAccess {
  net::Endpoint endpoint;   // with CA, client certificate and key as PEM
  std::string path_prefix;  // of a server URL with a path, without the last '/'; usually empty
  std::string token;        // bearer token, may be empty
  std::string ns;           // the context's namespace; "default" where none is set
  std::string context;      // its name
};

// Reads a kubeconfig file; `context` empty: the current one. Certificates stand inside or in files
// relative to it. Programs that a kubeconfig names (exec, auth-provider) are never run.
// kNotFound: no file or no such context; kInvalid: with the field; kForbidden: may not be read;
// kMethodNotAllowed: the user needs a program.
Result<ClusterAccess> load_kubeconfig(const std::string& file, const std::string& context = {});
// The same from text; `folder` is where relative file names start.
Result<ClusterAccess> parse_kubeconfig(std::string_view text, const std::string& folder,
                                       const std::string& context = {});

}  // namespace atl::api
