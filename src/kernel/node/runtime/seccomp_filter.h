#pragma once

#include <string>

#include "base/core/result.h"
#include "base/text/json.h"

namespace atl::node {

// The BPF program (an array of struct sock_filter) of an OCI linux.seccomp object, by libseccomp,
// in the way in which crun compiles it: names that the library does not know are left out. Takes
// milliseconds: keep the result. kInvalid names what is not understood.
Result<std::string> compile_seccomp(const json::Value& seccomp);

}  // namespace atl::node
