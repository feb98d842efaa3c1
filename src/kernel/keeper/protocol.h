#pragma once

#include <cstdint>
#include <string>
#include <string_view>

// The keeper's protocol: fixed structs over a SOCK_SEQPACKET Unix socket, file descriptors beside
// them (SCM_RIGHTS). Both ends come from one build;
// docs/formats/keeper-protocol.md.
namespace atl::keeper {

inline constexpr uint32_t kMagic = 0x4b4c5441;  // "ATLK"
inline constexpr uint16_t kVersion = 1;
inline constexpr size_t kMaxPacket = 64 * 1024;
inline constexpr size_t kMaxFds = 8;
inline constexpr size_t kIdBytes = 128;  // container ids and keys of held fds, NUL included
inline constexpr size_t kMessageBytes = 1024;
inline constexpr int kListBatch =
    16;  // packets of one list answer: they fit an empty socket buffer

enum class Type : uint16_t {
  // requests
  kHello = 1,  // Request; answered by Reply. subscribe != 0: Exited events follow
  kList =
      2,  // Request with id = list after this one; up to kListBatch ContainerPackets, then Reply
  kCreate =
      3,  // CreateRequest + strings; answered by ContainerPacket with fds, or Reply with an error
  kStart = 4,       // Request with id
  kSignal = 5,      // Request with id, number = signal
  kRemove = 6,      // Request with id: runtime delete, the record and its exit are forgotten
  kHold = 7,        // Request with id = key and one fd
  kDrop = 8,        // Request with id = key
  kCloseStdin = 9,  // Request with id
  kUpgrade = 10,    // Request + path: execve in place; EBUSY while a runtime command is running
  kStop = 11,       // Request: leave, containers live on and are found again by the next keeper
  kListHeld = 12,   // as kList, with HeldPackets; the Reply's number says how many were sent
  // replies and events
  kReply = 100,
  kContainer = 101,
  kHeld = 102,
  kExited = 103,
};

struct Header {
  uint32_t magic = kMagic;
  uint16_t version = kVersion;
  Type type = Type::kReply;
  uint64_t request = 0;  // chosen by the client, repeated in answers; 0 in events
};

struct Request {
  Header header;
  char id[kIdBytes] = {};
  int32_t number = 0;
  uint32_t subscribe = 0;
};

struct Reply {
  Header header;
  int32_t error = 0;   // 0: done, else 1 + atl::Code
  int32_t number = 0;  // kHello: the keeper's pid; lists: packets sent before this one
  char message[kMessageBytes] = {};  // for people; what the runtime said
};

inline constexpr uint32_t kTerminal = 1;       // a pty; its master comes back
inline constexpr uint32_t kStdin = 2;          // a pipe for stdin; else /dev/null
inline constexpr uint32_t kLegacyCgroups = 4;  // run the runtime in enter_legacy_view()

// Followed by NUL-terminated strings, in this order: runtime, state folder, bundle, key of the held
// network namespace (or empty), overlay target (or empty), upper, work, then the lower folders, top
// first.
struct CreateRequest {
  Header header;
  char id[kIdBytes] = {};
  uint32_t flags = 0;
  uint32_t strings = 0;
};

enum class State : uint32_t { kCreated = 1, kRunning = 2, kExited = 3 };

inline constexpr int32_t kUnknownExit =
    -1;  // the keeper was not the parent and the kernel could not tell

// How a container's first process ended. Times are nanoseconds of the wall clock.
struct ExitInfo {
  int32_t code = 0;    // exit code, or kUnknownExit
  int32_t signal = 0;  // not 0: killed by it
  int64_t finished_ns = 0;
  uint64_t user_us = 0;
  uint64_t system_us = 0;
  uint64_t max_rss_kib = 0;
};

inline constexpr uint32_t kHasPidfd = 1;
inline constexpr uint32_t kHasStdin = 2;
inline constexpr uint32_t kHasStdout = 4;
inline constexpr uint32_t kHasStderr = 8;
inline constexpr uint32_t kHasPty = 16;

struct ContainerInfo {
  char id[kIdBytes] = {};
  State state = State::kCreated;
  int32_t pid = 0;
  uint64_t start_ticks = 0;  // /proc/PID/stat field 22: tells a reused pid apart
  int64_t created_ns = 0;
  int64_t started_ns = 0;
  ExitInfo exit;
};

// fds: which of the kHas… come beside the packet, in the order of their bits.
struct ContainerPacket {
  Header header;
  ContainerInfo info;
  uint32_t fds = 0;
  uint32_t reserved = 0;
};

struct HeldPacket {
  Header header;
  char key[kIdBytes] = {};
};

struct ExitedPacket {
  Header header;
  ContainerInfo info;
};

// False where `text` does not fit with its NUL (nothing is copied then).
template <size_t N>
bool put(char (&field)[N], std::string_view text) {
  if (text.size() >= N || text.find('\0') != std::string_view::npos) return false;
  text.copy(field, text.size());
  field[text.size()] = '\0';
  return true;
}

template <size_t N>
std::string_view text(const char (&field)[N]) {
  const std::string_view all(field, N);
  return all.substr(0, all.find('\0'));
}

}  // namespace atl::keeper
