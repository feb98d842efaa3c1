// The control plane of one instance: API, controllers, scheduler, gateway. Runs as an unprivileged
// user.
//   atoll-server [--home DIR]
#include <csignal>
#include <cstdio>
#include <map>
#include <memory>
#include <set>
#include <string>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "api/cache/informer_set.h"
#include "api/controller/event_recorder.h"
#include "base/async/blocking_pool.h"
#include "base/async/run.h"
#include "base/async/task_group.h"
#include "base/core/idle_memory.h"
#include "base/core/rng.h"
#include "base/io/files.h"
#include "base/io/layout.h"
#include "base/net/server.h"
#include "base/observe/log.h"
#include "gateway/gateway.h"
#include "kernel/apiserver/admission/install.h"
#include "kernel/apiserver/admission/quota_reporter.h"
#include "kernel/apiserver/agent/pod_streams.h"
#include "kernel/apiserver/auth/bootstrap_roles.h"
#include "kernel/apiserver/auth/install.h"
#include "kernel/apiserver/auth/node_authorizer.h"
#include "kernel/apiserver/auth/pki.h"
#include "kernel/apiserver/auth/rbac_authorizer.h"
#include "kernel/apiserver/auth/role_aggregator.h"
#include "kernel/apiserver/server/server.h"
#include "kernel/apiserver/system/dns_service.h"
#include "kernel/apiserver/system/system_objects.h"
#include "kernel/controllers/manager.h"
#include "kernel/scheduler/scheduler.h"
#include "store/rocks/rocks_store.h"

namespace {

using namespace atl;             // NOLINT: wiring names everything
using namespace atl::apiserver;  // NOLINT

constexpr Duration kStopGrace = std::chrono::seconds(2);
constexpr Duration kRenewEvery = std::chrono::hours(24);
// When memory that nobody needs goes back: soon after the start, and then now and again.
constexpr Duration kFirstRest = std::chrono::seconds(2);
constexpr Duration kRest = std::chrono::minutes(1);
constexpr std::string_view kApiServerUser = "system:apiserver";

// Everything of one instance, in the order in which it is built; destroyed the other way round.
class Program {
 public:
  Program(io::Layout layout, io::Config config)
      : layout_(std::move(layout)), config_(std::move(config)) {}

  Task<> run() {
    auto started = co_await start();
    if (!started) {
      // What did start is stopped in order; the first error is the one to tell.
      [[maybe_unused]] const auto stopped = co_await stop();
      co_return std::move(started).error();
    }
    asio::signal_set signals(loop_, SIGTERM, SIGINT);
    auto [error, signal] = co_await signals.async_wait(asio::as_tuple(asio::use_awaitable));
    log::info("stopping", {{"signal", signal}});
    co_return co_await stop();
  }

  asio::io_context& loop() { return loop_; }

 private:
  Executor executor() { return loop_.get_executor(); }

  Task<> start() {
    CO_TRY_OK(co_await open());
    CO_TRY_OK(co_await serve());
    co_return co_await start_components();
  }

  Task<> open() {
    CO_TRY_OK(open_pki());
    CO_TRY(store_,
           store::RocksStore::open(executor(), {.folder = layout_.server_data() + "/store"}));
    CO_TRY(kinds_, api::KindSet::builtin());
    versions_ = std::make_unique<Versions>(kinds_);
    CO_TRY(cache_, co_await WatchCache::open(*store_, kinds_, timer_));
    rbac_ = std::make_unique<RbacAuthorizer>(*cache_);
    CO_TRY(RbacRules node_rules, bootstrap_rules("system:node"));
    authorizer_ = std::make_unique<NodeAuthorizer>(*cache_, std::move(node_rules), *rbac_);
    tokens_ = std::make_unique<ServiceAccountTokens>(
        *cache_, timer_, rng_, pki_->token_key(),
        TokenSettings{.issuer = "https://kubernetes.default.svc." +
                                config_.get("CLUSTER_DOMAIN", "cluster.local")});
    authenticator_ = make_authenticator(*tokens_);
    CO_TRY_OK(add_hooks());
    quotas_ = &add_admission(admission_, {*cache_, timer_, rng_, *authorizer_, *rbac_});
    CO_TRY(trail_, AuditTrail::open({.file = layout_.server_data() + "/audit.log"}));
    server_ = ApiServer::make({.executor = executor(),
                               .cache = *cache_,
                               .kinds = kinds_,
                               .timer = timer_,
                               .rng = rng_,
                               .authenticator = *authenticator_,
                               .authorizer = *authorizer_,
                               .admission = admission_,
                               .hooks = hooks_,
                               .versions = *versions_,
                               .trail = trail_.get()});
    add_health();
    CO_TRY_OK(co_await server_->start());
    co_return co_await bootstrap();
  }

  // Ready: what is written is acted upon.
  void add_health() {
    using Of = Health::Of;
    const auto starting = [] { return Error(Code::kUnavailable, "not started yet"); };
    server_->health().add("controllers", Of::kReadiness, [this, starting]() -> Result<> {
      return controllers_ ? controllers_->ready() : starting();
    });
    server_->health().add("scheduler", Of::kReadiness, [this, starting]() -> Result<> {
      return scheduler_ ? scheduler_->ready() : starting();
    });
  }

  // What every instance holds: namespaces, the API's own Service, roles.
  Task<> bootstrap() {
    const auto admin = server_->client_as(
        {.name = std::string(kApiServerUser), .groups = {std::string(kGroupMasters)}},
        "kube-apiserver");
    CO_TRY(const AddressRange range, AddressRange::parse(config_.get("SERVICE_CIDR")));
    CO_TRY(const uint16_t port, config_.port("API_PORT"));
    CO_TRY_OK(co_await ensure_system_objects(
        *admin, {ipv4_text(range.base + 1), config_.get("LINK_IP"), port}));
    CO_TRY_OK(co_await ensure_dns_service(*admin, config_.get("DNS_IP"), config_.get("LINK_IP")));
    CO_TRY(auto roles, bootstrap_roles());
    co_return co_await reconcile_bootstrap_roles(*admin, std::move(roles));
  }

  Result<> open_pki() {
    TRY(const uint16_t port, config_.port("API_PORT"));
    TRY(const std::string services, config_.require("SERVICE_CIDR"));
    TRY(const AddressRange range, AddressRange::parse(services));
    PkiOptions options{.folder = layout_.pki(), .node_name = config_.get("NODE_NAME", "node")};
    options.cluster_domain = config_.get("CLUSTER_DOMAIN", options.cluster_domain);
    TRY(options.addresses, config_.addresses("API_ADDRESSES"));
    options.addresses.push_back(config_.get("LINK_IP"));
    options.addresses.push_back(ipv4_text(range.base + 1));
    TRY(pki_, Pki::open(options, timer_, rng_));
    const std::string url = "https://127.0.0.1:" + std::to_string(port);
    TRY_OK(write_kubeconfig(layout_.pki() + "/admin.kubeconfig", pki_->admin_kubeconfig(url)));
    return write_kubeconfig(layout_.pki() + "/agent.kubeconfig", pki_->agent_kubeconfig(url));
  }

  Result<> add_hooks() {
    TRY(const AddressRange range, AddressRange::parse(config_.get("SERVICE_CIDR")));
    add_kind_hooks(hooks_, *cache_, rng_, {.cluster_ips = range});
    add_auth_hooks(hooks_, {*authorizer_, *rbac_, *tokens_, *cache_});
    add_pod_streams(hooks_, {executor(), timer_, layout_.agent_socket()});
    return Unit{};
  }

  // Controllers, scheduler and gateway are clients like any other, each with the rights of its own
  // name.
  Task<> start_components() {
    const api::Seams seams{executor(), &timer_, &rng_};
    api::Client& reader = client_of("system:kube-controller-manager", "kube-controller-manager");
    informers_ = std::make_unique<api::InformerSet>(reader, seams);
    kind_source_ = std::make_unique<controllers::KindSetSource>(kinds_);
    controllers_ = std::make_unique<controllers::Manager>(
        [this](std::string_view account) -> api::Client& {
          return client_of("system:serviceaccount:kube-system:" + std::string(account),
                           std::string(account));
        },
        *informers_, seams, *kind_source_,
        controllers::Manager::Options{.root_ca_pem = pki_->authority().certificate_pem()});
    api::Client& scheduler_client = client_of("system:kube-scheduler", "kube-scheduler");
    scheduler_events_ =
        std::make_unique<api::EventRecorder>(scheduler_client, seams, "default-scheduler");
    scheduler_ = std::make_unique<scheduler::Scheduler>(
        scheduler_client, *informers_, seams, *scheduler_events_, scheduler::Scheduler::Options{});
    quota_reporter_ = std::make_unique<QuotaReporter>(
        executor(), timer_, *cache_,
        client_of("system:serviceaccount:kube-system:resourcequota-controller",
                  "resourcequota-controller"),
        *quotas_);
    // Writes rules into roles: whoever may do that may do everything.
    role_aggregator_ = std::make_unique<RoleAggregator>(
        executor(), timer_, *cache_, client_of(std::string(kApiServerUser), "kube-apiserver"),
        rbac_->index());
    CO_TRY(gateway::Options gateway_options, gateway::Options::from(layout_, config_));
    gateway_ =
        std::make_unique<gateway::Gateway>(client_of("system:gateway", "gateway"), *informers_,
                                           seams, pool_, std::move(gateway_options));
    controllers_->start();
    scheduler_->start();
    quota_reporter_->start();
    role_aggregator_->start();
    tasks_.spawn("certificate renewal", [this] { return renew_certificates(); });
    tasks_.spawn("rest", [this] { return rest(); });
    CO_TRY(const std::string certificate, gateway_certificate());
    CO_TRY_OK(co_await gateway_->start(certificate));
    informers_->start();
    co_return Unit{};
  }

  // For hosts that bring no Secret: signed by the instance's own authority.
  Result<std::string> gateway_certificate() const {
    const std::string domain = config_.get("GATEWAY_DOMAIN", "localhost");
    TRY(const auto issued, pki_->authority().issue_server({.common_name = domain,
                                                           .dns_names = {domain, "*." + domain},
                                                           .ip_addresses = {"127.0.0.1"}}));
    return issued.certificate_pem + issued.key_pem.reveal();
  }

  Async<void> rest() {
    for (Duration wait = kFirstRest;; wait = kRest) {
      const bool slept = co_await timer_.sleep_for(wait);
      if (!slept) co_return;
      release_idle_memory();
    }
  }

  Async<void> renew_certificates() {
    for (;;) {
      const bool slept = co_await timer_.sleep_for(kRenewEvery);
      if (!slept) co_return;
      const auto renewed = pki_->renew();
      if (!renewed) log::error("certificates cannot be renewed", {{"error", renewed.error()}});
      if (!renewed || !*renewed) continue;
      const auto taken = listener_->set_tls(identity());
      if (!taken) log::error("the renewed certificate is not taken", {{"error", taken.error()}});
      auto for_hosts = gateway_certificate();
      if (!for_hosts) log::error("the gateway's is not issued", {{"error", for_hosts.error()}});
      if (for_hosts) gateway_->renew_default_certificate(*std::move(for_hosts));
    }
  }

  net::TlsIdentity identity() const {
    return {pki_->server().certificate_pem, pki_->server().key_pem.reveal(),
            pki_->authority().certificate_pem()};
  }

  // A component's own identity; clients live as long as the program.
  api::Client& client_of(const std::string& user, const std::string& manager) {
    UserInfo info{.name = user, .groups = {std::string(kGroupAuthenticated)}};
    if (user.starts_with("system:serviceaccount:")) {
      info.groups.insert(info.groups.end(),
                         {"system:serviceaccounts", "system:serviceaccounts:kube-system"});
    }
    if (user == kApiServerUser) info.groups.emplace_back(kGroupMasters);
    auto& client = clients_[user];
    if (!client) client = server_->client_as(std::move(info), manager);
    return *client;
  }

  Task<> serve() {
    listener_ = net::Server::make(executor(), timer_, server_->handler(), {.tls = identity()});
    CO_TRY(const uint16_t port, config_.port("API_PORT"));
    CO_TRY(std::vector<std::string> addresses, config_.addresses("API_ADDRESSES"));
    addresses.push_back("127.0.0.1");
    if (const std::string link = config_.get("LINK_IP"); !link.empty()) addresses.push_back(link);
    for (const std::string& address : std::set(addresses.begin(), addresses.end()))
      CO_TRY_OK(listener_->listen_tcp(address, port));
    log::info("serving the API", {{"port", port}, {"objects", cache_->objects()}});
    co_return Unit{};
  }

  Task<> stop() {
    if (listener_) co_await listener_->stop(kStopGrace);
    if (gateway_) co_await gateway_->stop();
    co_await tasks_.stop();
    if (role_aggregator_) co_await role_aggregator_->stop();
    if (quota_reporter_) co_await quota_reporter_->stop();
    if (scheduler_) co_await scheduler_->stop();
    if (scheduler_events_) co_await scheduler_events_->stop();
    if (controllers_) co_await controllers_->stop();
    if (informers_) co_await informers_->stop();
    if (server_) co_await server_->stop();
    if (store_) co_return co_await store_->close();
    co_return Unit{};
  }

  io::Layout layout_;
  io::Config config_;
  asio::io_context loop_{1};
  SystemTimer timer_;
  SystemRng rng_;
  BlockingPool pool_{2};
  std::unique_ptr<Pki> pki_;
  std::unique_ptr<store::Store> store_;
  api::KindSet kinds_;
  std::unique_ptr<Versions> versions_;
  std::unique_ptr<WatchCache> cache_;
  std::unique_ptr<RbacAuthorizer> rbac_;
  std::unique_ptr<NodeAuthorizer> authorizer_;
  std::unique_ptr<ServiceAccountTokens> tokens_;
  std::unique_ptr<Authenticator> authenticator_;
  HookTable hooks_;
  AdmissionChain admission_;
  std::unique_ptr<AuditTrail> trail_;
  std::unique_ptr<ApiServer> server_;
  std::unique_ptr<net::Server> listener_;
  ResourceQuotaAdmission* quotas_ = nullptr;  // in admission_
  std::map<std::string, std::unique_ptr<api::Client>> clients_;
  std::unique_ptr<api::InformerSet> informers_;
  std::unique_ptr<controllers::KindSource> kind_source_;
  std::unique_ptr<controllers::Manager> controllers_;
  std::unique_ptr<api::EventRecorder> scheduler_events_;
  std::unique_ptr<scheduler::Scheduler> scheduler_;
  std::unique_ptr<QuotaReporter> quota_reporter_;
  std::unique_ptr<RoleAggregator> role_aggregator_;
  TaskGroup tasks_{loop_.get_executor()};
  std::unique_ptr<gateway::Gateway> gateway_;
};

Result<> run(int argc, char** argv) {
  std::string home;
  for (int i = 1; i < argc; ++i) {
    if (std::string(argv[i]) != "--home" || i + 1 == argc)
      return Error(Code::kInvalid, "usage: atoll-server [--home DIR]");
    home = argv[++i];
  }
  const io::Layout layout = io::Layout::of(home);
  TRY(io::Config config, io::Config::load(layout.config_file()));
  TRY(const log::Level level, log::parse_level(config.get("LOG_LEVEL", "info")));
  log::set_level(level);
  Program program(layout, std::move(config));
  return atl::run(program.loop(), [&] { return program.run(); });
}

}  // namespace

int main(int argc, char** argv) {
  std::signal(SIGPIPE, SIG_IGN);
  const auto done = run(argc, argv);
  if (done) return 0;
  std::fprintf(stderr, "atoll-server: %s\n", done.error().message().c_str());
  return 1;
}
