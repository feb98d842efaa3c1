#pragma once

#include <fcntl.h>
#include <unistd.h>

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "kernel/node/runtime/runtime.h"

namespace atl::node {

// Containers that run until a test says otherwise, or until they get a signal they obey. Outlives
// agents, as the keeper does.
class FakeRuntime final : public Runtime {
 public:
  explicit FakeRuntime(Timer& timer) : timer_(timer) {}

  struct Container {
    RunState state = RunState::kCreated;
    json::Value spec;
    WallTime started{};
    ExitStatus exit;
    std::vector<int> signals;
    io::UniqueFd out;  // write end of its stdout
    io::UniqueFd read_end;
    io::UniqueFd in;  // read end of its stdin, where asked for
  };
  std::map<std::string, Container> containers;
  std::map<std::string, io::UniqueFd> fds;
  std::set<std::string> ignore_term;  // containers (by name in the id) that only SIGKILL ends
  std::map<std::string, Error> create_errors;  // by container name: what create says
  std::vector<std::string> history;            // "create web", "start web", "remove web" …

  static std::string name_of(const std::string& id) {
    const size_t first = id.find('_');
    return id.substr(first + 1, id.rfind('_') - first - 1);
  }
  // The id of the newest run of a container; empty where there is none.
  std::string find(const std::string& name) const {
    std::string found;
    for (const auto& [id, c] : containers) {
      if (name_of(id) == name && c.state != RunState::kExited) found = id;
    }
    return found;
  }
  void end(const std::string& name, int code, int signal = 0) {
    const std::string id = find(name);
    if (id.empty()) return;
    Container& c = containers[id];
    c.state = RunState::kExited;
    c.exit = {signal ? 128 + signal : code, signal, false, false, timer_.now()};
    c.out.reset();
    if (exit_) exit_(id, c.exit);
  }
  void forget_agent() { exit_ = nullptr; }

  Task<std::vector<LiveContainer>> list() override {
    std::vector<LiveContainer> out;
    for (auto& [id, c] : containers) {
      LiveContainer live{id, c.state, 1000, c.started, c.exit, {}, {}, {}, {}};
      live.stdout_pipe.reset(::fcntl(c.read_end.get(), F_DUPFD_CLOEXEC, 3));
      out.push_back(std::move(live));
    }
    co_return std::move(out);
  }
  Task<LiveContainer> create(CreateRequest request) override {
    const std::string name = name_of(request.id);
    history.push_back("create " + name);
    if (const auto it = create_errors.find(name); it != create_errors.end()) co_return it->second;
    Container& c = containers[request.id];
    c.spec = std::move(request.spec);
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0) co_return Error(Code::kExhausted, "pipe");
    c.read_end.reset(ends[0]), c.out.reset(ends[1]);
    LiveContainer live{request.id, RunState::kCreated, 1000, {}, {}, {}, {}, {}, {}};
    live.stdout_pipe.reset(::fcntl(ends[0], F_DUPFD_CLOEXEC, 3));
    if (!request.with_stdin) co_return std::move(live);
    if (::pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0) co_return Error(Code::kExhausted, "pipe");
    c.in.reset(ends[0]), live.stdin_pipe.reset(ends[1]);
    co_return std::move(live);
  }
  Task<> start(std::string id) override {
    history.push_back("start " + name_of(id));
    const auto it = containers.find(id);
    if (it == containers.end()) co_return Error(Code::kNotFound, "no such container");
    it->second.state = RunState::kRunning;
    it->second.started = timer_.now();
    co_return Unit{};
  }
  Task<> signal(std::string id, int number) override {
    const auto it = containers.find(id);
    if (it == containers.end() || it->second.state == RunState::kExited) co_return Unit{};
    it->second.signals.push_back(number);
    if (number == 9)
      end(name_of(id), 0, 9);
    else if (!ignore_term.contains(name_of(id)))
      end(name_of(id), 0, 0);
    co_return Unit{};
  }
  Task<> remove(std::string id) override {
    if (containers.erase(id)) history.push_back("remove " + name_of(id));
    co_return Unit{};
  }
  Task<> close_stdin(std::string) override { co_return Unit{}; }
  Task<std::unique_ptr<ExecSession>> exec(ExecRequest) override {
    co_return Error(Code::kMethodNotAllowed, "no exec here");
  }
  Task<> hold(std::string key, int fd) override {
    fds[key].reset(::fcntl(fd, F_DUPFD_CLOEXEC, 3));
    co_return Unit{};
  }
  Task<> drop(std::string key) override {
    fds.erase(key);
    co_return Unit{};
  }
  Task<std::vector<Held>> held() override {
    std::vector<Held> out;
    for (auto& [key, fd] : fds)
      out.push_back({key, io::UniqueFd(::fcntl(fd.get(), F_DUPFD_CLOEXEC, 3))});
    co_return std::move(out);
  }
  void on_exit(std::function<void(const std::string&, const ExitStatus&)> handler) override {
    exit_ = std::move(handler);
  }
  void on_reconnect(std::function<void()>) override {}

 private:
  Timer& timer_;
  std::function<void(const std::string&, const ExitStatus&)> exit_;
};

}  // namespace atl::node
