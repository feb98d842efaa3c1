#pragma once

#include <string_view>
#include <vector>

#include "base/text/json.h"
#include "oci/image_store.h"

namespace atl::node {

// The logins in a Secret of type kubernetes.io/dockerconfigjson or dockercfg; none where it is
// malformed.
std::vector<oci::Credentials> credentials_in(const json::Value& secret);

}  // namespace atl::node
