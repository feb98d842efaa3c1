#include "api/cache/backoff.h"

#include <algorithm>

namespace atl::api {
namespace {

Duration jittered(Duration base, double jitter, Rng& rng) {
  const auto most = uint64_t(double(base.count()) * jitter);
  return most == 0 ? base : base + Duration(int64_t(rng.below(most + 1)));
}

}  // namespace

Duration Backoff::next(Rng& rng) {
  const Duration now = next_;
  next_ = std::min(next_ * 2, options_.most);
  return jittered(now, options_.jitter, rng);
}

Duration Backoff::after(const Options& options, int failures, Rng& rng) {
  Duration wait = options.first;
  for (int i = 1; i < failures && wait < options.most; ++i) wait *= 2;
  return jittered(std::min(wait, options.most), options.jitter, rng);
}

}  // namespace atl::api
