#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/async/timer.h"
#include "base/net/client.h"
#include "oci/image_store.h"
#include "oci/manifest.h"
#include "oci/reference.h"

namespace atl::oci {

// The pull half of the OCI distribution API: anonymous, basic and token authentication, redirects
// to storage. Plain HTTP is spoken to loopback registries only. Owned by one pull; one executor.
// Errors: kNotFound, kForbidden, kUnavailable, kInvalid (digest or size), kTooLarge.
class RegistryClient {
 public:
  RegistryClient(Executor executor, Timer& timer, Reference reference,
                 std::vector<Credentials> credentials, MonoTime deadline);
  ~RegistryClient();

  struct Fetched {
    std::string bytes;
    std::string digest;  // of the bytes
  };
  // By tag or digest; where it is a digest, the bytes match it.
  Task<Fetched> manifest(std::string tag_or_digest);
  // A small blob, verified.
  Task<std::string> blob(Descriptor descriptor);
  // A large one, piece by piece; the caller verifies. 200 only.
  Task<std::shared_ptr<net::BodyReader>> open_blob(Descriptor descriptor);

 private:
  Task<net::ClientResponse> get(std::string path, std::string accept);
  Task<net::ClientResponse> follow(net::ClientResponse response);
  Task<> login(std::string challenge);
  Task<std::string> fetch_token(std::string realm, std::string query, std::string basic);
  net::HttpClient& client_for(const std::string& origin);
  Result<Duration> left() const;

  Executor executor_;
  Timer& timer_;
  Reference reference_;
  std::vector<Credentials> credentials_;
  MonoTime deadline_;
  std::map<std::string, std::unique_ptr<net::HttpClient>> clients_;  // by origin
  std::string authorization_;
};

// Whether a registry ("ghcr.io", "localhost:5000") may lead us to this host, by a redirect or for a
// login: to loopback and link-local addresses only one that is there itself. Else whoever names an
// image speaks with this machine's own services, or a cloud's metadata, through us. For tests.
Result<> check_leads_to(std::string_view registry, std::string_view host);

// `Bearer realm="https://a/token",service="b",scope="c"` → its parameters. For tests and fuzzing.
std::map<std::string, std::string> parse_challenge(std::string_view header, std::string& scheme);

}  // namespace atl::oci
