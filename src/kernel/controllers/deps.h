#pragma once

#include "api/cache/informer_set.h"
#include "api/client/client.h"
#include "api/controller/event_recorder.h"

namespace atl::controllers {

// What every controller is built from. Everything outlives the controllers.
struct Deps {
  api::Client& client;          // with the controller's own service account
  api::InformerSet& informers;  // shared by all
  api::Seams seams;
  api::EventRecorder& events;  // with the controller's own component name

  WallTime now() const { return seams.timer->now(); }
};

}  // namespace atl::controllers
