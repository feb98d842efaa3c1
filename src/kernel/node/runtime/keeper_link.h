#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/async/event.h"
#include "base/async/task_group.h"
#include "base/async/timer.h"
#include "kernel/keeper/client.h"

namespace atl::node {

// The agent's connection to the keeper: many requests at once, exits as they come, reconnects for
// ever. One executor; stop() before the end. While the keeper is away every request fails with
// kUnavailable.
class KeeperLink {
 public:
  KeeperLink(Executor executor, Timer& timer, std::string socket);
  ~KeeperLink();

  void start();
  Async<void> stop();
  // True once connected; false when the time passed.
  Async<bool> connected(Duration limit);

  Task<std::vector<keeper::ContainerView>> list();
  Task<std::vector<keeper::HeldView>> list_held();
  Task<keeper::ContainerView> create(keeper::CreateArguments arguments);
  Task<> simple(keeper::Type type, std::string id, int number = 0, int fd = -1);

  void on_exit(std::function<void(const keeper::ContainerInfo&)> handler) {
    exit_ = std::move(handler);
  }
  void on_reconnect(std::function<void()> handler) { reconnect_ = std::move(handler); }

 private:
  struct Pending {
    std::vector<keeper::Packet> packets;
    bool complete = false;
    bool failed = false;
    Event changed;
  };
  struct Socket;

  Async<void> run();
  Async<void> read_until_closed();
  void dispatch(keeper::Packet packet);
  void fail_all();
  // Sends and waits for the last packet of the answer.
  Task<std::vector<keeper::Packet>> ask(std::string bytes, uint64_t request, int fd = -1);

  Executor executor_;
  Timer& timer_;
  std::string path_;
  std::unique_ptr<Socket> socket_;
  std::map<uint64_t, std::shared_ptr<Pending>> pending_;
  uint64_t next_request_ = 1;
  std::function<void(const keeper::ContainerInfo&)> exit_;
  std::function<void()> reconnect_;
  Event connected_;
  bool was_connected_ = false;
  TaskGroup tasks_;
};

}  // namespace atl::node
