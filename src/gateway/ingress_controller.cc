#include "gateway/ingress_controller.h"

#include <algorithm>
#include <memory>

#include "base/observe/log.h"

namespace atl::gateway {
namespace {

const api::Gvr kIngresses{"networking.k8s.io", "v1", "ingresses"};
const api::Gvr kClasses{"networking.k8s.io", "v1", "ingressclasses"};
const api::Gvr kServices{"", "v1", "services"};
const api::Gvr kSlices{"discovery.k8s.io", "v1", "endpointslices"};
const api::Gvr kSecrets{"", "v1", "secrets"};
const api::ObjectKey kEverything{"", "everything"};

constexpr const char* kDefaultClass = "ingressclass.kubernetes.io/is-default-class";
constexpr Duration kSoon = std::chrono::milliseconds(200);  // HAProxy is about to start
constexpr Duration kLookAgain = std::chrono::seconds(15);   // was HAProxy restarted?

std::string controller_of(const api::ObjectPtr& ingress_class) {
  return std::string(json::string_at(ingress_class->parse(), {"spec", "controller"}));
}

bool is_default(const api::ObjectPtr& ingress_class) {
  const json::Value document = ingress_class->parse();
  return json::string_at(document, {"metadata", "annotations", kDefaultClass}) == "true";
}

}  // namespace

IngressController::IngressController(api::Client& client, api::InformerSet& informers,
                                     api::Seams seams, api::EventRecorder& events,
                                     BlockingPool& pool, Options options)
    : client_(client),
      seams_(seams),
      events_(events),
      pool_(pool),
      options_(options),
      data_plane_(std::move(options)),
      ingresses_(informers.get(kIngresses)),
      classes_(informers.get(kClasses)),
      services_(informers.get(kServices)),
      slices_(informers.get(kSlices)),
      secrets_(informers.get(kSecrets)),
      slices_by_service_(slices_.add_index(
          "service", [](const api::Object& slice, std::vector<std::string>& values) {
            values.push_back(
                slice.ns() + "/" +
                std::string(api::label(slice.header().labels, "kubernetes.io/service-name")));
          })) {}

Task<> IngressController::prepare(std::string default_certificate_pem) {
  auto changed =
      co_await pool_.run([this, pem = std::move(default_certificate_pem)]() -> Result<bool> {
        TRY(const bool differs, data_plane_.prepare(pem));
        if (!differs) return false;
        auto reloaded = data_plane_.reload();
        if (!reloaded) {
          log::warn("HAProxy goes on with its old configuration until it is restarted",
                    {{"error", reloaded.error()}});
        }
        return true;
      });
  if (!changed) co_return std::move(changed).error().during("write HAProxy's files");
  co_return Unit{};
}

std::vector<api::Informer*> IngressController::inputs() {
  return {&ingresses_, &classes_, &services_, &slices_, &secrets_};
}

void IngressController::watch(api::WorkQueue& queue) {
  ingresses_.add_handler([this, &queue](const api::ObjectKey& key, const api::ObjectPtr& before,
                                        const api::ObjectPtr& now) {
    if (now == nullptr) {
      parsed_.erase(key);
      told_.erase(key);
    } else {
      IngressInfo info = ingress_info(*now);
      const auto known = parsed_.find(key);
      // Our own write of its status.
      if (before != nullptr && known != parsed_.end() && known->second == info) return;
      parsed_[key] = std::move(info);
    }
    queue.add(kEverything);
  });
  for (api::Informer* informer : {&classes_, &services_, &slices_, &secrets_}) {
    informer->add_handler([&queue](const api::ObjectKey&, const api::ObjectPtr&,
                                   const api::ObjectPtr&) { queue.add(kEverything); });
  }
  queue.add(kEverything);
}

bool IngressController::ours(const IngressInfo& ingress) const {
  if (ingress.class_name) {
    if (*ingress.class_name == kClassName) return true;
    const api::ObjectPtr named = classes_.get({"", *ingress.class_name});
    return named != nullptr && controller_of(named) == kControllerName;
  }
  // No class: the default's, or ours where nobody claims to be the default.
  bool other_default = false;
  for (const api::ObjectPtr& each : classes_.list()) {
    if (!is_default(each)) continue;
    if (controller_of(each) == kControllerName) return true;
    other_default = true;
  }
  return !other_default;
}

const GatewayService* IngressController::service(const api::ObjectKey& key) {
  const api::ObjectPtr object = services_.get(key);
  if (object == nullptr) return nullptr;
  const std::vector<api::ObjectPtr> slices = slices_.by_index(slices_by_service_, key.text());
  std::vector<Revision> now = {object->revision()};
  for (const api::ObjectPtr& slice : slices) now.push_back(slice->revision());
  CachedService& cached = cached_[key];
  if (cached.read != now) cached = {std::move(now), gateway_service(*object, slices)};
  return &cached.service;
}

World IngressController::world() {
  World out;
  std::set<api::ObjectKey> services, secrets;
  for (const auto& [key, ingress] : parsed_) {
    if (!ours(ingress)) continue;
    for (const IngressPath& path : ingress.paths) services.insert({key.ns, path.backend.service});
    if (ingress.default_backend) services.insert({key.ns, ingress.default_backend->service});
    for (const IngressTls& tls : ingress.tls) secrets.insert({key.ns, tls.secret});
    out.ingresses.push_back(ingress);
  }
  std::erase_if(cached_, [&](const auto& entry) { return !services.contains(entry.first); });
  for (const api::ObjectKey& key : services) {
    if (const GatewayService* known = service(key)) out.services[key] = *known;
  }
  for (const api::ObjectKey& key : secrets) {
    const api::ObjectPtr secret = secrets_.get(key);
    if (secret != nullptr) out.secrets[key] = gateway_secret(*secret);
  }
  return out;
}

Task<api::Outcome> IngressController::reconcile(api::ObjectKey) {
  if (!class_ensured_) CO_TRY_OK(co_await ensure_class());
  class_ensured_ = true;
  World now = world();
  const std::vector<IngressInfo> ingresses = now.ingresses;
  const auto todo = std::make_shared<const Plan>(plan(std::move(now)));
  CO_TRY_OK(co_await give_renewed_certificate());
  auto applied = co_await pool_.run([this, todo] { return data_plane_.apply(*todo); });
  live_ = applied && applied->live;
  if (!applied) co_return std::move(applied).error().during("change HAProxy's routes");
  tell(*todo, *applied);
  if (!applied->live) {
    const Duration wait = until_haproxy_;
    until_haproxy_ = std::min(2 * wait, kLookAgain);
    co_return api::Outcome::again_after(wait);
  }
  until_haproxy_ = kSoon;
  for (const IngressInfo& ingress : ingresses) CO_TRY_OK(co_await write_status(ingress));
  co_return api::Outcome::again_after(kLookAgain);
}

Task<> IngressController::give_renewed_certificate() {
  if (renewed_certificate_.empty()) co_return Unit{};
  const std::string pem = renewed_certificate_;
  auto given = co_await pool_.run([this, pem] { return data_plane_.set_default_certificate(pem); });
  if (!given) co_return std::move(given).error().during("renew the default certificate");
  if (renewed_certificate_ == pem) renewed_certificate_.clear();
  co_return Unit{};
}

Task<> IngressController::ensure_class() {
  if (classes_.get({"", std::string(kClassName)}) != nullptr) co_return Unit{};
  json::Value document = json::Object{
      {"apiVersion", "networking.k8s.io/v1"},
      {"kind", "IngressClass"},
      {"metadata",
       json::Object{{"name", kClassName}, {"annotations", json::Object{{kDefaultClass, "true"}}}}},
      {"spec", json::Object{{"controller", kControllerName}}}};
  auto made = co_await client_.create(kClasses, "", std::move(document));
  if (!made && made.error().code() != Code::kExists) {
    co_return std::move(made).error().during("create the IngressClass atoll");
  }
  co_return Unit{};
}

Task<> IngressController::write_status(const IngressInfo& ingress) {
  const api::ObjectPtr object = ingresses_.get(ingress.key);
  if (object == nullptr) co_return Unit{};
  const json::Value wanted = json::Array{json::Object{{"ip", options_.status_address}}};
  const json::Value document = object->parse();
  const json::Value* have = json::find(document, {"status", "loadBalancer", "ingress"});
  if (have != nullptr && json::equal(*have, wanted)) co_return Unit{};
  json::Value patch =
      json::Object{{"status", json::Object{{"loadBalancer", json::Object{{"ingress", wanted}}}}}};
  api::PatchOptions options;
  options.subresource = "status";
  auto done = co_await client_.patch(kIngresses, ingress.key, api::PatchType::kMerge,
                                     std::move(patch), options);
  if (!done && done.error().code() != Code::kNotFound) {
    co_return std::move(done).error().during("status of Ingress " + ingress.key.text());
  }
  co_return Unit{};
}

// Each problem once, until it is another or comes back.
void IngressController::tell(const Plan& plan, const DataPlane::Applied& applied) {
  std::map<api::ObjectKey, std::vector<Problem>> now = plan.problems;
  for (const auto& [key, ingress] : parsed_) {
    for (const IngressTls& tls : ingress.tls) {
      const auto refused = applied.refused.find(certificate_name({key.ns, tls.secret}));
      if (tls.secret.empty() || refused == applied.refused.end()) continue;
      now[key].push_back(
          {"CertificateRefused", "Secret \"" + tls.secret + "\": " + refused->second});
    }
  }
  for (const auto& [key, problems] : now) {
    const api::ObjectPtr object = ingresses_.get(key);
    if (object == nullptr) continue;
    const auto& before = told_[key];
    for (const Problem& problem : problems) {
      if (std::ranges::find(before, problem) != before.end()) continue;
      events_.note(*object, api::EventLevel::kWarning, problem.reason, problem.message);
    }
  }
  told_ = std::move(now);
}

}  // namespace atl::gateway
