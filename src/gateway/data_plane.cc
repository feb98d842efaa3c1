#include "gateway/data_plane.h"

#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <sstream>

#include "base/io/files.h"
#include "base/observe/log.h"
#include "gateway/haproxy_config.h"

namespace atl::gateway {
namespace {

constexpr size_t kMostSingleChanges = 200;   // beyond that a map is replaced as a whole
constexpr size_t kPayloadBytes = 12 * 1024;  // a command fits into one buffer of HAProxy, 16 KiB

bool plain(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, [](char c) {
    return c > ' ' && c < 127 && c != ';' && c != '\\';
  });
}

bool plain(const std::pair<const std::string, std::string>& entry) {
  return plain(entry.first) && plain(entry.second);
}

bool plain(const std::pair<const std::string, Certificate>& entry) {
  return plain(entry.first) && entry.first.find('/') == std::string::npos &&
         std::ranges::all_of(entry.second.hosts,
                             [](const std::string& host) { return plain(host); });
}

std::string map_text(const std::map<std::string, std::string>& entries) {
  std::string out;
  for (const auto& [key, value] : entries) out += key + " " + value + "\n";
  return out;
}

// A payload ends at the first empty line.
std::string without_empty_lines(const std::string& pem) {
  std::istringstream lines(pem);
  std::string out;
  for (std::string line; std::getline(lines, line);) {
    while (!line.empty() && (line.back() == '\r' || line.back() == ' ')) line.pop_back();
    if (!line.empty()) out += line + "\n";
  }
  return out;
}

std::string list_entry(const std::string& path, const std::set<std::string>& hosts) {
  std::string out = path;
  for (const std::string& host : hosts) out += " " + host;
  return out;
}

// HAProxy explains over several lines; people need the reason alone.
std::string in_one_line(std::string text) {
  std::ranges::replace(text, '\n', ' ');
  return text;
}

Result<> write_if_missing(const std::string& file, std::string_view bytes) {
  if (std::filesystem::exists(file)) return Unit{};
  return io::write_file_atomic(file, bytes, 0600);
}

}  // namespace

DataPlane::DataPlane(Options options)
    : options_(std::move(options)), admin_(options_.admin_socket()) {}

std::string DataPlane::path_of(const std::string& certificate) const {
  return options_.certificate_folder() + "/" + certificate;
}

Result<bool> DataPlane::prepare(const std::string& default_certificate_pem) {
  TRY_OK(io::make_folders(options_.folder, 0755));
  TRY_OK(io::make_folders(options_.certificate_folder(), 0700));
  TRY_OK(io::write_file_atomic(options_.default_certificate(), default_certificate_pem, 0600));
  TRY_OK(io::write_file_atomic(options_.default_list(),
                               options_.default_certificate() + " default.invalid\n", 0600));
  TRY_OK(write_if_missing(options_.exact_map(), ""));
  TRY_OK(write_if_missing(options_.prefix_map(), ""));
  TRY_OK(write_if_missing(options_.certificate_list(), ""));
  const std::string config = haproxy_config(options_);
  auto before = io::read_file(options_.config_file());
  if (before && *before == config) return false;
  TRY_OK(io::write_file_atomic(options_.config_file(), config, 0600));
  return before.has_value();
}

Result<DataPlane::Applied> DataPlane::apply(const Plan& plan) {
  const auto odd = [](const auto& entry) { return !plain(entry); };
  if (std::ranges::none_of(plan.exact, odd) && std::ranges::none_of(plan.prefix, odd) &&
      std::ranges::none_of(plan.certificates, odd)) {
    return carry_out(plan);
  }
  Plan rest = plan;
  const size_t left_out = std::erase_if(rest.exact, odd) + std::erase_if(rest.prefix, odd) +
                          std::erase_if(rest.certificates, odd);
  log::error("routes that HAProxy would take for commands are left out", {{"count", left_out}});
  return carry_out(rest);
}

Result<DataPlane::Applied> DataPlane::carry_out(const Plan& plan) {
  Applied out;
  TRY_OK(write_maps(plan));
  const auto process = admin_.process();
  if (!process) {
    process_ = 0;
    return out;
  }
  const bool same = *process == process_;
  process_ = 0;  // unknown again, should anything below fail
  if (same) {
    TRY_OK(update_map(options_.exact_map(), exact_live_, plan.exact));
    TRY_OK(update_map(options_.prefix_map(), prefix_live_, plan.prefix));
  } else {
    TRY_OK(replace_map(options_.exact_map(), plan.exact));
    TRY_OK(replace_map(options_.prefix_map(), plan.prefix));
    TRY_OK(learn_certificates());
  }
  exact_live_ = plan.exact;
  prefix_live_ = plan.prefix;
  TRY_OK(update_certificates(plan, out));
  process_ = *process;
  out.live = true;
  return out;
}

Result<> DataPlane::write_maps(const Plan& plan) {
  if (!disk_known_ || exact_on_disk_ != plan.exact) {
    TRY_OK(io::write_file_atomic(options_.exact_map(), map_text(plan.exact), 0600));
    exact_on_disk_ = plan.exact;
  }
  if (!disk_known_ || prefix_on_disk_ != plan.prefix) {
    TRY_OK(io::write_file_atomic(options_.prefix_map(), map_text(plan.prefix), 0600));
    prefix_on_disk_ = plan.prefix;
  }
  disk_known_ = true;
  return Unit{};
}

Result<> DataPlane::update_map(const std::string& file, const Entries& before,
                               const Entries& after) {
  std::vector<std::string> commands;
  for (const auto& [key, value] : after) {
    const auto it = before.find(key);
    if (it == before.end()) {
      commands.push_back(fmt::format("add map {} {} {}", file, key, value));
    } else if (it->second != value) {
      commands.push_back(fmt::format("set map {} {} {}", file, key, value));
    }
  }
  for (const auto& [key, value] : before) {
    if (!after.contains(key)) commands.push_back(fmt::format("del map {} {}", file, key));
  }
  if (commands.size() > kMostSingleChanges) return replace_map(file, after);
  for (const std::string& command : commands) TRY_OK(admin_.run(command));
  return Unit{};
}

// A new version of the map is filled beside the live one and takes its place at once.
Result<> DataPlane::replace_map(const std::string& file, const Entries& entries) {
  TRY(const std::string answer, admin_.ask("prepare map " + file));
  const size_t colon = answer.rfind(": ");
  if (!answer.starts_with("New version created") || colon == std::string::npos) {
    return Error(Code::kInvalid, "HAProxy: " + answer);
  }
  const std::string version = answer.substr(colon + 2);
  std::string payload;
  const auto send = [&]() -> Result<> {
    if (payload.empty()) return Unit{};
    TRY_OK(admin_.run(fmt::format("add map @{} {} <<\n{}", version, file, payload)));
    payload.clear();
    return Unit{};
  };
  for (const auto& [key, value] : entries) {
    payload += key + " " + value + "\n";
    if (payload.size() > kPayloadBytes) TRY_OK(send());
  }
  TRY_OK(send());
  return admin_.run(fmt::format("commit map @{} {}", version, file));
}

// What a HAProxy that we have not talked to yet shows for which host. The certificates' own bytes
// are not to be had: they count as unknown, and are set again, which no connection notices.
Result<> DataPlane::learn_certificates() {
  TRY(const std::string listing, admin_.ask("show ssl crt-list " + options_.certificate_list()));
  certificates_live_.clear();
  const std::string folder = options_.certificate_folder() + "/";
  std::istringstream lines(listing);
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with(folder)) continue;
    std::istringstream words(line.substr(folder.size()));
    std::string name;
    words >> name;
    Certificate& certificate = certificates_live_[name];
    for (std::string host; words >> host;) certificate.hosts.insert(host);
  }
  return Unit{};
}

Result<> DataPlane::put_certificate(const std::string& file, const std::string& pem) {
  TRY(const std::string made, admin_.ask("new ssl cert " + file));
  if (made.find("already exists") == std::string::npos &&
      made.find("New empty certificate") == std::string::npos) {
    return Error(Code::kInvalid, in_one_line(made));
  }
  const std::string text = without_empty_lines(pem);
  TRY(const std::string set, admin_.ask(fmt::format("set ssl cert {} <<\n{}", file, text)));
  if (set.find("Transaction created") == std::string::npos &&
      set.find("Transaction updated") == std::string::npos) {
    return Error(Code::kInvalid, in_one_line(set));
  }
  TRY(const std::string committed, admin_.ask("commit ssl cert " + file));
  if (committed.find("Success") != std::string::npos) return Unit{};
  (void)admin_.ask("abort ssl cert " + file);
  return Error(Code::kInvalid, in_one_line(committed));
}

Result<> DataPlane::update_certificates(const Plan& plan, Applied& out) {
  std::map<std::string, Certificate> accepted;
  for (const auto& [name, wanted] : plan.certificates) {
    const auto live = certificates_live_.find(name);
    const bool known = live != certificates_live_.end();
    const std::string file = path_of(name);
    if (!known || live->second.pem != wanted.pem) {
      auto put = put_certificate(file, wanted.pem);
      if (!put && put.error().code() == Code::kUnavailable) return put;
      if (!put) {
        out.refused[name] = put.error().message();
        if (known) accepted[name] = live->second;  // goes on with the one it has
        continue;
      }
      TRY_OK(io::write_file_atomic(file, wanted.pem, 0600));
    }
    if (!known || live->second.hosts != wanted.hosts) {
      if (known) {
        TRY_OK(
            admin_.ask(fmt::format("del ssl crt-list {} {}", options_.certificate_list(), file)));
      }
      TRY(const std::string added,
          admin_.ask(fmt::format("add ssl crt-list {} <<\n{}\n", options_.certificate_list(),
                                 list_entry(file, wanted.hosts))));
      if (added.find("Success") == std::string::npos) {
        out.refused[name] = in_one_line(added);
        continue;
      }
    }
    accepted[name] = wanted;
  }
  for (const auto& [name, certificate] : certificates_live_) {
    if (accepted.contains(name)) continue;
    TRY_OK(admin_.ask(
        fmt::format("del ssl crt-list {} {}", options_.certificate_list(), path_of(name))));
    TRY_OK(admin_.ask("del ssl cert " + path_of(name)));
  }
  certificates_live_ = std::move(accepted);
  TRY_OK(write_certificate_list(certificates_live_));
  return remove_stale_files();
}

Result<> DataPlane::write_certificate_list(const std::map<std::string, Certificate>& certificates) {
  std::string text;
  for (const auto& [name, certificate] : certificates) {
    text += list_entry(path_of(name), certificate.hosts) + "\n";
  }
  auto before = io::read_file(options_.certificate_list());
  if (before && *before == text) return Unit{};
  return io::write_file_atomic(options_.certificate_list(), text, 0600);
}

// Files that the list no longer names: only after the list was written.
Result<> DataPlane::remove_stale_files() {
  std::error_code error;
  for (const auto& entry :
       std::filesystem::directory_iterator(options_.certificate_folder(), error)) {
    const std::string name = entry.path().filename().string();
    if (certificates_live_.contains(name)) continue;
    if (::unlink(entry.path().c_str()) != 0 && errno != ENOENT) {
      return io::errno_error("remove " + entry.path().string(), errno);
    }
  }
  return Unit{};
}

Result<> DataPlane::set_default_certificate(const std::string& pem) {
  TRY_OK(io::write_file_atomic(options_.default_certificate(), pem, 0600));
  if (!admin_.process()) return Unit{};  // it will read the file
  return put_certificate(options_.default_certificate(), pem);
}

Result<> DataPlane::reload() const {
  const AdminSocket supervise(options_.supervise_socket);
  TRY(const std::string answer, supervise.ask("reload haproxy"));
  if (answer.starts_with("error")) return Error(Code::kUnavailable, "atoll-supervise: " + answer);
  return Unit{};
}

}  // namespace atl::gateway
