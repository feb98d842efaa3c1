#pragma once

#include <deque>
#include <string>
#include <vector>

#include "base/core/clock.h"
#include "base/core/result.h"
#include "kernel/keeper/wire.h"

namespace atl::keeper {

// A container as the keeper sees it, with our own copies of its fds.
struct ContainerView {
  ContainerInfo info;
  io::UniqueFd pidfd, stdin_pipe, stdout_pipe, stderr_pipe, pty;
  std::string id() const { return std::string(text(info.id)); }
};

struct HeldView {
  std::string key;
  io::UniqueFd fd;
};

Result<ContainerView> to_view(Packet packet);

// A blocking connection to the keeper: for tools, tests, and the agent's thread that speaks with
// it. One request at a time; exits that arrive meanwhile are kept for next_exit(). Not thread-safe.
// kUnavailable: the keeper is gone, connect again and list.
class KeeperClient {
 public:
  static Result<KeeperClient> connect(const std::string& socket);

  // The keeper's pid; with subscribe, exits are sent from now on.
  Result<int> hello(bool subscribe);
  Result<std::vector<ContainerView>> list();
  Result<std::vector<HeldView>> list_held();
  Result<ContainerView> create(const CreateArguments& arguments);
  Result<> start(const std::string& id);
  Result<> signal(const std::string& id, int number);
  Result<> remove(const std::string& id);
  Result<> hold(const std::string& key, int fd);
  Result<> drop(const std::string& key);
  Result<> close_stdin(const std::string& id);
  // Returns once the new program answers on a new connection (this one is dead then), or why it
  // stayed.
  Result<> upgrade(const std::string& program);
  Result<> stop();

  // kTimeout where none came in time.
  Result<ContainerInfo> next_exit(Duration limit);
  int fd() const { return socket_.get(); }

 private:
  explicit KeeperClient(io::UniqueFd socket) : socket_(std::move(socket)) {}
  Result<Packet> read_answer();
  Result<Packet> ask(Type type, const std::string& id = {}, int number = 0, int fd = -1);
  Result<> ask_plain(Type type, const std::string& id = {}, int number = 0, int fd = -1);

  io::UniqueFd socket_;
  std::deque<ContainerInfo> exits_;
  uint64_t next_request_ = 1;
};

}  // namespace atl::keeper
