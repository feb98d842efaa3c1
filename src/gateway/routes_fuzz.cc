// Any object as an Ingress: what reaches HAProxy's maps is one line for each entry, of two words.
#include <cstdlib>

#include "gateway/routes.h"

namespace {

void check_words(const std::map<std::string, std::string>& entries) {
  for (const auto& [key, value] : entries) {
    for (const std::string& word : {key, value}) {
      for (const char c : word) {
        if (uint8_t(c) <= ' ' || c == 0x7f) std::abort();
      }
      if (word.empty()) std::abort();
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace atl;  // NOLINT
  const auto tree = json::parse({reinterpret_cast<const char*>(data), size});
  if (!tree || !tree->is_object()) return 0;
  const auto object = api::Object::from_document(*tree, Revision{1});
  if (!object) return 0;
  gateway::World world;
  world.ingresses.push_back(gateway::ingress_info(**object));
  for (const gateway::IngressPath& path : world.ingresses[0].paths) {
    gateway::GatewayService service;
    service.cluster_ip = "10.43.0.7";
    service.ports.push_back({path.backend.port_name, uint16_t(80), false});
    world.services[{world.ingresses[0].key.ns, path.backend.service}] = service;
  }
  (void)gateway::gateway_secret(**object);
  (void)gateway::gateway_service(**object, {*object});
  const gateway::Plan plan = gateway::plan(std::move(world));
  check_words(plan.exact);
  check_words(plan.prefix);
  return 0;
}
