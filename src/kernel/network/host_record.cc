#include "kernel/network/host_record.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <sstream>

#include "base/io/files.h"

namespace atl::network {

Result<HostRecord> HostRecord::load(const std::string& folder) {
  HostRecord out(folder);
  auto text = io::read_file(out.file(), 1 << 20);
  if (!text && text.error().code() == Code::kNotFound) return out;
  if (!text) return std::move(text).error();
  TRY_OK(out.parse(*text));
  return out;
}

Result<> HostRecord::parse(const std::string& text) {
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string what, name, value;
    words >> what >> name >> value;
    if (what == "sysctl" && !value.empty() && name.find("..") == std::string::npos) {
      sysctls_[name] = value;
    } else if (what == "address" && Ipv4::parse(name)) {
      addresses_.insert(name);
    } else if (what == "route" && Ipv4Range::parse(name)) {
      routes_.insert(name);
    } else if (!line.empty()) {
      return Error(Code::kInvalid, fmt::format("{}: '{}' is no fact it knows", file(), line));
    }
  }
  return Unit{};
}

Result<> HostRecord::save() const {
  std::string text;
  for (const auto& [path, before] : sysctls_) text += fmt::format("sysctl {} {}\n", path, before);
  for (const auto& ip : addresses_) text += fmt::format("address {}\n", ip);
  for (const auto& range : routes_) text += fmt::format("route {}\n", range);
  TRY_OK(io::make_folders(folder_, 0700));
  return io::write_file_atomic(file(), text, 0600);
}

Result<> HostRecord::add_sysctl(const std::string& path, const std::string& before) {
  if (!sysctls_.emplace(path, before).second) return Unit{};
  return save();
}

Result<> HostRecord::add_address(Ipv4 ip) {
  if (!addresses_.insert(ip.text()).second) return Unit{};
  return save();
}

Result<> HostRecord::add_route(const Ipv4Range& range) {
  if (!routes_.insert(range.text()).second) return Unit{};
  return save();
}

Result<> HostRecord::forget_sysctl(const std::string& path) {
  if (sysctls_.erase(path) == 0) return Unit{};
  return save();
}

Result<> HostRecord::remove() {
  if (::unlink(file().c_str()) != 0 && errno != ENOENT) {
    return io::errno_error("remove " + file(), errno);
  }
  return Unit{};
}

}  // namespace atl::network
