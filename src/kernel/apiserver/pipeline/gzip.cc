#include "kernel/apiserver/pipeline/gzip.h"

#include <zlib.h>

#include "base/core/check.h"

namespace atl::apiserver {
namespace {
constexpr int kLevel = 1;                    // speed: the network is faster than a better level
constexpr int kGzipWindow = MAX_WBITS + 16;  // zlib's way to ask for gzip's header
constexpr int kMemory = 8;
constexpr size_t kChunk = 64 * 1024;
}  // namespace

struct Gzip::State {
  z_stream stream{};
};

bool wants_gzip(const net::Request& request) {
  const std::string& peer = request.peer.address;
  const bool near =
      peer.starts_with("127.") || peer.starts_with("[::1]") || peer.starts_with("unix");
  return !near && request.headers.get("accept-encoding").find("gzip") != std::string_view::npos;
}

Gzip::Gzip() : state_(std::make_unique<State>()) {
  const int done =
      deflateInit2(&state_->stream, kLevel, Z_DEFLATED, kGzipWindow, kMemory, Z_DEFAULT_STRATEGY);
  CHECK(done == Z_OK);  // only memory can fail, and that aborts anyway
}

Gzip::~Gzip() {
  deflateEnd(&state_->stream);
}

void Gzip::run(std::string_view piece, int flush, std::string& out) {
  z_stream& stream = state_->stream;
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(piece.data()));
  stream.avail_in = uInt(piece.size());
  do {
    const size_t before = out.size();
    out.resize(before + kChunk);
    stream.next_out = reinterpret_cast<Bytef*>(out.data() + before);
    stream.avail_out = uInt(kChunk);
    const int done = deflate(&stream, flush);
    CHECK(done != Z_STREAM_ERROR);
    out.resize(out.size() - stream.avail_out);
  } while (stream.avail_out == 0);
}

std::string Gzip::add(std::span<const SharedBytes> pieces) {
  std::string out;
  for (const SharedBytes& piece : pieces) run(*piece, Z_NO_FLUSH, out);
  run({}, Z_SYNC_FLUSH, out);
  return out;
}

std::string Gzip::finish() {
  std::string out;
  run({}, Z_FINISH, out);
  return out;
}

}  // namespace atl::apiserver
