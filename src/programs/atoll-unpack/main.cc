// Reads foreign archives with no privilege: started by the agent for one archive, then gone.
//   atoll-unpack layer      stdin: a layer's tar; fd 3: the EROFS image to write
//   atoll-unpack archive    stdin: a Docker or OCI archive; its files go to the current folder
// stdout: the result, a line each. On failure: one line on stderr, exit code 1.
#include <unistd.h>

#include <cstdio>
#include <string_view>

#include "oci/unpack/unpack.h"

namespace {

int fail(const atl::Error& error) {
  std::fprintf(stderr, "%s\n", error.message().c_str());
  return 1;
}

int layer() {
  if (auto ready = atl::oci::enter_sandbox(atl::oci::FileAccess::kNone); !ready)
    return fail(ready.error());
  const auto result = atl::oci::unpack_layer(STDIN_FILENO, 3, {});
  if (!result) return fail(result.error());
  std::printf("%s %llu\n", result->diff_id.c_str(), static_cast<unsigned long long>(result->bytes));
  return 0;
}

int archive() {
  if (auto ready = atl::oci::enter_sandbox(atl::oci::FileAccess::kBelowHere); !ready)
    return fail(ready.error());
  const auto members = atl::oci::unpack_archive(STDIN_FILENO, {});
  if (!members) return fail(members.error());
  for (const auto& member : *members) {
    // Four fields, a tab between them; paths hold no tab or newline, or the line would lie.
    const bool odd = (member.path + member.target).find_first_of("\t\n") != std::string::npos;
    if (odd) return fail({atl::Code::kInvalid, "a path in the archive holds a tab or a newline"});
    std::printf("%s\t%llu\t%s\t%s\n", member.digest.c_str(),
                static_cast<unsigned long long>(member.size), member.path.c_str(),
                member.target.c_str());
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  const std::string_view job = argc == 2 ? argv[1] : "";
  if (job == "layer") return layer();
  if (job == "archive") return archive();
  std::fprintf(stderr, "usage: atoll-unpack layer|archive (started by atoll-agent)\n");
  return 2;
}
