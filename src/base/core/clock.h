#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace atl {

using WallTime = std::chrono::time_point<std::chrono::system_clock, std::chrono::nanoseconds>;
using MonoTime = std::chrono::time_point<std::chrono::steady_clock, std::chrono::nanoseconds>;
using Duration = std::chrono::nanoseconds;

// The only source of time. Waiting lives in base/async/timer.h.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual WallTime now() const = 0;
  virtual MonoTime monotonic() const = 0;
};

// The machine's clock; built in main() only.
class SystemClock final : public Clock {
 public:
  WallTime now() const override;
  MonoTime monotonic() const override;
};

// A clock that stands still until told. For tests.
class FakeClock final : public Clock {
 public:
  explicit FakeClock(WallTime start = WallTime(std::chrono::seconds(1'800'000'000)))
      : now_(start) {}
  WallTime now() const override { return now_; }
  MonoTime monotonic() const override { return mono_; }
  void advance(Duration by) { now_ += by, mono_ += by; }

 private:
  WallTime now_;
  MonoTime mono_{std::chrono::hours(1)};
};

// metav1.Time: RFC 3339 in UTC, whole seconds: "2026-11-25T12:00:00Z".
std::string rfc3339(WallTime time);
// metav1.MicroTime: "2026-11-25T12:00:00.000000Z".
std::string rfc3339_micro(WallTime time);
// RFC 3339 with nanoseconds, as in container logs.
std::string rfc3339_nano(WallTime time);
// Accepts fractions and offsets; nothing on anything else.
std::optional<WallTime> parse_rfc3339(std::string_view text);

}  // namespace atl
