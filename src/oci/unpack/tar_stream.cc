#include "oci/unpack/tar_stream.h"

#include <archive.h>
#include <archive_entry.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <cerrno>

#include "base/crypto/digest.h"

namespace atl::oci {
namespace {

constexpr size_t kInputBytes = 64 * 1024;
constexpr std::string_view kZeros(
    "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
    "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0",
    64);

struct FreeArchive {
  void operator()(archive* a) const { archive_read_free(a); }
};
using ArchivePtr = std::unique_ptr<archive, FreeArchive>;

// The kernel's 32-bit device number (new_encode_dev).
uint32_t encode_device(uint64_t device) {
  const uint32_t major_number = major(device), minor_number = minor(device);
  return (minor_number & 0xff) | (major_number << 8) | ((minor_number & ~0xffu) << 12);
}

void read_xattrs(archive_entry* entry, FileInfo& info) {
  archive_entry_xattr_reset(entry);
  const char* name = nullptr;
  const void* value = nullptr;
  size_t size = 0;
  while (archive_entry_xattr_next(entry, &name, &value, &size) == ARCHIVE_OK) {
    // trusted.overlay.* belongs to the overlay itself: an image may not steer it.
    if (std::string_view(name).starts_with("trusted.")) continue;
    info.xattrs[name] = std::string(static_cast<const char*>(value), size);
  }
}

}  // namespace

Result<std::string> clean_path(std::string_view path) {
  std::string out;
  if (path.find('\0') != std::string_view::npos)
    return Error(Code::kInvalid, "a path in the archive holds a NUL");
  while (!path.empty()) {
    const size_t slash = path.find('/');
    const std::string_view step = path.substr(0, slash);
    path = slash == std::string_view::npos ? std::string_view() : path.substr(slash + 1);
    if (step.empty() || step == ".") continue;
    if (step == "..") return Error(Code::kInvalid, "a path in the archive leaves it by '..'");
    if (!out.empty()) out += '/';
    out += step;
  }
  return out;
}

// Two readers in a row: `outer` undoes the compression, every byte of it is hashed, `inner` reads
// tar.
struct TarStream::State {
  State(int fd_in, UnpackLimits limits_in) : fd(fd_in), limits(limits_in) {}

  int fd;
  UnpackLimits limits;
  ArchivePtr outer, inner;
  crypto::Hasher hasher;
  char input[kInputBytes];
  uint64_t bytes = 0, entries = 0;
  uint64_t position = 0;     // within the current file
  std::string_view pending;  // data behind a hole
  uint64_t hole = 0;         // zeros still to give out
  bool input_ended = false;

  static la_ssize_t read_input(archive* a, void* self, const void** out) {
    auto& state = *static_cast<State*>(self);
    for (;;) {
      const ssize_t n = ::read(state.fd, state.input, sizeof state.input);
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) archive_set_error(a, errno, "the input broke off");
      *out = state.input;
      return n;
    }
  }

  static la_ssize_t read_outer(archive* a, void* self, const void** out) {
    auto& state = *static_cast<State*>(self);
    size_t size = 0;
    la_int64_t offset = 0;
    const int rc = archive_read_data_block(state.outer.get(), out, &size, &offset);
    if (rc == ARCHIVE_EOF) {
      state.input_ended = true;
      return 0;
    }
    if (rc < ARCHIVE_WARN) {
      archive_set_error(a, EIO, "%s", archive_error_string(state.outer.get()));
      return -1;
    }
    state.bytes += size;
    if (state.bytes > state.limits.bytes) {
      archive_set_error(a, EFBIG, "unpacks to more than %llu bytes",
                        static_cast<unsigned long long>(state.limits.bytes));
      return -1;
    }
    state.hasher.update({static_cast<const char*>(*out), size});
    return la_ssize_t(size);
  }

  Result<> open() {
    outer.reset(archive_read_new());
    archive_read_support_filter_gzip(outer.get());
    archive_read_support_filter_zstd(outer.get());
    archive_read_support_format_raw(outer.get());
    archive_read_support_format_empty(outer.get());
    archive_entry* entry = nullptr;
    if (archive_read_open(outer.get(), this, nullptr, read_input, nullptr) != ARCHIVE_OK)
      return error(outer.get());
    const int rc = archive_read_next_header(outer.get(), &entry);
    if (rc == ARCHIVE_EOF) return Error(Code::kInvalid, "the archive is empty");
    if (rc != ARCHIVE_OK) return error(outer.get());
    inner.reset(archive_read_new());
    archive_read_support_format_tar(inner.get());
    if (archive_read_open(inner.get(), this, nullptr, read_outer, nullptr) != ARCHIVE_OK)
      return error(inner.get());
    return Unit{};
  }

  static Error error(archive* a) {
    const char* text = archive_error_string(a);
    return Error(Code::kInvalid,
                 fmt::format("the archive cannot be read: {}", text ? text : "it is no tar"));
  }
};

TarStream::TarStream(int fd, UnpackLimits limits) : state_(std::make_unique<State>(fd, limits)) {}
TarStream::~TarStream() = default;

Result<bool> TarStream::next(TarEntry& out) {
  State& s = *state_;
  if (!s.inner) TRY_OK(s.open());
  archive_entry* entry = nullptr;
  const int rc = archive_read_next_header(s.inner.get(), &entry);
  if (rc == ARCHIVE_EOF) return false;
  if (rc < ARCHIVE_WARN) return State::error(s.inner.get());
  if (++s.entries > s.limits.entries)
    return Error(Code::kInvalid,
                 fmt::format("the archive holds more than {} files", s.limits.entries));
  s.position = s.hole = 0;
  s.pending = {};

  const char* path = archive_entry_pathname(entry);
  TRY(out.path, clean_path(path ? path : ""));
  out.info = {};
  out.target.clear();
  out.info.mode = archive_entry_mode(entry);
  out.info.uid = uint32_t(archive_entry_uid(entry));
  out.info.gid = uint32_t(archive_entry_gid(entry));
  out.info.mtime = archive_entry_mtime(entry);
  out.info.mtime_nsec = uint32_t(archive_entry_mtime_nsec(entry));
  out.size = uint64_t(archive_entry_size(entry));
  read_xattrs(entry, out.info);
  if (const char* link = archive_entry_hardlink(entry)) {
    out.type = EntryType::kHardlink;
    TRY(out.target, clean_path(link));
    return true;
  }
  switch (archive_entry_filetype(entry)) {
    case AE_IFREG:
      out.type = EntryType::kFile;
      break;
    case AE_IFDIR:
      out.type = EntryType::kFolder;
      break;
    case AE_IFLNK:
      out.type = EntryType::kSymlink;
      out.target = archive_entry_symlink(entry) ? archive_entry_symlink(entry) : "";
      break;
    case AE_IFCHR:
    case AE_IFBLK:
      out.type = EntryType::kNode;
      out.info.device = encode_device(archive_entry_rdev(entry));
      break;
    case AE_IFIFO:
      out.type = EntryType::kNode;
      break;
    default:
      return Error(Code::kInvalid, "the archive holds a file of an unknown type: " + out.path);
  }
  return true;
}

Result<std::string_view> TarStream::read() {
  State& s = *state_;
  if (s.hole == 0 && s.pending.empty()) {
    const void* data = nullptr;
    size_t size = 0;
    la_int64_t offset = 0;
    const int rc = archive_read_data_block(s.inner.get(), &data, &size, &offset);
    if (rc == ARCHIVE_EOF) return std::string_view();
    if (rc < ARCHIVE_WARN) return State::error(s.inner.get());
    if (uint64_t(offset) > s.position) s.hole = uint64_t(offset) - s.position;
    s.bytes += s.hole;  // a sparse file may not be a bomb either
    if (s.bytes > s.limits.bytes)
      return Error(Code::kInvalid,
                   fmt::format("the archive unpacks to more than {} bytes", s.limits.bytes));
    s.pending = {static_cast<const char*>(data), size};
    if (s.hole == 0 && s.pending.empty()) return read();
  }
  if (s.hole > 0) {
    const size_t n = size_t(std::min<uint64_t>(s.hole, kZeros.size()));
    s.hole -= n;
    s.position += n;
    return kZeros.substr(0, n);
  }
  const std::string_view out = std::exchange(s.pending, {});
  s.position += out.size();
  return out;
}

Result<std::string> TarStream::digest() {
  State& s = *state_;
  const void* data = nullptr;
  while (!s.input_ended) {
    const la_ssize_t n = State::read_outer(s.inner.get(), &s, &data);
    if (n < 0) return State::error(s.inner.get());
    if (n == 0) break;
  }
  return "sha256:" + s.hasher.finish_hex();
}

}  // namespace atl::oci
