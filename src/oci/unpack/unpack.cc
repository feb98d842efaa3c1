#include "oci/unpack/unpack.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "base/crypto/digest.h"
#include "base/io/files.h"
#include "base/io/unique_fd.h"

namespace atl::oci {
namespace {

constexpr std::string_view kWhiteout = ".wh.";
constexpr std::string_view kOpaque = ".wh..wh..opq";

std::string parent_of(std::string_view path) {
  const size_t slash = path.rfind('/');
  return slash == std::string_view::npos ? std::string() : std::string(path.substr(0, slash));
}

std::string_view name_of(std::string_view path) {
  const size_t slash = path.rfind('/');
  return slash == std::string_view::npos ? path : path.substr(slash + 1);
}

// A deletion of what lower layers hold; true when the entry was one (OCI image-spec, layer.md).
Result<bool> whiteout(const TarEntry& entry, ErofsWriter& writer) {
  const std::string_view name = name_of(entry.path);
  if (!name.starts_with(kWhiteout)) return false;
  const std::string parent = parent_of(entry.path);
  if (name == kOpaque) {
    TRY_OK(writer.set_opaque(parent));
    return true;
  }
  if (name.starts_with(".wh..wh.")) return true;  // AUFS bookkeeping: no file of the image
  const std::string hidden =
      (parent.empty() ? "" : parent + "/") + std::string(name.substr(kWhiteout.size()));
  FileInfo info;
  info.mode = S_IFCHR;  // device 0/0
  TRY_OK(writer.add_node(hidden, info));
  return true;
}

Result<> add(TarStream& tar, TarEntry& entry, ErofsWriter& writer) {
  switch (entry.type) {
    case EntryType::kFolder:
      return writer.add_folder(entry.path, std::move(entry.info));
    case EntryType::kSymlink:
      return writer.add_symlink(entry.path, std::move(entry.info), std::move(entry.target));
    case EntryType::kHardlink:
      return writer.add_hardlink(entry.path, entry.target);
    case EntryType::kNode:
      return writer.add_node(entry.path, std::move(entry.info));
    case EntryType::kFile:
      break;
  }
  TRY_OK(writer.begin_file(entry.path, std::move(entry.info)));
  for (;;) {
    TRY(const std::string_view piece, tar.read());
    if (piece.empty()) return Unit{};
    TRY_OK(writer.write(piece));
  }
}

Result<> write_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::write(fd, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return io::errno_error("write the archive's content", errno);
    bytes.remove_prefix(size_t(n));
  }
  return Unit{};
}

Result<ArchiveMember> save(TarStream& tar, const TarEntry& entry, size_t number) {
  const std::string file = std::to_string(number);
  const io::UniqueFd out(
      ::open(file.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!out) return io::errno_error("make a file", errno);
  crypto::Hasher hasher;
  ArchiveMember member{entry.path, {}, {}, 0};
  for (;;) {
    TRY(const std::string_view piece, tar.read());
    if (piece.empty()) break;
    hasher.update(piece);
    member.size += piece.size();
    TRY_OK(write_all(out.get(), piece));
  }
  member.digest = "sha256:" + hasher.finish_hex();
  return member;
}

}  // namespace

Result<LayerResult> unpack_layer(int in, int out, const UnpackLimits& limits) {
  TarStream tar(in, limits);
  ErofsWriter writer(out);
  TarEntry entry;
  for (;;) {
    TRY(const bool more, tar.next(entry));
    if (!more) break;
    TRY(const bool hides, whiteout(entry, writer));
    if (!hides) TRY_OK(add(tar, entry, writer));
  }
  LayerResult result;
  TRY(result.diff_id, tar.digest());
  TRY(result.bytes, writer.finish());
  if (::fsync(out) != 0 && errno != EINVAL) return io::errno_error("sync the layer", errno);
  return result;
}

Result<std::vector<ArchiveMember>> unpack_archive(int in, const UnpackLimits& limits) {
  TarStream tar(in, limits);
  std::vector<ArchiveMember> members;
  TarEntry entry;
  for (;;) {
    TRY(const bool more, tar.next(entry));
    if (!more) return members;
    if (entry.type == EntryType::kFile) {
      TRY(ArchiveMember member, save(tar, entry, members.size()));
      members.push_back(std::move(member));
    } else if (entry.type == EntryType::kHardlink) {
      members.push_back({entry.path, entry.target, {}, 0});
    } else if (entry.type == EntryType::kSymlink) {
      // docker save of old links equal layers by "../<id>/layer.tar".
      const std::string base = parent_of(entry.path);
      std::string_view target = entry.target;
      std::string at = base;
      while (target.starts_with("../")) target.remove_prefix(3), at = parent_of(at);
      TRY(const std::string clean, clean_path((at.empty() ? "" : at + "/") + std::string(target)));
      members.push_back({entry.path, clean, {}, 0});
    }
  }
}

}  // namespace atl::oci
