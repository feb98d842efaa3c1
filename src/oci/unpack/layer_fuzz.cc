// Any bytes as a layer: an error or an image, never more than that.
#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>

#include "base/io/unique_fd.h"
#include "oci/unpack/unpack.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const atl::io::UniqueFd in(::memfd_create("in", MFD_CLOEXEC)),
      out(::memfd_create("out", MFD_CLOEXEC));
  if (::write(in.get(), data, size) != ssize_t(size)) return 0;
  ::lseek(in.get(), 0, SEEK_SET);
  const auto result =
      atl::oci::unpack_layer(in.get(), out.get(), {.bytes = 1 << 20, .entries = 1000});
  return result && result->bytes == 0 ? -1 : 0;
}
