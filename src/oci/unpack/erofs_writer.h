#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/core/result.h"

namespace atl::oci {

// What a file of an image layer is, apart from its bytes.
struct FileInfo {
  uint32_t mode = 0;  // type and permission bits, as in stat(2)
  uint32_t uid = 0, gid = 0;
  int64_t mtime = 0;
  uint32_t mtime_nsec = 0;
  uint32_t device = 0;  // character and block devices: makedev(3) in the kernel's 32-bit form
  std::map<std::string, std::string> xattrs;  // "security.capability" → value
};

// Writes an EROFS image (uncompressed, 4 KiB blocks) while a layer streams by: file contents go out
// at once, the tree follows in finish(). No unpacked copy, no privilege: one file written from
// start to end plus one rewrite of its first block. Format: Linux fs/erofs/erofs_fs.h;
// docs/formats/layer.md. Owned by one unpacker; single-threaded. Errors: kInvalid (the tree is
// impossible), kExhausted (disk).
class ErofsWriter {
 public:
  // Writes to `fd`, which stays the caller's. It must be seekable and empty.
  explicit ErofsWriter(int fd);
  ~ErofsWriter();
  ErofsWriter(const ErofsWriter&) = delete;
  ErofsWriter& operator=(const ErofsWriter&) = delete;

  // Paths are relative, cleaned ("a/b"), "" is the root. Missing parents appear as root-owned 0755
  // folders. A later entry replaces an earlier one of the same path (a folder keeps its children).
  Result<> add_folder(std::string_view path, FileInfo info);
  Result<> add_symlink(std::string_view path, FileInfo info, std::string target);
  // Devices, FIFOs, sockets; a whiteout is the character device 0/0.
  Result<> add_node(std::string_view path, FileInfo info);
  // kInvalid where the target was not seen before.
  Result<> add_hardlink(std::string_view path, std::string_view target);
  // Bytes follow by write(); the next add_* or finish() ends the file.
  Result<> begin_file(std::string_view path, FileInfo info);
  Result<> write(std::string_view bytes);
  // Sets trusted.overlay.opaque on a folder: lower layers do not shine through.
  Result<> set_opaque(std::string_view path);

  // Writes the tree and the superblock. Returns the size of the image in bytes.
  Result<uint64_t> finish();

 private:
  struct Node;
  class Layout;
  using NodePtr = std::shared_ptr<Node>;

  Result<NodePtr> folder(std::string_view path);
  Result<> put(std::string_view path, NodePtr node);
  Result<NodePtr> find(std::string_view path) const;
  Result<> end_file();
  Result<> append(std::string_view bytes);

  int fd_;
  uint64_t offset_ = 0;  // where the next block of data goes
  NodePtr root_;
  NodePtr open_;      // the file that write() adds to
  std::string tail_;  // bytes of it that do not fill a block yet
};

}  // namespace atl::oci
