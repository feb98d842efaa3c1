#include "kernel/network/network.h"

#include "base/observe/log.h"
#include "kernel/network/ruleset.h"

namespace atl::network {
namespace {

constexpr Duration kLookAgain = std::chrono::seconds(30);
constexpr uint16_t kDnsPort = 53;
const api::Gvr kServices{"", "v1", "services"};
const api::Gvr kSlices{"discovery.k8s.io", "v1", "endpointslices"};

}  // namespace

Network::Network(api::Seams seams, BlockingPool& pool, api::Client& client, Options options)
    : seams_(seams),
      pool_(pool),
      options_(std::move(options)),
      services_(seams.executor, *seams.timer, pool, options_),
      pods_(options_, pool, &services_),
      dns_(seams.executor, *seams.timer, *seams.rng, pool, options_),
      informers_(client, seams),
      tasks_(seams.executor) {}

Network::~Network() = default;

Task<> Network::start() {
  auto facts = co_await pool_.run([options = options_] { return prepare_host(options); });
  if (!facts) co_return std::move(facts).error().during("prepare the host's network");
  pods_.set_facts(*facts);
  CO_TRY_OK(co_await services_.start(*facts));
  CO_TRY_OK(dns_.listen(options_.link_ip.text(), kDnsPort));
  watch();
  tasks_.spawn("network begin", [this] { return begin_when_synced(); });
  tasks_.spawn("network look after", [this] { return look_after(); });
  co_return Unit{};
}

Async<void> Network::stop() {
  co_await tasks_.stop();
  co_await informers_.stop();
  co_await dns_.stop();
  co_await services_.stop();
}

void Network::watch() {
  informers_.get(kServices).add_handler(
      [this](const api::ObjectKey& key, const api::ObjectPtr&, const api::ObjectPtr& now) {
        if (now == nullptr) {
          services_.remove_service(key);
          dns_.zone().remove_service(key);
          return;
        }
        ServiceInfo service = service_info(*now);
        services_.set_service(service);
        dns_.zone().set_service(std::move(service));
      });
  informers_.get(kSlices).add_handler(
      [this](const api::ObjectKey& key, const api::ObjectPtr&, const api::ObjectPtr& now) {
        if (now == nullptr) {
          services_.remove_slice(key);
          dns_.zone().remove_slice(key);
          return;
        }
        SliceInfo slice = slice_info(*now);
        services_.set_slice(key, slice);
        dns_.zone().set_slice(key, std::move(slice));
      });
  informers_.start();
}

Async<void> Network::begin_when_synced() {
  const bool synced = co_await informers_.synced();
  if (synced) services_.begin();
}

Async<void> Network::look_after() {
  for (;;) {
    const bool slept = co_await seams_.timer->sleep_for(kLookAgain);
    if (!slept) co_return;
    auto facts = co_await pool_.run([options = options_] { return prepare_host(options); });
    const std::string before = std::exchange(host_trouble_, facts ? "" : facts.error().message());
    if (facts) {
      pods_.set_facts(*facts);
      services_.set_facts(*std::move(facts));
    } else if (host_trouble_ != before) {
      log::warn("the host's network is not as pods need it", {{"error", host_trouble_}});
    }
    services_.check();
  }
}

std::string Network::trouble() const {
  if (!host_trouble_.empty()) return host_trouble_;
  return services_.last_error();
}

Result<> Network::cleanup(const io::Layout& layout) {
  Options options;
  options.instance = layout.instance;
  options.state = Options::state_folder(layout);
  auto restored = restore_host(options);
  TRY(const auto nft, Nft::open());
  TRY_OK(nft->run(delete_ruleset(options)));
  return restored;
}

}  // namespace atl::network
