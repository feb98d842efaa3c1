#include "kernel/node/pod/contained.h"

#include <algorithm>

namespace atl::node {
namespace {

constexpr Duration kFirstPause = std::chrono::seconds(1);
constexpr Duration kMostPause = std::chrono::minutes(1);

Task<> as_step(std::function<Async<void>()> body) {
  co_await body();
  co_return Unit{};
}

}  // namespace

Async<void> contained(Timer& timer, std::function<Async<void>()> body,
                      std::function<void(const std::string& fault)> told, Again again) {
  for (Duration pause = kFirstPause;; pause = std::min<Duration>(kMostPause, pause * 2)) {
    auto done = co_await contained(as_step(body));
    if (done) co_return;
    told(done.error().message());
    if (again == Again::kNever) co_return;
    const bool slept = co_await timer.sleep_for(pause);
    if (!slept) co_return;
  }
}

}  // namespace atl::node
