#include "kernel/node/volumes/pod_volumes.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>

#include "base/io/files.h"
#include "kernel/node/inside.h"
#include "kernel/node/json_read.h"
#include "kernel/node/pod/resources.h"

namespace atl::node {
namespace {

namespace fs = std::filesystem;

constexpr uint32_t kGroupFolderMode = 02775;
constexpr uint32_t kOpenFolderMode = 0777;

Result<> wanted_kind(const std::string& path, const struct stat& about, std::string_view type) {
  const std::pair<std::string_view, mode_t> kinds[] = {
      {"Directory", S_IFDIR},    {"DirectoryOrCreate", S_IFDIR}, {"File", S_IFREG},
      {"FileOrCreate", S_IFREG}, {"Socket", S_IFSOCK},           {"CharDevice", S_IFCHR},
      {"BlockDevice", S_IFBLK}};
  for (const auto& [name, kind] : kinds) {
    if (type == name && (about.st_mode & S_IFMT) != kind) {
      return Error(Code::kNotFound,
                   fmt::format("hostPath type check failed: {} is not a {}", path, type));
    }
  }
  return Unit{};
}

std::string propagation(const json::Value& mount) {
  const std::string_view mode = json::string_at(mount, {"mountPropagation"});
  if (mode == "Bidirectional") return "rshared";
  return mode == "HostToContainer" ? "rslave" : "rprivate";
}

// What the API wrote is for reading, whatever the mount says.
bool read_only(const PodSpec& pod, const json::Value& mount) {
  if (json::bool_at(mount, {"readOnly"})) return true;
  for (const json::Value& volume : json::array_at(pod.doc, {"spec", "volumes"})) {
    if (json::string_at(volume, {"name"}) != json::string_at(mount, {"name"})) continue;
    for (const char* source : {"configMap", "secret", "projected", "downwardAPI"}) {
      if (json::find(volume, {source})) return true;
    }
  }
  return false;
}

}  // namespace

Result<> PodVolumes::set_up(const PodSpec& pod, const PodFacts& facts,
                            const VolumeObjects& objects) {
  std::optional<uint32_t> group;
  if (json::find(pod.doc, {"spec", "securityContext", "fsGroup"})) {
    group = uint32_t(json::int_at(pod.doc, {"spec", "securityContext", "fsGroup"}));
  }
  for (const json::Value& volume : json::array_at(pod.doc, {"spec", "volumes"})) {
    auto made = make(volume, pod, facts, objects, group);
    if (!made) {
      return std::move(made).error().during(fmt::format(
          "MountVolume.SetUp failed for volume \"{}\"", json::string_at(volume, {"name"})));
    }
  }
  return Unit{};
}

Result<> PodVolumes::make(const json::Value& volume, const PodSpec& pod, const PodFacts& facts,
                          const VolumeObjects& objects, std::optional<uint32_t> group) {
  const std::string name(json::string_at(volume, {"name"}));
  // It is the name of a folder.
  if (name.empty() || name == "." || name == ".." || name.find('/') != std::string::npos)
    return Error(Code::kInvalid, "spec.volumes: \"" + name + "\" is no name of a volume");
  if (written_by_node(volume)) {
    TRY(const VolumeFiles files, volume_files(volume, pod, facts, objects));
    TRY(const bool changed, write_folder(memory_ + "/volumes/" + name, files, group));
    (void)changed;
    return Unit{};
  }
  if (json::find(volume, {"emptyDir"})) return make_empty_dir(volume, group);
  if (json::find(volume, {"hostPath"})) return check_host_path(volume);
  for (const auto& [key, value] : object_of(volume)) {
    if (key != "name") {
      return Error(
          Code::kMethodNotAllowed,
          fmt::format("volumes of type {} are not offered by this node", std::string_view(key)));
    }
  }
  return make_empty_dir(volume, group);  // a volume without a source is an emptyDir
}

Result<> PodVolumes::make_empty_dir(const json::Value& volume, std::optional<uint32_t> group) {
  const std::string path = path_of(std::string(json::string_at(volume, {"name"})));
  if (::access(path.c_str(), F_OK) == 0) return Unit{};
  TRY_OK(io::make_folders(path, kOpenFolderMode));
  if (json::string_at(volume, {"emptyDir", "medium"}) == "Memory") {
    std::string options = "mode=0777";
    if (const auto limit = quantity_at(volume, {"emptyDir", "sizeLimit"})) {
      options += ",size=" + std::to_string(std::max<int64_t>(limit->units(), 4096));
    }
    if (::mount("tmpfs", path.c_str(), "tmpfs", MS_NODEV | MS_NOSUID, options.c_str()) < 0) {
      const int error = errno;
      ::rmdir(path.c_str());  // so that the next try does not take it for made
      return io::errno_error("mount tmpfs on " + path, error);
    }
  }
  if (group && ::chown(path.c_str(), uid_t(-1), *group) < 0)
    return io::errno_error("chown " + path, errno);
  if (::chmod(path.c_str(), group ? kGroupFolderMode : kOpenFolderMode) < 0)
    return io::errno_error("chmod " + path, errno);
  return Unit{};
}

Result<> PodVolumes::check_host_path(const json::Value& volume) {
  const std::string path(json::string_at(volume, {"hostPath", "path"}));
  const std::string_view type = json::string_at(volume, {"hostPath", "type"});
  struct stat about{};
  if (::stat(path.c_str(), &about) == 0) return wanted_kind(path, about, type);
  if (type == "DirectoryOrCreate") return io::make_folders(path, 0755);
  if (type == "FileOrCreate") {
    const io::UniqueFd fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0644));
    return fd ? Result<>(Unit{}) : io::errno_error("make " + path, errno);
  }
  // Without a type nothing is checked; a missing path is made as a folder, as container engines do.
  if (type.empty()) return io::make_folders(path, 0755);
  return Error(Code::kNotFound,
               fmt::format("hostPath type check failed: {} is not a {}", path, type));
}

Result<std::string> PodVolumes::source_of(const PodSpec& pod, const std::string& name) const {
  for (const json::Value& volume : json::array_at(pod.doc, {"spec", "volumes"})) {
    if (json::string_at(volume, {"name"}) != name) continue;
    if (json::find(volume, {"hostPath"}))
      return std::string(json::string_at(volume, {"hostPath", "path"}));
    return written_by_node(volume) ? memory_ + "/volumes/" + name : path_of(name);
  }
  return Error(Code::kInvalid, "volumeMounts names a volume that the pod has not: " + name);
}

Result<std::string> PodVolumes::bind_sub_path(const std::string& volume_path,
                                              const std::string& sub_path,
                                              const std::string& container, size_t index) {
  const io::UniqueFd root(::open(volume_path.c_str(), O_PATH | O_CLOEXEC));
  if (!root) return io::errno_error("open " + volume_path, errno);
  TRY_OK(make_inside(root.get(), sub_path));
  const io::UniqueFd inside = open_inside(root.get(), sub_path, O_PATH);
  if (!inside) return io::errno_error("subPath " + sub_path, errno);
  struct stat about{};
  if (::fstat(inside.get(), &about) < 0) return io::errno_error("subPath " + sub_path, errno);
  const std::string folder = folder_ + "/subpaths/" + container;
  TRY_OK(io::make_folders(folder, 0700));
  const std::string target = folder + "/" + std::to_string(index);
  ::umount2(target.c_str(), MNT_DETACH | UMOUNT_NOFOLLOW);
  if (S_ISDIR(about.st_mode)) {
    TRY_OK(io::make_folders(target, 0755));
  } else {
    const io::UniqueFd file(::open(target.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
    if (!file) return io::errno_error("make " + target, errno);
  }
  const std::string source = "/proc/self/fd/" + std::to_string(inside.get());
  if (::mount(source.c_str(), target.c_str(), nullptr, MS_BIND | MS_REC, nullptr) < 0) {
    return io::errno_error("bind subPath " + sub_path, errno);
  }
  return target;
}

Result<std::vector<Mount>> PodVolumes::mounts_of(const PodSpec& pod, const json::Value& container,
                                                 const Environment& environment) {
  std::vector<Mount> out;
  const std::string name(json::string_at(container, {"name"}));
  size_t index = 0;
  for (const json::Value& mount : json::array_at(container, {"volumeMounts"})) {
    TRY(std::string source, source_of(pod, std::string(json::string_at(mount, {"name"}))));
    std::string sub_path(json::string_at(mount, {"subPath"}));
    const std::string_view expression = json::string_at(mount, {"subPathExpr"});
    if (!expression.empty()) {
      auto expanded = expand(expression, environment);
      if (!expanded) return std::move(expanded).error().during("subPathExpr");
      sub_path = *std::move(expanded);
    }
    if (!sub_path.empty()) {
      if (sub_path.starts_with('/') ||
          fs::path(sub_path).lexically_normal().string().starts_with("..")) {
        return Error(Code::kInvalid, "subPath must stay inside its volume: " + sub_path);
      }
      TRY(source, bind_sub_path(source, sub_path, name, index));
    }
    ++index;
    out.push_back({std::string(json::string_at(mount, {"mountPath"})),
                   "bind",
                   source,
                   {"rbind", propagation(mount), read_only(pod, mount) ? "ro" : "rw"}});
  }
  return out;
}

Result<> PodVolumes::tear_down() {
  Result<> outcome = Unit{};
  for (const std::string& root :
       {folder_ + "/subpaths", folder_ + "/volumes", memory_ + "/volumes"}) {
    if (auto gone = tear_down(root); !gone && outcome) outcome = std::move(gone);
  }
  return outcome;
}

Result<> PodVolumes::tear_down(const std::string& root) {
  std::error_code error;
  std::vector<std::string> paths;
  for (auto it = fs::recursive_directory_iterator(root, error);
       !error && it != fs::recursive_directory_iterator(); it.increment(error)) {
    if (it.depth() > 1) {
      it.disable_recursion_pending();
    } else {
      paths.push_back(it->path().string());
    }
  }
  // Whatever is not mounted answers EINVAL. A mount that will not go must keep its files: nothing
  // is removed then.
  for (const std::string& path : paths) {
    if (::umount2(path.c_str(), MNT_DETACH | UMOUNT_NOFOLLOW) < 0 && errno != EINVAL &&
        errno != ENOENT) {
      return io::errno_error("unmount " + path, errno);
    }
  }
  fs::remove_all(root, error);
  if (error) return Error(Code::kUnavailable, "remove " + root + ": " + error.message());
  return Unit{};
}

}  // namespace atl::node
