#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "api/cache/informer_set.h"
#include "api/controller/controller_loop.h"
#include "kernel/controllers/deps.h"
#include "kernel/controllers/kind_source.h"

namespace atl::controllers {

class GarbageCollector;

// All controllers of the built-in kinds, each with a client and an event source of its own name,
// over one set of informers. Owned by the process's main; one executor. stop() before the
// informers' and before the end.
class Manager {
 public:
  // The client that acts as system:serviceaccount:kube-system:<account>; must outlive the manager.
  using ClientFactory = std::function<api::Client&(std::string_view account)>;
  struct Options {
    std::string root_ca_pem;  // published in every namespace; empty: no publisher
    // Names as in name() of a controller; empty: all.
    std::vector<std::string> only;
  };
  Manager(ClientFactory clients, api::InformerSet& informers, api::Seams seams,
          const KindSource& kinds, Options options);
  ~Manager();

  void start();
  Async<void> stop();

  std::vector<std::string> names() const;
  // One line for each controller.
  std::vector<std::string> health() const;
  // kUnavailable, naming each, while one of them is not at work.
  Result<> ready() const;
  // Null where it does not run.
  const api::ControllerLoop* find(std::string_view name) const;
  // Visits every loop, for metrics.
  void for_each(const std::function<void(const api::ControllerLoop&)>& visit) const;

 private:
  struct Running {
    std::unique_ptr<api::EventRecorder> events;
    std::unique_ptr<api::Reconciler> reconciler;
    std::unique_ptr<api::ControllerLoop> loop;
  };
  template <class T, class... Args>
  void add(std::string_view name, std::string_view account, int workers, Args&&... args);
  void add_workloads();
  void add_cluster(const KindSource& kinds, const std::string& root_ca_pem);

  ClientFactory clients_;
  api::InformerSet& informers_;
  api::Seams seams_;
  std::vector<std::string> only_;
  std::vector<Running> running_;
  GarbageCollector* collector_ = nullptr;
};

}  // namespace atl::controllers
