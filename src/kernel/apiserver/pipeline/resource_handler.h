#pragma once

#include "base/async/task.h"
#include "base/async/timer.h"
#include "base/core/rng.h"
#include "kernel/apiserver/pipeline/decode.h"
#include "kernel/apiserver/pipeline/exchange.h"
#include "kernel/apiserver/pipeline/views.h"
#include "kernel/apiserver/registry/registry.h"

namespace atl::apiserver {

class EventSink;

// Requests for stored objects, after authorization: decode, one operation of the registry, encode.
// Owned by ApiServer; one executor.
class ResourceHandler {
 public:
  ResourceHandler(Registry& registry, const api::KindSet& kinds, const HookTable& hooks,
                  Timer& timer, Rng& rng)
      : registry_(registry),
        kinds_(kinds),
        hooks_(hooks),
        rng_(rng),
        timer_(timer),
        views_(registry.parts().versions, timer) {}

  // Which kind a request is for. kNotFound where the version has no such resource.
  Result<api::KindPtr> route(const RequestInfo& info) const;
  // Answers, or returns the error to answer with.
  Task<> serve(Exchange& exchange, api::KindPtr kind);

 private:
  Task<> serve_object(Exchange& exchange, const Call& call);
  Task<> serve_subresource(Exchange& exchange, const Call& call);
  Task<> get(Exchange& exchange, const Call& call);
  Task<> list(Exchange& exchange, const Call& call);
  Task<> watch(Exchange& exchange, const Call& call);
  Task<> write(Exchange& exchange, const Call& call);
  Task<> remove(Exchange& exchange, Call call);
  Task<> remove_collection(Exchange& exchange, Call call);
  Task<> scale(Exchange& exchange, const Call& call);
  Task<> post(Exchange& exchange, const Call& call);
  struct OpenWatch;
  Task<> carry_watch(Exchange& exchange, std::shared_ptr<OpenWatch> watch);
  Task<> send_events(Exchange& exchange, const OpenWatch& watch);
  Task<> revoked(Exchange& exchange);
  Task<> connect(Exchange& exchange, const Call& call, ConnectHook& hook);
  Task<> reply_written(Exchange& exchange, const Call& call, const Written& written,
                       const View& view);
  Task<> send_list(Exchange& exchange, Views::List list, const View& view);
  // What the body of a write to the call's path is.
  BodyType body_type(const Call& call) const;
  Result<View> view_of(const Exchange& exchange, const Call& call) const;

  Registry& registry_;
  const api::KindSet& kinds_;
  const HookTable& hooks_;
  Rng& rng_;
  Timer& timer_;
  Views views_;
};

}  // namespace atl::apiserver
