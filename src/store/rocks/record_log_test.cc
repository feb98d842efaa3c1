#include "store/rocks/record_log.h"

#include <gtest/gtest.h>

namespace atl::store {
namespace {

constexpr size_t kBlockBytes = 32 * 1024;
constexpr size_t kHeaderBytes = 7;

void put(std::string& out, uint32_t value, int bytes) {
  for (int i = 0; i < bytes; ++i) out += char(value >> (8 * i) & 0xff);
}

// What RocksDB's writer does with a record.
void append(std::string& log, std::string_view payload) {
  for (bool first = true, last = false; !last; first = false) {
    size_t room = kBlockBytes - log.size() % kBlockBytes;
    if (room < kHeaderBytes) {
      log.append(room, '\0');
      room = kBlockBytes;
    }
    const std::string_view piece = payload.substr(0, room - kHeaderBytes);
    payload.remove_prefix(piece.size());
    last = payload.empty();
    std::string covered(1, char(first ? (last ? 1 : 2) : (last ? 4 : 3)));
    covered += piece;
    const uint32_t crc = crc32c(0, covered);
    put(log, (crc >> 15 | crc << 17) + 0xa282ead8, 4);
    put(log, uint32_t(piece.size()), 2);
    log += covered;
  }
}

TEST(RecordLog, TheChecksumIsCastagnolis) {
  EXPECT_EQ(crc32c(0, "123456789"), 0xe3069283);
}

TEST(RecordLog, RecordsAreReadAcrossBlocks) {
  std::string log;
  const std::vector<std::string> payloads = {"one", std::string(100'000, 'b'), "",
                                             std::string(kBlockBytes - 9, 'c'), "last"};
  for (const std::string& payload : payloads) append(log, payload);
  const LogContent content = read_log(log);
  ASSERT_EQ(content.records.size(), payloads.size());
  for (size_t i = 0; i < payloads.size(); ++i) {
    EXPECT_TRUE(payloads[i].starts_with(content.records[i].start)) << i;
    EXPECT_FALSE(content.records[i].after_gap) << i;
  }
  EXPECT_EQ(content.readable_bytes, log.size());
  EXPECT_FALSE(content.ends_in_gap);
}

struct Damage {
  const char* what;
  std::function<void(std::string&)> change;
  size_t records;
  bool later;  // a record behind the damage
  size_t readable_records;
};

TEST(RecordLog, DamageIsToldFromTheEnd) {
  std::vector<size_t> ends;  // of each of four records
  std::string good;
  for (const size_t size : {20, 50'000, 30, 40}) {
    append(good, std::string(size, 'r'));
    ends.push_back(good.size());
  }
  const Damage cases[] = {
      {"nothing changed", [](std::string&) {}, 4, false, 4},
      {"zeros written ahead", [](std::string& log) { log.append(300'000, '\0'); }, 4, false, 4},
      {"the last record is cut", [](std::string& log) { log.pop_back(); }, 3, false, 3},
      {"a bit of the last record", [](std::string& log) { log.back() ^= 1; }, 3, false, 3},
      {"a bit of the first payload", [](std::string& log) { log[9] ^= 1; }, 3, true, 0},
      {"the first length is too large", [](std::string& log) { log[5] ^= 64; }, 3, true, 0},
      {"the third length is too large", [&](std::string& log) { log[ends[1] + 5] ^= 64; }, 3, true,
       2},
      {"the first fragment of two", [&](std::string& log) { log[ends[0] + 9] ^= 1; }, 3, true, 1},
      {"the second fragment of two", [&](std::string& log) { log[ends[1] - 1] ^= 1; }, 3, true, 1},
  };
  for (const Damage& c : cases) {
    SCOPED_TRACE(c.what);
    std::string log = good;
    c.change(log);
    const LogContent content = read_log(log);
    EXPECT_EQ(content.records.size(), c.records);
    bool later = false;
    for (const LogRecord& record : content.records) later = later || record.after_gap;
    EXPECT_EQ(later, c.later);
    EXPECT_EQ(content.readable_bytes, c.readable_records ? ends[c.readable_records - 1] : 0);
  }
}

}  // namespace
}  // namespace atl::store
