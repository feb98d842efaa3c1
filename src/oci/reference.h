#pragma once

#include <string>
#include <string_view>

#include "base/core/result.h"

namespace atl::oci {

// The name of an image as users write it, taken apart and normalized the way Docker does:
// "redis" → docker.io/library/redis:latest. Value type.
struct Reference {
  std::string registry;    // "docker.io", "localhost:5000"
  std::string repository;  // "library/redis"
  std::string tag;         // empty where only a digest is given
  std::string digest;      // "sha256:...", may be empty

  std::string repository_name() const { return registry + "/" + repository; }
  // "docker.io/library/redis:7", "docker.io/library/redis@sha256:..."
  std::string text() const;
  // Where the registry's API is: docker.io answers at registry-1.docker.io.
  std::string api_host() const;
};

// kBadRequest with the rule that is broken.
Result<Reference> parse_reference(std::string_view text);

// "sha256:" and 64 lower-case hex digits (the one algorithm accepted for content).
bool is_digest(std::string_view text);

}  // namespace atl::oci
