#pragma once

#include "base/async/task.h"
#include "base/async/timer.h"
#include "base/core/rng.h"

namespace atl::api {

// What a component takes from outside, so that it runs in virtual time with a seed as well as in a
// server. Copied freely; timer and rng outlive every holder.
struct Seams {
  Executor executor;
  Timer* timer;
  Rng* rng;
};

}  // namespace atl::api
