#include "kernel/node/volumes/atomic_folder.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <set>

#include "base/io/files.h"

namespace atl::node {
namespace {

namespace fs = std::filesystem;

Result<> check_path(const std::string& path) {
  const fs::path p(path);
  bool bad = path.empty() || p.is_absolute();
  for (const fs::path& part : p) bad = bad || part == ".." || part == ".";
  if (bad || path.starts_with(".."))
    return Error(Code::kInvalid, "a volume's file may not be named \"" + path + "\"");
  return Unit{};
}

Result<> write_one(const std::string& path, const VolumeFile& file, std::optional<uint32_t> group) {
  TRY_OK(io::make_folders(fs::path(path).parent_path().string(), 0755));
  const io::UniqueFd fd(
      ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!fd) return io::errno_error("open " + path, errno);
  for (size_t done = 0; done < file.bytes.size();) {
    const ssize_t n = ::write(fd.get(), file.bytes.data() + done, file.bytes.size() - done);
    if (n < 0) return io::errno_error("write " + path, errno);
    done += size_t(n);
  }
  uint32_t mode = file.mode;
  if (group) {
    mode |= (mode & 0400) ? 0040 : 0;  // the group that owns the volume may read what the owner may
    if (::fchown(fd.get(), uid_t(-1), *group) < 0) return io::errno_error("chown " + path, errno);
  }
  if (::fchmod(fd.get(), mode) < 0) return io::errno_error("chmod " + path, errno);
  return Unit{};
}

bool same(const std::string& folder, const VolumeFiles& files) {
  std::error_code error;
  size_t found = 0;
  for (auto it = fs::recursive_directory_iterator(folder, error);
       !error && it != fs::recursive_directory_iterator(); it.increment(error)) {
    if (!it->is_regular_file()) continue;
    const auto wanted = files.find(fs::relative(it->path(), folder).string());
    auto bytes = io::read_file(it->path().string());
    if (wanted == files.end() || !bytes || *bytes != wanted->second.bytes) return false;
    ++found;
  }
  return !error && found == files.size();
}

Result<> replace_link(const std::string& link, const std::string& target) {
  const std::string temporary = link + "_tmp";
  ::unlink(temporary.c_str());
  if (::symlink(target.c_str(), temporary.c_str()) < 0)
    return io::errno_error("link " + temporary, errno);
  if (::rename(temporary.c_str(), link.c_str()) < 0)
    return io::errno_error("rename " + temporary, errno);
  return Unit{};
}

}  // namespace

Result<bool> write_folder(const std::string& folder, const VolumeFiles& files,
                          std::optional<uint32_t> group) {
  std::set<std::string> top;
  for (const auto& [path, file] : files) {
    TRY_OK(check_path(path));
    top.insert(fs::path(path).begin()->string());
  }
  TRY_OK(io::make_folders(folder, 0755));
  const std::string data = folder + "/..data";
  std::error_code ignored;
  const fs::path old = fs::read_symlink(data, ignored);
  if (!old.empty() && same(folder + "/" + old.string(), files)) return false;
  std::string fresh = folder + "/..set_XXXXXX";
  if (!::mkdtemp(fresh.data())) return io::errno_error("make " + fresh, errno);
  if (::chmod(fresh.c_str(), 0755) < 0) return io::errno_error("chmod " + fresh, errno);
  for (const auto& [path, file] : files) TRY_OK(write_one(fresh + "/" + path, file, group));
  TRY_OK(replace_link(data, fs::path(fresh).filename().string()));
  for (const std::string& name : top) {
    if (!fs::is_symlink(folder + "/" + name, ignored))
      TRY_OK(replace_link(folder + "/" + name, "..data/" + name));
  }
  for (const auto& entry : fs::directory_iterator(folder, ignored)) {
    const std::string name = entry.path().filename();
    if (!name.starts_with("..") && !top.contains(name)) fs::remove(entry.path(), ignored);
    if (name.starts_with("..set_") && entry.path() != fresh) fs::remove_all(entry.path(), ignored);
  }
  return true;
}

}  // namespace atl::node
