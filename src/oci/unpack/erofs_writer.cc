#include "oci/unpack/erofs_writer.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/core/check.h"
#include "base/io/files.h"
#include "oci/unpack/erofs_format.h"

namespace atl::oci {
namespace {

constexpr size_t kNameMax = 255;
constexpr size_t kDepthMax = 256;
constexpr size_t kXattrBytesMax = 2048;  // of one file, so that inode and xattrs fit into a block

Result<> write_at(int fd, std::string_view bytes, uint64_t offset) {
  while (!bytes.empty()) {
    const ssize_t n = ::pwrite(fd, bytes.data(), bytes.size(), off_t(offset));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return io::errno_error("write the layer", errno);
    bytes.remove_prefix(size_t(n));
    offset += uint64_t(n);
  }
  return Unit{};
}

template <class T>
std::string_view raw(const T& value) {
  return {reinterpret_cast<const char*>(&value), sizeof value};
}

uint64_t round_up(uint64_t value, uint64_t to) {
  return (value + to - 1) / to * to;
}

// The name's prefix as a number, and the rest.
std::pair<uint8_t, std::string_view> xattr_index(std::string_view name) {
  constexpr std::pair<std::string_view, uint8_t> kPrefixes[] = {
      {"user.", 1}, {"trusted.", 4}, {"security.", 6}};
  if (name == "system.posix_acl_access") return {2, {}};
  if (name == "system.posix_acl_default") return {3, {}};
  for (const auto& [prefix, index] : kPrefixes) {
    if (name.starts_with(prefix)) return {index, name.substr(prefix.size())};
  }
  return {0, {}};
}

// The inline xattr area that follows an inode; empty where there is none.
std::string encode_xattrs(const std::map<std::string, std::string>& xattrs) {
  std::string entries;
  for (const auto& [name, value] : xattrs) {
    const auto [index, rest] = xattr_index(name);
    if (index == 0 || rest.size() > kNameMax || value.size() > UINT16_MAX) continue;
    entries += raw(erofs::XattrEntry{uint8_t(rest.size()), index, uint16_t(value.size())});
    entries += rest;
    entries += value;
    entries.resize(round_up(entries.size(), 4));
  }
  if (entries.empty() || entries.size() > kXattrBytesMax) return {};
  return std::string(raw(erofs::XattrHeader{})) + entries;
}

uint8_t dirent_type(uint32_t mode) {
  switch (mode & S_IFMT) {
    case S_IFREG:
      return 1;
    case S_IFDIR:
      return 2;
    case S_IFCHR:
      return 3;
    case S_IFBLK:
      return 4;
    case S_IFIFO:
      return 5;
    case S_IFSOCK:
      return 6;
    case S_IFLNK:
      return 7;
    default:
      return 0;
  }
}

}  // namespace

struct ErofsWriter::Node {
  FileInfo info;
  std::string target;  // symlinks
  uint64_t size = 0;   // files: bytes of data
  uint64_t block = 0;  // files and folders: first block of data
  std::map<std::string, NodePtr, std::less<>> children;
  // Filled by Layout.
  uint64_t nid = 0;
  uint64_t parent_nid = 0;
  uint32_t links = 0;
  std::string xattrs;

  bool is_folder() const { return S_ISDIR(info.mode); }
};

// Places inodes and writes them: every inode once (hard links share one), the root first.
class ErofsWriter::Layout {
 public:
  Layout(int fd, uint64_t data_end)
      : fd_(fd), meta_start_(round_up(data_end, erofs::kBlockBytes)) {}

  Result<uint64_t> write(const NodePtr& root) {
    place(root, root);
    uint64_t end = round_up(meta_start_ + meta_bytes_, erofs::kBlockBytes);
    for (const NodePtr& node : order_) {
      if (!node->is_folder()) continue;
      const std::string data = folder_data(*node);
      node->size = data.size();
      node->block = end / erofs::kBlockBytes;
      TRY_OK(write_at(fd_, data, end));
      end = round_up(end + data.size(), erofs::kBlockBytes);
    }
    if (end / erofs::kBlockBytes > UINT32_MAX)
      return Error(Code::kTooLarge, "the layer is larger than 16 TiB");
    TRY_OK(write_inodes());
    TRY_OK(write_super(root->nid, end));
    if (::ftruncate(fd_, off_t(end)) != 0) return io::errno_error("size the layer", errno);
    return end;
  }

 private:
  void place(const NodePtr& node, const NodePtr& parent) {
    ++node->links;
    if (node->links > 1) return;  // a hard link: placed already
    node->xattrs = encode_xattrs(node->info.xattrs);
    const uint64_t inline_bytes = S_ISLNK(node->info.mode) ? node->target.size() : 0;
    const uint64_t need = sizeof(erofs::Inode) + node->xattrs.size() + inline_bytes;
    const uint64_t room = erofs::kBlockBytes - meta_bytes_ % erofs::kBlockBytes;
    if (need > room) meta_bytes_ += room;  // an inode and its inline tail stay in one block
    node->nid = meta_bytes_ / erofs::kSlotBytes;
    meta_bytes_ = round_up(meta_bytes_ + need, erofs::kSlotBytes);
    node->parent_nid = parent->nid;
    order_.push_back(node);
    for (const auto& [name, child] : node->children) place(child, node);
  }

  // Blocks of entries sorted by name; names follow the entries of their block.
  static std::string folder_data(const Node& node) {
    std::vector<std::tuple<std::string_view, uint64_t, uint8_t>> entries;
    entries.emplace_back(".", node.nid, 2);
    entries.emplace_back("..", node.parent_nid, 2);
    for (const auto& [name, child] : node.children)
      entries.emplace_back(name, child->nid, dirent_type(child->info.mode));
    std::sort(entries.begin(), entries.end());
    std::string data;
    for (size_t first = 0; first < entries.size();) {
      size_t last = first, used = 0;
      while (last < entries.size()) {
        const size_t more = sizeof(erofs::DirEntry) + std::get<0>(entries[last]).size();
        if (used + more > erofs::kBlockBytes) break;
        used += more;
        ++last;
      }
      data.resize(round_up(data.size(), erofs::kBlockBytes));
      std::string names;
      for (size_t i = first; i < last; ++i) {
        const auto& [name, nid, type] = entries[i];
        const size_t at = (last - first) * sizeof(erofs::DirEntry) + names.size();
        data += raw(erofs::DirEntry{nid, uint16_t(at), type, 0});
        names += name;
      }
      data += names;
      first = last;
    }
    return data;
  }

  Result<> write_inodes() {
    std::string block;
    uint64_t block_start = 0;
    for (const NodePtr& node : order_) {
      const uint64_t at = node->nid * erofs::kSlotBytes;
      if (at >= block_start + (1 << 20)) {
        TRY_OK(write_at(fd_, block, meta_start_ + block_start));
        block.clear();
        block_start = at;
      }
      block.resize(at - block_start);
      block += encode(*node);
    }
    return write_at(fd_, block, meta_start_ + block_start);
  }

  std::string encode(const Node& node) const {
    const bool link = S_ISLNK(node.info.mode);
    const auto layout = link ? erofs::DataLayout::kFlatInline : erofs::DataLayout::kFlatPlain;
    erofs::Inode inode{};
    inode.format = uint16_t(erofs::kExtendedInode | uint16_t(layout) << 1);
    if (!node.xattrs.empty())
      inode.xattr_count = uint16_t((node.xattrs.size() - sizeof(erofs::XattrHeader)) / 4 + 1);
    inode.mode = uint16_t(node.info.mode);
    inode.size = link ? node.target.size() : node.size;
    const bool device = S_ISCHR(node.info.mode) || S_ISBLK(node.info.mode);
    inode.data = device ? node.info.device : uint32_t(node.block);
    inode.number = uint32_t(node.nid);
    inode.uid = node.info.uid;
    inode.gid = node.info.gid;
    inode.mtime = uint64_t(node.info.mtime);
    inode.mtime_nsec = node.info.mtime_nsec;
    inode.links = node.is_folder() ? 2 : node.links;
    if (node.is_folder()) {
      for (const auto& [name, child] : node.children) inode.links += child->is_folder();
    }
    return std::string(raw(inode)) + node.xattrs + (link ? node.target : "");
  }

  Result<> write_super(uint64_t root_nid, uint64_t end) {
    CHECK(root_nid <= UINT16_MAX);
    erofs::SuperBlock super{};
    super.magic = erofs::kMagic;
    super.block_bits = erofs::kBlockBits;
    super.root_nid = uint16_t(root_nid);
    super.inodes = order_.size();
    super.blocks = uint32_t(end / erofs::kBlockBytes);
    super.meta_block = uint32_t(meta_start_ / erofs::kBlockBytes);
    return write_at(fd_, raw(super), erofs::kSuperOffset);
  }

  int fd_;
  uint64_t meta_start_;
  uint64_t meta_bytes_ = 0;
  std::vector<NodePtr> order_;
};

ErofsWriter::ErofsWriter(int fd)
    : fd_(fd), offset_(erofs::kBlockBytes), root_(std::make_shared<Node>()) {
  root_->info.mode = S_IFDIR | 0755;
}
ErofsWriter::~ErofsWriter() = default;

Result<ErofsWriter::NodePtr> ErofsWriter::folder(std::string_view path) {
  NodePtr at = root_;
  size_t depth = 0;
  while (!path.empty()) {
    const size_t slash = path.find('/');
    const std::string name(path.substr(0, slash));
    path = slash == std::string_view::npos ? std::string_view() : path.substr(slash + 1);
    if (name.empty() || name == "." || name == ".." || name.size() > kNameMax) {
      return Error(Code::kInvalid, "the layer holds the file name '" + name.substr(0, 80) +
                                       "', which no file can have");
    }
    if (++depth > kDepthMax)
      return Error(Code::kInvalid,
                   fmt::format("the layer nests folders deeper than {}", kDepthMax));
    NodePtr& child = at->children[name];
    if (!child) {
      child = std::make_shared<Node>();
      child->info.mode = S_IFDIR | 0755;
    }
    if (!child->is_folder()) {
      // A layer that goes through a file it wrote itself: the folder replaces it, as tar would.
      child = std::make_shared<Node>();
      child->info.mode = S_IFDIR | 0755;
    }
    at = child;
  }
  return at;
}

Result<ErofsWriter::NodePtr> ErofsWriter::find(std::string_view path) const {
  NodePtr at = root_;
  while (!path.empty()) {
    const size_t slash = path.find('/');
    const auto it = at->children.find(path.substr(0, slash));
    if (it == at->children.end())
      return Error(Code::kInvalid, "a hard link points to a file the layer does not hold");
    at = it->second;
    path = slash == std::string_view::npos ? std::string_view() : path.substr(slash + 1);
  }
  return at;
}

Result<> ErofsWriter::put(std::string_view path, NodePtr node) {
  if (path.empty()) return Error(Code::kInvalid, "the root of the layer is no folder");
  const size_t slash = path.rfind('/');
  TRY(const NodePtr parent,
      folder(slash == std::string_view::npos ? std::string_view() : path.substr(0, slash)));
  const std::string name(slash == std::string_view::npos ? path : path.substr(slash + 1));
  if (name.empty() || name == "." || name == ".." || name.size() > kNameMax) {
    return Error(Code::kInvalid, "the layer holds the file name '" + name.substr(0, 80) +
                                     "', which no file can have");
  }
  parent->children[name] = std::move(node);
  return Unit{};
}

Result<> ErofsWriter::add_folder(std::string_view path, FileInfo info) {
  TRY_OK(end_file());
  TRY(const NodePtr node, folder(path));
  auto kept = node->info.xattrs.extract("trusted.overlay.opaque");
  node->info = std::move(info);
  if (kept) node->info.xattrs.insert(std::move(kept));
  return Unit{};
}

Result<> ErofsWriter::add_symlink(std::string_view path, FileInfo info, std::string target) {
  TRY_OK(end_file());
  if (target.empty() || target.size() > 1024)
    return Error(Code::kInvalid, "a symbolic link's target has 1 to 1024 bytes");
  auto node = std::make_shared<Node>();
  node->info = std::move(info);
  node->target = std::move(target);
  return put(path, std::move(node));
}

Result<> ErofsWriter::add_node(std::string_view path, FileInfo info) {
  TRY_OK(end_file());
  auto node = std::make_shared<Node>();
  node->info = std::move(info);
  return put(path, std::move(node));
}

Result<> ErofsWriter::add_hardlink(std::string_view path, std::string_view target) {
  TRY_OK(end_file());
  TRY(NodePtr node, find(target));
  if (node->is_folder()) return Error(Code::kInvalid, "a hard link points to a folder");
  return put(path, std::move(node));
}

Result<> ErofsWriter::begin_file(std::string_view path, FileInfo info) {
  TRY_OK(end_file());
  auto node = std::make_shared<Node>();
  node->info = std::move(info);
  node->block = offset_ / erofs::kBlockBytes;
  TRY_OK(put(path, node));
  open_ = std::move(node);
  return Unit{};
}

Result<> ErofsWriter::append(std::string_view bytes) {
  TRY_OK(write_at(fd_, bytes, offset_));
  offset_ += bytes.size();
  return Unit{};
}

Result<> ErofsWriter::write(std::string_view bytes) {
  CHECK(open_ != nullptr);
  open_->size += bytes.size();
  tail_ += bytes;
  const size_t whole = tail_.size() / erofs::kBlockBytes * erofs::kBlockBytes;
  if (whole == 0) return Unit{};
  TRY_OK(append(std::string_view(tail_).substr(0, whole)));
  tail_.erase(0, whole);
  return Unit{};
}

Result<> ErofsWriter::end_file() {
  if (!open_) return Unit{};
  open_.reset();
  if (tail_.empty()) return Unit{};
  tail_.resize(erofs::kBlockBytes);
  TRY_OK(append(tail_));
  tail_.clear();
  return Unit{};
}

Result<> ErofsWriter::set_opaque(std::string_view path) {
  TRY_OK(end_file());
  TRY(const NodePtr node, folder(path));
  node->info.xattrs["trusted.overlay.opaque"] = "y";
  return Unit{};
}

Result<uint64_t> ErofsWriter::finish() {
  TRY_OK(end_file());
  return Layout(fd_, offset_).write(root_);
}

}  // namespace atl::oci
