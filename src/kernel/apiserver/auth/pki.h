#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/core/clock.h"
#include "base/core/result.h"
#include "base/core/rng.h"
#include "base/crypto/x509.h"

namespace atl::apiserver {

struct PkiOptions {
  std::string folder;     // Layout::pki(); made with mode 700 where missing
  std::string node_name;  // the agent's certificate is for system:node:<node_name>
  std::string cluster_domain = "cluster.local";
  std::vector<std::string>
      addresses;  // of the API besides loopback: LINK_IP, the first service address
  std::vector<std::string> host_names;  // of the API besides the usual ones
};

// The keys of one instance: its authority, the API's certificate, the client certificates of the
// administrator and of the agent, and the key that signs service-account tokens.
//
// Owned by main(). Files in `folder`, all of mode 600: ca.crt ca.key server.crt server.key
// admin.crt admin.key agent.crt agent.key service-account.key service-account.pub. open() is
// idempotent: it makes what is missing, renews what has less than a third of its life left, and
// makes a certificate again whose names changed or whose key does not fit (a crash between two
// files). The authority alone is never replaced: where ca.crt stands but its key is gone or
// foreign, open() fails with a sentence, because every kubeconfig handed out depends on it.
// Blocking; errors: kInvalid (damaged files), those of io otherwise.
class Pki {
 public:
  static Result<std::unique_ptr<Pki>> open(PkiOptions options, const Clock& clock, Rng& rng);

  const crypto::CertificateAuthority& authority() const { return *authority_; }
  const crypto::Issued& server() const { return server_; }
  const crypto::Issued& admin() const { return admin_; }
  const crypto::Issued& agent() const { return agent_; }
  const crypto::PrivateKey& token_key() const { return token_key_; }

  // Renews what is due; call daily. True where the API's own certificate changed: give it to the
  // listener.
  Result<bool> renew();

  // A kubeconfig with everything inside: for `server_url` as the administrator or as the agent.
  crypto::Secret admin_kubeconfig(const std::string& server_url) const;
  crypto::Secret agent_kubeconfig(const std::string& server_url) const;

 private:
  Pki(PkiOptions options, const Clock& clock,
      std::unique_ptr<crypto::CertificateAuthority> authority, crypto::PrivateKey token_key)
      : options_(std::move(options)),
        clock_(clock),
        authority_(std::move(authority)),
        token_key_(std::move(token_key)) {}

  crypto::ServerRequest server_request() const;
  bool still_good(const crypto::Issued& issued, const crypto::CertificateInfo& wanted) const;

  PkiOptions options_;
  const Clock& clock_;
  std::unique_ptr<crypto::CertificateAuthority> authority_;
  crypto::PrivateKey token_key_;
  crypto::Issued server_, admin_, agent_;
};

// Writes a kubeconfig, mode 600, the old or the new and never half.
Result<> write_kubeconfig(const std::string& path, const crypto::Secret& text);

}  // namespace atl::apiserver
