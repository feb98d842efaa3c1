#pragma once

#include <cstring>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "base/core/result.h"
#include "base/io/unique_fd.h"
#include "kernel/keeper/protocol.h"

// Packets of the keeper's protocol on a socket, with their file descriptors.
namespace atl::keeper {

struct Packet {
  std::string bytes;
  std::vector<io::UniqueFd> fds;

  const Header& header() const { return *reinterpret_cast<const Header*>(bytes.data()); }
  // The struct at the front; nothing where the packet is too short for it.
  template <class T>
    requires std::is_trivially_copyable_v<T>
  std::optional<T> as() const {
    if (bytes.size() < sizeof(T)) return std::nullopt;
    T value;
    std::memcpy(&value, bytes.data(), sizeof(T));
    return value;
  }
};

// One packet, or nothing when the peer closed. kTimeout when a non-blocking socket has none (or a
// receive timeout passed), kInvalid for a packet that is none of ours.
Result<std::optional<Packet>> receive(int socket);
// kUnavailable where the peer is gone; kTimeout where a non-blocking socket has no room for it now.
Result<> send(int socket, std::string_view bytes, std::span<const int> fds = {});

template <class T>
  requires std::is_trivially_copyable_v<T>
Result<> send_struct(int socket, const T& value, std::span<const int> fds = {}) {
  return send(socket, std::string_view(reinterpret_cast<const char*>(&value), sizeof value), fds);
}

// Checks magic, version and least size.
Result<> check_packet(const Packet& packet);

// What a CreateRequest asks for, with its strings.
struct CreateArguments {
  std::string id;
  uint32_t flags = 0;
  std::string runtime;       // "/usr/bin/crun"
  std::string state_folder;  // crun --root
  std::string bundle;
  std::string netns_key;       // held fd that is bound to <bundle>/netns; may be empty
  std::string overlay_target;  // empty: no overlay, the bundle's rootfs is used as it is
  std::string overlay_upper;
  std::string overlay_work;
  std::vector<std::string> overlay_lowers;  // top first
};

// kInvalid where it does not fit a packet or a string holds NUL.
Result<std::string> encode(const CreateArguments& arguments, uint64_t request);
Result<CreateArguments> decode_create(const Packet& packet);

}  // namespace atl::keeper
