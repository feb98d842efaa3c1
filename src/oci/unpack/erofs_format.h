#pragma once

#include <cstdint>

// The on-disk structures of EROFS that Atoll writes (Linux fs/erofs/erofs_fs.h), little-endian.
namespace atl::oci::erofs {

inline constexpr uint32_t kMagic = 0xE0F5E1E2;
inline constexpr uint64_t kSuperOffset = 1024;
inline constexpr uint32_t kBlockBits = 12;
inline constexpr uint64_t kBlockBytes = 1u << kBlockBits;
inline constexpr uint64_t kSlotBytes =
    32;  // inode numbers (nid) count slots from the metadata's start

struct [[gnu::packed]] SuperBlock {
  uint32_t magic, checksum, feature_compat;
  uint8_t block_bits, extra_slots;
  uint16_t root_nid;
  uint64_t inodes, build_time;
  uint32_t build_time_nsec, blocks, meta_block, xattr_block;
  uint8_t uuid[16], volume_name[16];
  uint32_t feature_incompat;
  uint16_t compression, extra_devices, device_slot;
  uint8_t dir_block_bits, xattr_prefix_count;
  uint32_t xattr_prefix_start;
  uint64_t packed_nid;
  uint8_t xattr_filter_reserved, reserved[23];
};
static_assert(sizeof(SuperBlock) == 128);

enum class DataLayout : uint16_t { kFlatPlain = 0, kFlatInline = 2 };
inline constexpr uint16_t kExtendedInode = 1;

struct [[gnu::packed]] Inode {  // the extended form
  uint16_t format, xattr_count, mode, reserved;
  uint64_t size;
  uint32_t data;  // first block, or the device number
  uint32_t number, uid, gid;
  uint64_t mtime;
  uint32_t mtime_nsec, links;
  uint8_t reserved2[16];
};
static_assert(sizeof(Inode) == 64);

struct [[gnu::packed]] DirEntry {
  uint64_t nid;
  uint16_t name_offset;
  uint8_t type, reserved;
};
static_assert(sizeof(DirEntry) == 12);

struct [[gnu::packed]] XattrHeader {
  uint32_t name_filter;
  uint8_t shared_count, reserved[7];
};
static_assert(sizeof(XattrHeader) == 12);

struct [[gnu::packed]] XattrEntry {
  uint8_t name_length, name_index;
  uint16_t value_size;
};
static_assert(sizeof(XattrEntry) == 4);

}  // namespace atl::oci::erofs
