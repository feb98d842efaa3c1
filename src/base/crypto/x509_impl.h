#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/core/clock.h"
#include "base/core/rng.h"
#include "base/crypto/openssl_impl.h"
#include "base/crypto/x509.h"

// The pieces of which certificates and requests are made. Included by the sources of this folder
// only.
namespace atl::crypto {

struct Names {
  std::string common_name;
  std::vector<std::string> organizations;
  std::vector<std::string> dns_names;
  std::vector<std::string> ip_addresses;
};

// O=..., CN=... in the order that Kubernetes' tools print. kInvalid: a part is too long.
Result<> set_subject(X509_NAME* subject, const Names& names);
// "DNS:a,IP:1.2.3.4" as an extension; null where there are no names. kInvalid names the bad one.
Result<X509_EXTENSION*> alternative_names(const Names& names);
// Subject and alternative names of a request or certificate.
Names names_of(const X509_NAME* subject, const STACK_OF(GENERAL_NAME) * alternatives);

}  // namespace atl::crypto
