#pragma once

#include <string>
#include <vector>

#include "base/core/clock.h"
#include "base/text/json.h"
#include "oci/image_store.h"

// What a Node object says about this machine.
namespace atl::node {

struct NodeFacts {
  std::string name;
  std::string address;  // InternalIP
  std::string pod_cidr;
  int64_t milli_cpu = 0;
  int64_t memory_bytes = 0;
  int64_t storage_bytes = 0;  // of the file system that holds the agent's data
  int64_t pods = 1'000;
  std::string machine_id, boot_id, kernel, os_image, architecture;
};

// Reads /proc, /etc and the file system of `data_folder`. Blocking.
NodeFacts read_node_facts(std::string name, std::string address, std::string pod_cidr,
                          const std::string& data_folder);

// The object as it is created; status separately.
json::Value node_object(const NodeFacts& facts);
// `trouble`: why pods cannot run here, empty while all is well. `before`: conditions on the server.
json::Value node_status(const NodeFacts& facts, const std::string& trouble,
                        const std::vector<oci::ImageSummary>& images, const json::Array& before,
                        WallTime now);

}  // namespace atl::node
