#include "kernel/node/runtime/base_layer.h"

#include "base/io/files.h"
#include "base/io/quick_file.h"

namespace atl::node {

Result<> make_base_layer(const std::string& folder) {
  for (const char* path :
       {"/proc", "/sys", "/dev", "/etc", "/run/secrets/kubernetes.io/serviceaccount",
        "/var/run/secrets/kubernetes.io/serviceaccount"}) {
    TRY_OK(io::make_folders(folder + path, 0755));
  }
  for (const char* path : {"/etc/hosts", "/etc/hostname", "/etc/resolv.conf"})
    TRY_OK(io::write_quickly(folder + path, "", 0644));
  return Unit{};
}

}  // namespace atl::node
