#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "gateway/admin_socket.h"
#include "gateway/options.h"
#include "gateway/routes.h"

namespace atl::gateway {

// HAProxy as the controller sees it: files that it reads when it starts, and the same changes on
// its admin socket while it runs. Files come first for maps: a HAProxy that is killed at any moment
// comes back with all of them. For certificates HAProxy comes first: a file that it cannot read
// would keep it from starting, so only what it has accepted is written down.
//
// The last wall: whatever others let through, no entry and no certificate's name reaches a file or
// the socket that holds a blank, a control character, ';' or '\\', which would be a line or a
// command of its own there. It is left out and told in the log; the others stand.
//
// Everything blocks, and runs on the pool, one call at a time. Owned by the controller.
class DataPlane {
 public:
  explicit DataPlane(Options options);

  // Makes what HAProxy needs to start, the configuration last; what is there from the last time
  // stays. True where the configuration differs from the one before: a running HAProxy then has to
  // reload.
  Result<bool> prepare(const std::string& default_certificate_pem);

  struct Applied {
    bool live = false;  // HAProxy runs and has it all; else it will read it when it starts
    std::map<std::string, std::string> refused;  // certificate's name → why
  };
  Result<Applied> apply(const Plan& plan);

  // Asks atoll-supervise to reload HAProxy. kUnavailable where there is none.
  Result<> reload() const;
  // Replaces the certificate for hosts without one of their own.
  Result<> set_default_certificate(const std::string& pem);

 private:
  using Entries = std::map<std::string, std::string>;
  Result<Applied> carry_out(const Plan& plan);
  Result<> write_maps(const Plan& plan);
  Result<> update_map(const std::string& file, const Entries& before, const Entries& after);
  Result<> replace_map(const std::string& file, const Entries& entries);
  Result<> update_certificates(const Plan& plan, Applied& out);
  Result<> learn_certificates();
  Result<> put_certificate(const std::string& file, const std::string& pem);
  Result<> write_certificate_list(const std::map<std::string, Certificate>& certificates);
  Result<> remove_stale_files();
  std::string path_of(const std::string& certificate) const;

  Options options_;
  AdminSocket admin_;
  Entries exact_on_disk_, prefix_on_disk_;
  bool disk_known_ = false;
  int process_ = 0;  // the HAProxy that has what follows; 0: nobody knows
  Entries exact_live_, prefix_live_;
  std::map<std::string, Certificate> certificates_live_;
};

}  // namespace atl::gateway
