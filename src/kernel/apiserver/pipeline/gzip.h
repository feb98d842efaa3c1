#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/net/http.h"

namespace atl::apiserver {

// Replies from this size on are worth the work, as kube-apiserver has it.
inline constexpr size_t kGzipFrom = 128 * 1024;

// May this reply be compressed? The client must take it, and be on another machine: on this one,
// copying is cheaper than compressing.
bool wants_gzip(const net::Request& request);

// A gzip stream made piece by piece. Owned by one reply.
class Gzip {
 public:
  Gzip();
  ~Gzip();
  Gzip(const Gzip&) = delete;
  Gzip& operator=(const Gzip&) = delete;

  // The compressed form of the pieces, flushed so that the reader gets all of them.
  std::string add(std::span<const SharedBytes> pieces);
  // The end of the stream.
  std::string finish();

 private:
  void run(std::string_view piece, int flush, std::string& out);
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace atl::apiserver
