#include "kernel/node/runtime/security.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "kernel/node/json_read.h"

namespace atl::node {
namespace {

constexpr int64_t kIdMax = 0x7fffffff;

std::optional<uint32_t> number(std::string_view text) {
  uint32_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::vector<std::string_view> split(std::string_view text, char at) {
  std::vector<std::string_view> out;
  for (;;) {
    const size_t end = text.find(at);
    out.push_back(text.substr(0, end));
    if (end == std::string_view::npos) return out;
    text.remove_prefix(end + 1);
  }
}

// Calls f with the fields of each line that has at least `least`; stops where f returns true.
template <class F>
void each_entry(std::string_view file, size_t least, F f) {
  for (const std::string_view line : split(file, '\n')) {
    const auto fields = split(line, ':');
    if (fields.size() >= least && f(fields)) return;
  }
}

void add_groups_of(std::string_view name, const UserDatabase& database, ProcessUser& user) {
  each_entry(database.group, 4, [&](const auto& f) {
    const auto gid = number(f[2]);
    const auto members = split(f[3], ',');
    if (gid && std::find(members.begin(), members.end(), name) != members.end())
      user.groups.push_back(*gid);
    return false;
  });
}

// The container's field counts more than the pod's.
const json::Value* setting(const PodSpec& pod, const json::Value& container,
                           std::string_view name) {
  if (const json::Value* own = json::find(container, {"securityContext", name})) return own;
  return json::find(pod.doc, {"spec", "securityContext", name});
}

// A number that is no id must not read as "none": the image's user may be root.
Result<uint32_t> id_of(const json::Value& value, std::string_view name) {
  const int64_t id = json::int_at(value, {}, -1);
  if (id < 0 || id > kIdMax)
    return Error(Code::kInvalid,
                 fmt::format("securityContext.{}: {} is no id", name, json::serialize(value)));
  return uint32_t(id);
}

Result<std::optional<uint32_t>> id_setting(const PodSpec& pod, const json::Value& container,
                                           std::string_view name) {
  const json::Value* value = setting(pod, container, name);
  if (!value || value->is_null()) return std::optional<uint32_t>();
  TRY(const uint32_t id, id_of(*value, name));
  return std::optional<uint32_t>(id);
}

std::string capability(std::string_view name) {
  std::string out(name);
  for (char& c : out) c = char(std::toupper(static_cast<unsigned char>(c)));
  return out.starts_with("CAP_") ? out : "CAP_" + out;
}

std::set<std::string> capabilities_of(const json::Value& container) {
  std::set<std::string> out = default_capabilities();
  const json::Array& drop = json::array_at(container, {"securityContext", "capabilities", "drop"});
  const json::Array& add = json::array_at(container, {"securityContext", "capabilities", "add"});
  const auto is_all = [](const json::Value& v) { return capability(text_of(v)) == "CAP_ALL"; };
  if (std::any_of(add.begin(), add.end(), is_all)) out = all_capabilities();
  if (std::any_of(drop.begin(), drop.end(), is_all)) out.clear();
  for (const json::Value& v : drop) out.erase(capability(text_of(v)));
  for (const json::Value& v : add) {
    if (!is_all(v) && !text_of(v).empty()) out.insert(capability(text_of(v)));
  }
  return out;
}

Result<bool> seccomp_of(const PodSpec& pod, const json::Value& container) {
  const json::Value* profile = setting(pod, container, "seccompProfile");
  if (!profile) return true;
  const std::string_view type = json::string_at(*profile, {"type"});
  if (type == "RuntimeDefault") return true;
  if (type == "Unconfined") return false;
  return Error(Code::kInvalid, "seccomp profiles of type Localhost are not offered by this node");
}

}  // namespace

const std::set<std::string>& default_capabilities() {
  static const std::set<std::string> all = {
      "CAP_AUDIT_WRITE", "CAP_CHOWN",   "CAP_DAC_OVERRIDE",     "CAP_FOWNER",    "CAP_FSETID",
      "CAP_KILL",        "CAP_MKNOD",   "CAP_NET_BIND_SERVICE", "CAP_NET_RAW",   "CAP_SETFCAP",
      "CAP_SETGID",      "CAP_SETPCAP", "CAP_SETUID",           "CAP_SYS_CHROOT"};
  return all;
}

const std::set<std::string>& all_capabilities() {
  static const std::set<std::string> all = [] {
    std::set<std::string> out = default_capabilities();
    for (const char* name :
         {"AUDIT_CONTROL",   "AUDIT_READ",   "BLOCK_SUSPEND", "BPF",           "CHECKPOINT_RESTORE",
          "DAC_READ_SEARCH", "IPC_LOCK",     "IPC_OWNER",     "LEASE",         "LINUX_IMMUTABLE",
          "MAC_ADMIN",       "MAC_OVERRIDE", "NET_ADMIN",     "NET_BROADCAST", "PERFMON",
          "SYS_ADMIN",       "SYS_BOOT",     "SYS_MODULE",    "SYS_NICE",      "SYS_PACCT",
          "SYS_PTRACE",      "SYS_RAWIO",    "SYS_RESOURCE",  "SYS_TIME",      "SYS_TTY_CONFIG",
          "SYSLOG",          "WAKE_ALARM"}) {
      out.insert(std::string("CAP_") + name);
    }
    return out;
  }();
  return all;
}

Result<ProcessUser> resolve_user(std::string_view text, const UserDatabase& database) {
  ProcessUser user;
  const size_t colon = text.find(':');
  const std::string_view who = text.substr(0, colon);
  const std::string_view group =
      colon == std::string_view::npos ? std::string_view() : text.substr(colon + 1);
  const auto uid = number(who);
  std::string name;
  bool found = false;
  if (!who.empty()) {
    each_entry(database.passwd, 4, [&](const auto& f) {
      const auto entry = number(f[2]);
      if (uid ? entry != uid : f[0] != who) return false;
      name = f[0], user.uid = entry.value_or(0), user.gid = number(f[3]).value_or(0);
      return found = true;
    });
    if (!found && !uid) {
      return Error(Code::kInvalid,
                   fmt::format("unable to find user {}: no matching entries in passwd file", who));
    }
    if (uid) user.uid = *uid;
  }
  if (!group.empty()) {
    bool known = false;
    if (const auto gid = number(group)) {
      user.gid = *gid, known = true;
    } else {
      each_entry(database.group, 3, [&](const auto& f) {
        if (f[0] != group) return false;
        user.gid = number(f[2]).value_or(0);
        return known = true;
      });
    }
    if (!known) {
      return Error(
          Code::kInvalid,
          fmt::format("unable to find group {}: no matching entries in group file", group));
    }
  } else if (!name.empty()) {
    add_groups_of(name, database, user);
  }
  return user;
}

Result<Security> security_of(const PodSpec& pod, const json::Value& container,
                             std::string_view image_user, const UserDatabase& database) {
  Security out;
  TRY(const auto uid, id_setting(pod, container, "runAsUser"));
  TRY(out.user, resolve_user(uid ? std::to_string(*uid) : std::string(image_user), database));
  TRY(const auto gid, id_setting(pod, container, "runAsGroup"));
  if (gid) out.user.gid = *gid;
  const json::Value* non_root = setting(pod, container, "runAsNonRoot");
  if (non_root && non_root->is_bool() && non_root->get_bool() && out.user.uid == 0) {
    return Error(Code::kInvalid, uid ? "container's runAsUser breaks non-root policy"
                                     : "container has runAsNonRoot and image will run as root");
  }
  for (const json::Value& group :
       json::array_at(pod.doc, {"spec", "securityContext", "supplementalGroups"})) {
    TRY(const uint32_t id, id_of(group, "supplementalGroups"));
    out.user.groups.push_back(id);
  }
  if (const json::Value* group = json::find(pod.doc, {"spec", "securityContext", "fsGroup"});
      group && !group->is_null()) {
    TRY(out.fs_group, id_of(*group, "fsGroup"));
    out.user.groups.push_back(*out.fs_group);
  }
  std::sort(out.user.groups.begin(), out.user.groups.end());
  out.user.groups.erase(std::unique(out.user.groups.begin(), out.user.groups.end()),
                        out.user.groups.end());
  out.privileged = json::bool_at(container, {"securityContext", "privileged"});
  out.no_new_privileges =
      !json::bool_at(container, {"securityContext", "allowPrivilegeEscalation"}, true);
  out.read_only_root = json::bool_at(container, {"securityContext", "readOnlyRootFilesystem"});
  out.masked_paths =
      json::string_at(container, {"securityContext", "procMount"}) != "Unmasked" && !out.privileged;
  out.capabilities = out.privileged ? all_capabilities() : capabilities_of(container);
  TRY(out.seccomp, seccomp_of(pod, container));
  out.seccomp = out.seccomp && !out.privileged;
  return out;
}

}  // namespace atl::node
