#pragma once

#include <expected>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/net/http.h"

namespace atl::net {

// Why a message is refused: the status a server answers with, and one line for people.
struct Fault {
  int status = 400;
  std::string_view text;
};

// What stands before the body.
struct Http1Head {
  std::string method;  // requests
  std::string target;  // origin form, or what a proxy would see
  int status = 0;      // responses
  int minor_version = 1;
  Headers headers;
  std::optional<uint64_t> content_length;
  bool chunked = false;
  bool keep_alive = true;
};

// One HTTP/1 message after another, from the bytes of a connection: Beast's parser, and on top of
// it everything RFC 9112 lets a strict server refuse: two framings, two lengths, folded lines, a
// missing or second Host, unknown transfer codings, heads and chunk lines past their limits.
// Owned by a connection. The caller keeps bytes that were not used and presents them again in front
// of what follows.
class Http1Parser {
 public:
  enum class Role : uint8_t { kRequest, kResponse, kResponseToHead };
  static constexpr size_t kTargetMaxBytes = 32 * 1024;
  static constexpr size_t kFieldsMax = 1'000;
  static constexpr size_t kChunkLineMaxBytes = 4 * 1024;

  static std::unique_ptr<Http1Parser> make(Role role, size_t header_bytes);
  virtual ~Http1Parser() = default;

  // How many bytes were used: all but an unfinished line. Stops at the end of the message.
  virtual std::expected<size_t, Fault> feed(std::string_view bytes) = 0;
  // The peer closed its side: ends a response without a length, else a fault.
  virtual std::expected<void, Fault> finish() = 0;

  bool started() const { return started_; }
  bool head_done() const { return head_done_; }
  bool done() const { return done_; }
  Http1Head& head() { return head_; }
  // The bytes of the body since the last call.
  std::string take_body() { return std::exchange(body_, {}); }
  Headers& trailers() { return trailers_; }

 protected:
  bool started_ = false;
  bool head_done_ = false;
  bool done_ = false;
  Http1Head head_;
  std::string body_;
  Headers trailers_;
};

}  // namespace atl::net
