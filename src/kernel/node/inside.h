#pragma once

#include <cstdint>
#include <string>

#include "base/core/result.h"
#include "base/io/unique_fd.h"

// Paths that a pod names, below a folder that it may write: the folder is "/" for them, so that
// neither ".." nor a link leads out of it. Blocking. Errors as errno_error.
namespace atl::node {

// Empty where it cannot be opened; errno says why.
io::UniqueFd open_inside(int root, const std::string& path, uint64_t flags);
// The folders of a path that are missing, made one by one with mode 0755.
Result<> make_inside(int root, const std::string& path);

// "/a/b" of any spelling: absolute, without "." and "..", which end at "/".
std::string rooted(const std::string& path);

}  // namespace atl::node
