#pragma once

#include <string>
#include <vector>

#include "cli/resources.h"

namespace atl::cli {

// One type, and the names asked for (none: all).
struct Selection {
  ResourceType type;
  std::vector<std::string> names;
};

// "pods", "pods a b", "pods,services", "deploy/web svc/web" → types and names. kInvalid on a
// mixture.
Result<std::vector<Selection>> select(const Resources& resources,
                                      const std::vector<std::string>& words);

// A pod by name, or a pod behind "deploy/web", "rs/x", "svc/web": the first one that is ready, else
// the first.
Result<std::string> choose_pod(Session& session, const std::string& word);

}  // namespace atl::cli
