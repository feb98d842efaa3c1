#pragma once

#include "base/core/rng.h"
#include "kernel/apiserver/admission/address_pool.h"
#include "kernel/apiserver/contract/hooks.h"
#include "kernel/apiserver/contract/reader.h"

namespace atl::apiserver {

struct ServiceSettings {
  AddressRange cluster_ips;  // SERVICE_CIDR
  uint32_t first_node_port = 30000;
  uint32_t node_ports = 2768;  // up to 32767
};

// Services: defaults that depend on the type, what an update keeps, the rules between fields, and
// the addresses and node ports, which are unique over all Services. The pools follow the committed
// Services through the Reader, so they need no store of their own and are right after any crash; a
// claim lasts from reserve() to settle(). The first 1/16 of the addresses (16 to 256) is given out
// only where asked for by name, or when nothing else is left. The address before the first and the
// last one (network, broadcast) are never given.
class ServiceHook final : public KindHook {
 public:
  ServiceHook(Reader& reader, Rng& rng, ServiceSettings settings);
  std::string_view name() const override { return "service.addresses"; }
  Result<> prepare(WriteContext& write) const override;
  api::Findings validate(const WriteContext& write) const override;
  Result<> reserve(WriteContext& write) override;
  void settle(const WriteContext& write, bool stored) override;

 private:
  Result<> reserve_address(WriteContext& write);
  Result<> reserve_ports(WriteContext& write);
  void follow(const api::ObjectPtr& now, const api::ObjectPtr& before);

  Rng& rng_;
  ServiceSettings settings_;
  NumberPool addresses_;
  NumberPool ports_;
  std::shared_ptr<void> listener_;
};

}  // namespace atl::apiserver
