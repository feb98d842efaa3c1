#pragma once

#include <memory>

#include "base/async/task.h"
#include "base/core/bytes.h"
#include "kernel/apiserver/pipeline/exchange.h"

namespace atl::apiserver {

// Where the events of a watch go: lines of one response, or text messages of a WebSocket where the
// client asked for one. Owned by the watch; answers the exchange when it is opened.
class EventSink {
 public:
  virtual ~EventSink() = default;
  // Runs `events`, which writes here, while it looks after the other direction. Ends with it, or
  // with kCancelled when the client closed its side.
  virtual Task<> carry(Task<> events) = 0;
  virtual Task<> write(SharedBytes frame) = 0;
  virtual Task<> finish() = 0;
};

// kBadRequest where a WebSocket is asked for with a handshake that is none.
Task<std::unique_ptr<EventSink>> open_event_sink(Exchange& exchange);

}  // namespace atl::apiserver
