#pragma once

#include <string>

#include "base/core/result.h"

namespace atl::node {

// The lowest layer of every container: empty folders and files for what is mounted into it anyway
// (/proc, /dev, /etc/hosts, the service account's token …). Where the image has them not, the
// runtime would otherwise make each in the container's own layer on disk, at every start.
// Idempotent.
Result<> make_base_layer(const std::string& folder);

}  // namespace atl::node
