#pragma once

#include <list>
#include <memory>
#include <string>

#include "base/async/event.h"
#include "base/async/task_group.h"
#include "base/net/deadlines_impl.h"
#include "base/net/server.h"
#include "base/net/transport_impl.h"

namespace atl::net {

// One connection of a server as the server sees it.
class ServerConnection {
 public:
  virtual ~ServerConnection() = default;
  // Takes no new request; ends once the running ones have.
  virtual void drain() = 0;
  // Nothing is being served: it may be closed to make room.
  virtual bool idle() const = 0;
};

// What the connections of one server share. Owned by the server, outlives them.
struct ServerCore {
  ServerCore(Executor ex, Timer& t, Handler h, ServerLimits l);

  enum class HandlerEnd : uint8_t { kReturned, kThrew, kCancelled };
  // Waits for what the handler returned; nothing it throws gets further. Method and path are for
  // the log and stay as long as the request.
  static Async<HandlerEnd> finish(Async<void> handling, std::string_view method,
                                  std::string_view path);

  const Executor executor;
  Timer& timer;
  const Handler handler;
  const ServerLimits limits;
  TaskGroup tasks;
  const std::shared_ptr<Deadlines> deadlines;
  std::list<ServerConnection*> connections;
  Event fewer_connections;
  bool stopping = false;
};

// In the server's list for as long as it lives. The list is ordered by use: its head is the one
// that nobody has needed for the longest.
class Registration {
 public:
  Registration(ServerCore& core, ServerConnection& connection);
  ~Registration();
  Registration(const Registration&) = delete;
  Registration& operator=(const Registration&) = delete;

  void used_now() { core_.connections.splice(core_.connections.end(), core_.connections, place_); }

 private:
  ServerCore& core_;
  std::list<ServerConnection*>::iterator place_;
};

// The one-line answer of the network layer itself.
Response plain_answer(int status, std::string_view text);

// A connection over HTTP/1; returns when it is over. `early`: bytes already read.
Async<void> serve_http1(ServerCore& core, std::unique_ptr<Transport> transport, Peer peer,
                        std::string early);
// The same over HTTP/2, from the client's preface on.
Async<void> serve_http2(ServerCore& core, std::unique_ptr<Transport> transport, Peer peer,
                        std::string early);

}  // namespace atl::net
