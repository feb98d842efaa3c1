#pragma once

#include <string>
#include <vector>

#include "base/core/result.h"
#include "base/text/json.h"

namespace atl::cli {

// The documents of files, folders (their .yaml, .yml and .json files) and "-" (standard input), in
// order; a List becomes its items. Errors name the file.
Result<std::vector<json::Value>> read_manifests(const std::vector<std::string>& files);

}  // namespace atl::cli
