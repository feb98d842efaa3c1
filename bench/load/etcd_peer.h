#pragma once

#include <memory>
#include <string>
#include <vector>

#include "load/deliveries.h"
#include "load/options.h"

namespace bench {

// The same fan-out through etcd's own Watch (gRPC, etcdserverpb): one stream for each watcher, as
// many to a connection, no TLS. What a Kubernetes watch costs upstream comes on top of it.
class EtcdPeer {
 public:
  explicit EtcdPeer(const Options& options);
  ~EtcdPeer();
  void run();
  Deliveries& deliveries() { return deliveries_; }

 private:
  class Messages;
  void put();

  const Options& options_;
  const size_t watchers_;
  Deliveries deliveries_;
  std::string watch_, put_;
  std::vector<std::unique_ptr<Connection>> connections_;
  std::vector<std::unique_ptr<Messages>> messages_;
};

}  // namespace bench
