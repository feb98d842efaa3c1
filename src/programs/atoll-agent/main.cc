// Runs the pods of this node. As root.
//   atoll-agent [--home DIR]            the agent of an instance
//   atoll-agent [--home DIR] cleanup    removes what an instance left in the kernel: containers,
//   mounts, cgroups, network
#include <pwd.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <unistd.h>

#include <charconv>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <string>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "api/client/remote_client.h"
#include "base/async/run.h"
#include "base/async/task_group.h"
#include "base/core/idle_memory.h"
#include "base/io/files.h"
#include "base/io/layout.h"
#include "base/net/server.h"
#include "base/observe/log.h"
#include "kernel/network/host_network.h"
#include "kernel/network/network.h"
#include "kernel/node/agent.h"
#include "kernel/node/probe/action.h"
#include "kernel/node/runtime/base_layer.h"
#include "kernel/node/runtime/crun_runtime.h"
#include "kernel/node/volumes/memory_folder.h"
#include "oci/local_image_store.h"

namespace {

using namespace atl;  // NOLINT: wiring names everything

constexpr size_t kPoolThreads = 4;
constexpr Duration kStopGrace = std::chrono::seconds(2);
constexpr Duration kKeeperLimit = std::chrono::seconds(20);
constexpr Duration kFirstRest = std::chrono::seconds(3);  // what starting took is not needed again
constexpr Duration kRest = std::chrono::seconds(60);
constexpr Duration kFilePoll = std::chrono::milliseconds(50);
constexpr uint32_t kSocketMode = 0666;  // who may ask is checked by SO_PEERCRED

// Everything of one agent, in the order in which it is built; destroyed the other way round.
class Program {
 public:
  Program(io::Layout layout, io::Config config)
      : layout_(std::move(layout)), config_(std::move(config)) {}

  asio::io_context& loop() { return loop_; }

  Task<> run() {
    CO_TRY_OK(co_await open());
    CO_TRY_OK(co_await agent_->start());
    CO_TRY_OK(serve());
    log::info("the node agent is ready", {{"socket", layout_.agent_socket()}});
    tasks_.spawn("memory", [this] { return rest(); });
    asio::signal_set signals(loop_, SIGTERM, SIGINT);
    auto [error, signal] = co_await signals.async_wait(asio::as_tuple(asio::use_awaitable));
    log::info("stopping; containers go on", {{"signal", signal}});
    co_await tasks_.stop();
    co_await server_->stop(kStopGrace);
    co_await agent_->stop();
    co_await network_->stop();
    co_await runtime_->stop();
    co_return Unit{};
  }

 private:
  Executor executor() { return loop_.get_executor(); }

  Async<void> rest() {
    for (Duration wait = kFirstRest;; wait = kRest) {
      const bool slept = co_await timer_.sleep_for(wait);
      if (!slept) co_return;
      release_idle_memory();
    }
  }
  api::Seams seams() { return {executor(), &timer_, &rng_}; }

  Task<> open() {
    CO_TRY_OK(io::make_folders(layout_.agent_data(), 0711));
    CO_TRY(cgroups_, node::Cgroups::open(layout_.instance));
    CO_TRY(network::Options options, network::Options::from(layout_, config_));
    // The API listens on LINK_IP, which this makes: before anything that waits for the API.
    CO_TRY(const network::HostFacts host, network::prepare_host(options));
    CO_TRY(api::ClusterAccess access, co_await wait_for_kubeconfig());
    client_ = std::make_unique<api::RemoteClient>(
        executor(), timer_, rng_, std::move(access),
        api::RemoteClient::Options{.field_manager = "atoll-agent", .user_agent = "atoll-agent"});
    runtime_ = std::make_unique<node::CrunRuntime>(
        executor(), timer_, *cgroups_,
        node::CrunOptions{.state_folder = layout_.run + "/crun",
                          .run_folder = layout_.run,
                          .keeper_program = layout_.lib + "/atoll-keeper",
                          .keeper_socket = layout_.keeper_socket()});
    runtime_->start_link();
    const bool connected = co_await runtime_->connected(kKeeperLimit);
    if (!connected)
      co_return Error(Code::kUnavailable,
                      "the keeper does not answer on " + layout_.keeper_socket());
    network_ = std::make_unique<network::Network>(seams(), pool_, *client_, options);
    CO_TRY_OK(co_await network_->start());
    CO_TRY(images_, oci::LocalImageStore::open(executor(), timer_, rng_, pool_,
                                               {.folder = layout_.agent_data() + "/images",
                                                .unpack_program = layout_.lib + "/atoll-unpack"}));
    actions_ = node::make_action_runner(executor(), timer_, *runtime_);
    node::AgentParts parts{seams(),          *client_,  *runtime_,  *images_,
                           network_->pods(), *actions_, &*cgroups_, node::Offload(&pool_)};
    parts.folder = layout_.agent_data() + "/pods";
    parts.run_folder = layout_.run + "/pods";
    CO_TRY_OK(node::make_memory_folder(parts.run_folder));
    parts.base_layer = layout_.run + "/base";
    CO_TRY_OK(node::make_base_layer(parts.base_layer));
    parts.facts = node::read_node_facts(config_.get("NODE_NAME", "node"), host.node_address,
                                        config_.get("POD_CIDR"), layout_.data);
    parts.cluster_domain = config_.get("CLUSTER_DOMAIN", "cluster.local");
    CO_TRY(parts.pod_processes, pod_processes());
    parts.trouble = [this] { return network_->trouble(); };
    agent_ = std::make_unique<node::Agent>(std::move(parts));
    co_return Unit{};
  }

  // The server writes it at its first start.
  Task<api::ClusterAccess> wait_for_kubeconfig() {
    const std::string file = layout_.pki() + "/agent.kubeconfig";
    for (bool told = false;; told = true) {
      auto access = api::load_kubeconfig(file);
      if (access || access.error().code() != Code::kNotFound) co_return access;
      if (!told)
        log::info("waiting for the API server to make the agent's credentials", {{"file", file}});
      const bool slept = co_await timer_.sleep_for(kFilePoll);
      if (!slept) co_return Error(Code::kCancelled, "stopped");
    }
  }

  Result<> serve() {
    uint32_t server_uid = 0;
    const std::string user = config_.get("SERVER_USER");
    if (const passwd* entry = user.empty() ? nullptr : ::getpwnam(user.c_str()))
      server_uid = entry->pw_uid;
    handlers_ = std::make_unique<node::AgentServer>(node::AgentServerParts{
        executor(), timer_, *runtime_, *images_, *agent_, &*cgroups_,
        config_.get("NODE_NAME", "node"), server_uid, node::Offload(&pool_)});
    server_ = net::Server::make(executor(), timer_,
                                [this](net::Request request, net::Responder& responder) {
                                  return handlers_->handle(std::move(request), responder);
                                },
                                {});
    return server_->listen_unix(layout_.agent_socket(), kSocketMode);
  }

  Result<int64_t> pod_processes() const {
    const std::string text = config_.get("POD_PIDS_LIMIT");
    if (text.empty()) return node::default_process_limit();
    int64_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc() || end != text.data() + text.size() || number < 0) {
      return Error(Code::kInvalid, "POD_PIDS_LIMIT=" + text +
                                       " in atoll.conf is no number of processes (0: no limit)");
    }
    return number;
  }

  io::Layout layout_;
  io::Config config_;
  asio::io_context loop_{1};
  SystemTimer timer_;
  SystemRng rng_;
  BlockingPool pool_{kPoolThreads};
  std::optional<node::Cgroups> cgroups_;
  std::unique_ptr<api::RemoteClient> client_;
  std::unique_ptr<node::CrunRuntime> runtime_;
  std::unique_ptr<network::Network> network_;
  std::unique_ptr<oci::ImageStore> images_;
  std::unique_ptr<node::ActionRunner> actions_;
  std::unique_ptr<node::Agent> agent_;
  std::unique_ptr<node::AgentServer> handlers_;
  std::unique_ptr<net::Server> server_;
  TaskGroup tasks_{loop_.get_executor()};
};

// Every mount below the folder, the youngest first.
Result<> unmount_below(const std::string& folder) {
  auto table = io::read_file("/proc/self/mounts", 64 << 20);
  if (!table) return std::move(table).error();
  std::vector<std::string> points;
  for (size_t at = 0; at < table->size();) {
    const size_t end = std::min(table->find('\n', at), table->size());
    const std::string line = table->substr(at, end - at);
    const size_t first = line.find(' ');
    const std::string point = line.substr(first + 1, line.find(' ', first + 1) - first - 1);
    if (point.starts_with(folder + "/")) points.push_back(point);
    at = end + 1;
  }
  for (auto it = points.rbegin(); it != points.rend(); ++it) {
    if (::umount2(it->c_str(), MNT_DETACH | UMOUNT_NOFOLLOW) < 0)
      return io::errno_error("unmount " + *it, errno);
  }
  return Unit{};
}

Result<> cleanup(const io::Layout& layout) {
  TRY(const node::Cgroups cgroups, node::Cgroups::open(layout.instance));
  TRY_OK(cgroups.kill_all());
  TRY_OK(cgroups.remove_all());
  TRY_OK(network::Network::cleanup(layout));
  TRY_OK(unmount_below(layout.run));
  return unmount_below(layout.agent_data());
}

void raise_file_limit() {
  rlimit files{};
  if (::getrlimit(RLIMIT_NOFILE, &files) < 0) return;
  files.rlim_cur =
      files.rlim_max;  // never above the hard limit: that needs a right we may not have
  ::setrlimit(RLIMIT_NOFILE, &files);
}

Result<> start(int argc, char** argv) {
  std::string home;
  std::string verb;
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    if (word == "--home" && i + 1 < argc) {
      home = argv[++i];
    } else if (word == "cleanup") {
      verb = word;
    } else {
      return Error(Code::kInvalid, "usage: atoll-agent [--home DIR] [cleanup]");
    }
  }
  if (::geteuid() != 0) return Error(Code::kForbidden, "must run as root");
  const io::Layout layout = io::Layout::of(home);
  if (verb == "cleanup") return cleanup(layout);
  TRY(io::Config config, io::Config::load(layout.config_file()));
  TRY(const log::Level level, log::parse_level(config.get("LOG_LEVEL", "info")));
  log::set_level(level);
  ::signal(SIGPIPE, SIG_IGN);
  raise_file_limit();
  Program program(layout, std::move(config));
  return atl::run(program.loop(), [&program] { return program.run(); });
}

}  // namespace

int main(int argc, char** argv) {
  keep_memory_small();
  if (auto done = start(argc, argv); !done) {
    std::fprintf(stderr, "atoll-agent: %s\n", done.error().message().c_str());
    return 1;
  }
  return 0;
}
