#pragma once

#include <span>
#include <string_view>

namespace atl::api {

struct EmbeddedFile {
  std::string_view name;  // "apps.v1"
  std::string_view text;  // JSON, docs/formats/kinds.md
};

// The files of kinds/ in discovery order; they live as long as the program.
std::span<const EmbeddedFile> embedded_kinds();

}  // namespace atl::api
