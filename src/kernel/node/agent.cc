#include "kernel/node/agent.h"

#include <algorithm>
#include <filesystem>
#include <set>

#include "base/io/files.h"
#include "base/io/quick_file.h"
#include "base/observe/log.h"
#include "kernel/node/pod/contained.h"

namespace atl::node {
namespace {

constexpr Duration kStragglers = std::chrono::seconds(10);
const api::Gvr kPods{"", "v1", "pods"};
const api::Gvr kServices{"", "v1", "services"};

}  // namespace

Agent::Agent(AgentParts parts)
    : parts_(std::move(parts)),
      events_(parts_.client, parts_.seams, "kubelet"),
      informers_(parts_.client, parts_.seams),
      context_{parts_.seams, parts_.client,  parts_.runtime, parts_.images,  parts_.network,
               events_,      parts_.actions, parts_.cgroups, parts_.offload, parts_.folder},
      registration_(parts_.client, parts_.seams, parts_.images, parts_.facts, parts_.trouble),
      tasks_(parts_.seams.executor) {
  context_.run_folder = parts_.run_folder.empty() ? parts_.folder : parts_.run_folder;
  context_.base_layer = parts_.base_layer;
  context_.node_name = parts_.facts.name;
  context_.cluster_domain = parts_.cluster_domain;
  context_.node_milli_cpu = parts_.facts.milli_cpu;
  context_.node_memory_bytes = parts_.facts.memory_bytes;
  context_.log_limits = parts_.log_limits;
  context_.pod_processes = parts_.pod_processes;
}

Agent::~Agent() = default;

std::vector<std::unique_ptr<PodWorker>> Agent::read_pods() {
  std::vector<std::unique_ptr<PodWorker>> out;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(context_.run_folder, error)) {
    auto text = io::read_replaced((entry.path() / "pod.json").string());
    auto document =
        text ? json::parse(*text) : Result<json::Value>(Error(Code::kNotFound, "no pod.json"));
    auto spec =
        document ? read_pod(*std::move(document)) : Result<PodSpecPtr>(std::move(document).error());
    if (!spec) {
      log::warn("a pod's folder cannot be read; it is left alone",
                {{"folder", entry.path().string()}, {"error", spec.error()}});
      continue;
    }
    auto worker = std::make_unique<PodWorker>(context_, *std::move(spec));
    if (!worker->record().recover()) worker->record().recover_without_state();
    out.push_back(std::move(worker));
  }
  return out;
}

// Containers to their pods; what belongs to none was being made when an agent died, and goes.
Task<> Agent::hand_out(std::vector<LiveContainer> containers) {
  for (LiveContainer& c : containers) {
    const auto it = workers_.find(c.id.substr(0, c.id.find('_')));
    if (it != workers_.end()) {
      PodWorker& worker = *it->second;
      auto adopted = contained_call([&] { worker.adopt(std::move(c)); });
      if (!adopted) {
        log::error("a container cannot be taken over",
                   {{"pod", worker.spec().key()}, {"error", adopted.error()}});
      }
      continue;
    }
    log::info("removing a container that no pod knows", {{"container", c.id}});
    CO_TRY_OK(co_await parts_.runtime.remove(c.id));
  }
  co_return Unit{};
}

Task<> Agent::recover() {
  CO_TRY_OK(io::make_folders(parts_.folder, 0711));
  CO_TRY_OK(io::make_folders(context_.run_folder, 0711));
  CO_TRY(auto containers, co_await parts_.runtime.list());
  CO_TRY(auto held, co_await parts_.runtime.held());
  for (std::unique_ptr<PodWorker>& worker : read_pods())
    workers_[worker->spec().uid] = std::move(worker);
  std::vector<network::KnownPod> known;
  for (Runtime::Held& h : held) {
    const auto it = workers_.find(h.key);
    if (it == workers_.end() || !it->second->state().network_ready) {
      CO_TRY_OK(co_await parts_.runtime.drop(h.key));
      continue;
    }
    known.push_back({it->second->network_ref(), it->second->state().ip, std::move(h.fd)});
  }
  for (auto& [uid, worker] : workers_) {
    const bool held_on = std::any_of(known.begin(), known.end(),
                                     [&](const network::KnownPod& k) { return k.pod.uid == uid; });
    if (!held_on && !worker->spec().host_network) worker->lost_network();
  }
  CO_TRY_OK(co_await parts_.network.recover(std::move(known)));
  CO_TRY_OK(co_await hand_out(std::move(containers)));
  std::vector<std::string> ids;
  for (auto& [uid, worker] : workers_) {
    worker->settle_recovery();
    for (std::string& id : worker->container_ids()) ids.push_back(std::move(id));
  }
  CO_TRY_OK(co_await parts_.images.keep_only(std::move(ids)));
  log::info("took over", {{"pods", workers_.size()}});
  co_return Unit{};
}

Task<> Agent::start() {
  parts_.runtime.on_exit([this](const std::string& id, const ExitStatus& exit) {
    const auto it = workers_.find(id.substr(0, id.find('_')));
    if (it != workers_.end()) it->second->container_exited(id, exit);
  });
  parts_.runtime.on_reconnect([this] { tasks_.spawn("relist", [this] { return relist(); }); });
  CO_TRY_OK(co_await recover());
  api::Informer& services = informers_.get(kServices);
  context_.services = [&services] { return services.list(); };
  for (auto& [uid, worker] : workers_) {
    worker->on_finished([this] { finished_.notify(); });
    worker->start();
  }
  listen();
  registration_.start();
  tasks_.spawn("reap", [this] { return reap_finished(); });
  tasks_.spawn("stragglers", [this] { return remove_stragglers(); });
  tasks_.spawn("gone pods", [this] { return drop_pods_that_are_gone(); });
  co_return Unit{};
}

void Agent::listen() {
  pods_ = &informers_.get(
      kPods,
      {.ns = {}, .label_selector = {}, .field_selector = "spec.nodeName=" + parts_.facts.name});
  pods_->add_handler(
      [this](const api::ObjectKey&, const api::ObjectPtr& before, const api::ObjectPtr& now) {
        if (now) seen(now);
        if (!now && before) gone(before->uid());
      });
  informers_.start();
}

void Agent::add(std::unique_ptr<PodWorker> worker) {
  PodWorker* const w = worker.get();
  workers_[w->spec().uid] = std::move(worker);
  w->on_finished([this] { finished_.notify(); });
  w->start();
}

void Agent::seen(const api::ObjectPtr& object) {
  auto spec = read_pod(*object);
  if (!spec) {
    log::warn("a pod cannot be read", {{"pod", object->key().text()}, {"error", spec.error()}});
    return;
  }
  const auto it = workers_.find((*spec)->uid);
  if (it != workers_.end()) return it->second->update(*std::move(spec));
  const bool over = (*spec)->finished();
  // Of a pod that ended here its logs may still be asked for.
  std::error_code none;
  const bool has_files = std::filesystem::exists(context_.pod_folder((*spec)->uid), none);
  if (over && !(*spec)->deleting && !has_files) return;
  auto worker = std::make_unique<PodWorker>(context_, *std::move(spec));
  worker->record().recover_from_status();
  if (over) worker->mark_over();
  worker->settle_recovery();
  add(std::move(worker));
}

void Agent::gone(const std::string& uid) {
  const auto it = workers_.find(uid);
  if (it != workers_.end()) it->second->remove_now();
}

// Pods that were deleted while no agent was looking.
Async<void> Agent::drop_pods_that_are_gone() {
  const bool synced = co_await pods_->synced();
  if (!synced) co_return;
  std::set<std::string> alive;
  for (const api::ObjectPtr& pod : pods_->list()) alive.insert(pod->uid());
  for (auto& [uid, worker] : workers_) {
    if (!alive.contains(uid)) worker->remove_now();
  }
  // What pods left that went while the machine was down: their states were in memory.
  std::vector<std::string> left;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(parts_.folder, error)) {
    const std::string uid = entry.path().filename();
    if (!workers_.contains(uid) && !alive.contains(uid)) left.push_back(entry.path().string());
  }
  co_await parts_.offload.run([left] {
    std::error_code ignored;
    for (const std::string& path : left) std::filesystem::remove_all(path, ignored);
    return 0;
  });
}

// A container that was being made when the last agent died may appear after we have listed.
Async<void> Agent::remove_stragglers() {
  const bool slept = co_await parts_.seams.timer->sleep_for(kStragglers);
  if (!slept) co_return;
  auto containers = co_await parts_.runtime.list();
  if (!containers) co_return;
  for (const LiveContainer& c : *containers) {
    const auto it = workers_.find(c.id.substr(0, c.id.find('_')));
    if (it != workers_.end() && it->second->knows(c.id)) continue;
    log::info("removing a container that no pod knows", {{"container", c.id}});
    (void)co_await parts_.runtime.remove(c.id);
    (void)co_await parts_.images.release(c.id);
  }
}

// The keeper was away: exits may have been missed.
Async<void> Agent::relist() {
  auto containers = co_await parts_.runtime.list();
  if (!containers) co_return;  // away again: the next connection lists
  for (const LiveContainer& c : *containers) {
    const auto it = workers_.find(c.id.substr(0, c.id.find('_')));
    if (it != workers_.end() && c.state == RunState::kExited)
      it->second->container_exited(c.id, c.exit);
  }
}

Async<void> Agent::reap_finished() {
  while (!tasks_.stopping()) {
    co_await finished_.wait();
    for (auto it = workers_.begin(); it != workers_.end();) {
      if (!it->second->finished()) {
        ++it;
        continue;
      }
      const std::unique_ptr<PodWorker> worker = std::move(it->second);
      it = workers_.erase(it);
      co_await worker->stop();
      it = workers_.begin();  // others came and went meanwhile
    }
  }
}

Async<void> Agent::stop() {
  co_await registration_.stop();
  co_await informers_.stop();
  co_await tasks_.stop();
  for (auto& [uid, worker] : workers_) co_await worker->stop();
  co_await events_.stop();
}

PodWorker* Agent::find(const std::string& ns, const std::string& name) {
  for (auto& [uid, worker] : workers_) {
    if (worker->spec().name == name && worker->spec().ns == ns) return worker.get();
  }
  return nullptr;
}

std::vector<PodWorker*> Agent::all() {
  std::vector<PodWorker*> out;
  for (auto& [uid, worker] : workers_) out.push_back(worker.get());
  return out;
}

}  // namespace atl::node
