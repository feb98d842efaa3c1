#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <set>

#include "base/core/clock.h"
#include "base/core/result.h"
#include "base/core/rng.h"
#include "base/core/seconds.h"

namespace atl {
namespace {

Result<int> half(int n) {
  if (n % 2) return Error(Code::kInvalid, "odd");
  return n / 2;
}

Result<int> quarter(int n) {
  TRY(const int h, half(n));
  TRY(const int q, half(h));
  return q;
}

TEST(Result, TryLeavesWithTheFirstError) {
  EXPECT_EQ(*quarter(8), 2);
  const auto bad = quarter(6);
  ASSERT_FALSE(bad);
  EXPECT_EQ(bad.error().code(), Code::kInvalid);
  EXPECT_EQ(Error(bad.error()).during("quarter of 6").message(), "quarter of 6: odd");
}

TEST(Time, YearsThatNoWallTimeHoldsAreFarAwayAndNotWrapped) {
  const WallTime now = *parse_rfc3339("2026-11-25T12:00:00Z");
  const std::chrono::hours century(24 * 36525);
  EXPECT_GT(*parse_rfc3339("9999-12-31T23:59:59Z"), now + century);
  EXPECT_LT(*parse_rfc3339("0001-01-01T00:00:00Z"), now - century);
}

TEST(Clock, Rfc3339RoundTrip) {
  const auto t = parse_rfc3339("2026-11-25T12:30:05.25+01:30");
  ASSERT_TRUE(t);
  EXPECT_EQ(rfc3339(*t), "2026-11-25T11:00:05Z");
  EXPECT_EQ(rfc3339_micro(*t), "2026-11-25T11:00:05.250000Z");
}

TEST(Clock, Rfc3339RefusesNonsense) {
  for (const char* bad : {"", "2026-11-25", "2026-13-25T00:00:00Z", "2026-02-30T00:00:00Z",
                          "2026-11-25T25:00:00Z", "2026-11-25T00:00:00", "2026-11-25T00:00:00.Z",
                          "2026-11-25T00:00:00+1:00", "x026-11-25T00:00:00Z"}) {
    EXPECT_FALSE(parse_rfc3339(bad)) << bad;
  }
}

TEST(Seconds, AgesDoNotOverflow) {
  EXPECT_EQ(seconds_of(30), std::chrono::seconds(30));
  EXPECT_EQ(seconds_of(-30), std::chrono::seconds(-30));
  for (const int64_t ages : {INT64_MAX, int64_t(1) << 62, kSecondsMax + 1}) {
    EXPECT_EQ(seconds_of(ages), std::chrono::seconds(kSecondsMax));
    EXPECT_EQ(seconds_of(-ages), -std::chrono::seconds(kSecondsMax));
  }
  const WallTime today{std::chrono::seconds(1'800'000'000)};
  EXPECT_GT(today + seconds_of(INT64_MAX), today);
  EXPECT_LT(today - seconds_of(INT64_MAX), today);
}

TEST(Rng, NoIdComesTwiceAlsoNotInAChildProcess) {
  SystemRng rng;
  std::set<std::string> seen;
  for (int i = 0; i < 1'000; ++i) EXPECT_TRUE(seen.insert(rng.uuid()).second);
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  const pid_t child = fork();
  if (child == 0) {
    const std::string id = rng.uuid();
    _exit(write(ends[1], id.data(), id.size()) == ssize_t(id.size()) ? 0 : 1);
  }
  std::string theirs(36, '\0');
  ASSERT_EQ(read(ends[0], theirs.data(), theirs.size()), 36);
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  close(ends[0]);
  close(ends[1]);
  EXPECT_NE(theirs, rng.uuid()) << "parent and child share what the parent had in reserve";
}

TEST(Rng, SeedsRepeatAndUuidsHaveTheirForm) {
  SeededRng a(7), b(7);
  EXPECT_EQ(a.uuid(), b.uuid());
  const std::string id = SystemRng().uuid();
  EXPECT_EQ(id.size(), 36u);
  EXPECT_EQ(id[14], '4');
}

}  // namespace
}  // namespace atl
