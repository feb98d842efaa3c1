#include "kernel/apiserver/pipeline/gzip.h"

#include <gtest/gtest.h>
#include <zlib.h>

namespace atl::apiserver {
namespace {

// What a reader makes of the bytes that have come so far.
std::string unpacked(std::string_view bytes) {
  constexpr int kGzipWindow = 15 + 16;
  z_stream stream{};
  EXPECT_EQ(inflateInit2(&stream, kGzipWindow), Z_OK);
  std::string out(1 << 20, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  stream.avail_in = uInt(bytes.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = uInt(out.size());
  inflate(&stream, Z_SYNC_FLUSH);
  out.resize(out.size() - stream.avail_out);
  inflateEnd(&stream);
  return out;
}

TEST(Gzip, EachPartIsReadableAsSoonAsItIsThere) {
  const std::string long_text(300'000, 'x');
  const SharedBytes first[] = {share("["), share(long_text), share("")};
  const SharedBytes second[] = {share(","), share("1]")};
  Gzip gzip;
  std::string wire = gzip.add(first);
  EXPECT_EQ(unpacked(wire), "[" + long_text);
  wire += gzip.add(second);
  EXPECT_EQ(unpacked(wire), "[" + long_text + ",1]");
  wire += gzip.finish();
  EXPECT_EQ(unpacked(wire), "[" + long_text + ",1]");
}

}  // namespace
}  // namespace atl::apiserver
