#pragma once

#include <map>
#include <set>
#include <string>

#include "base/core/result.h"
#include "kernel/network/address.h"

namespace atl::network {

// What this instance changed on the host, so that `--reset` can undo it without any configuration.
// A text file, one fact a line, rewritten durably before the change it tells of:
//   sysctl net/ipv4/conf/eth0/forwarding 0     (path below /proc/sys, value before)
//   address 169.254.20.1                       (on lo)
//   route 10.96.0.0/16                         (through lo)
// Blocking. One thread at a time. Errors of the file system, kInvalid for a line it does not know.
class HostRecord {
 public:
  // An empty record where there is no file.
  static Result<HostRecord> load(const std::string& folder);

  // Each keeps the first value it was told. Writes the file where anything is new.
  Result<> add_sysctl(const std::string& path, const std::string& before);
  Result<> add_address(Ipv4 ip);
  Result<> add_route(const Ipv4Range& range);
  Result<> forget_sysctl(const std::string& path);
  // Removes the file.
  Result<> remove();

  const std::map<std::string, std::string>& sysctls() const { return sysctls_; }
  const std::set<std::string>& addresses() const { return addresses_; }
  const std::set<std::string>& routes() const { return routes_; }

 private:
  explicit HostRecord(std::string folder) : folder_(std::move(folder)) {}
  std::string file() const { return folder_ + "/host"; }
  Result<> parse(const std::string& text);
  Result<> save() const;

  std::string folder_;
  std::map<std::string, std::string> sysctls_;
  std::set<std::string> addresses_;
  std::set<std::string> routes_;
};

}  // namespace atl::network
