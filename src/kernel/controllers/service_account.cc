#include "kernel/controllers/service_account.h"

#include "kernel/controllers/resources.h"

namespace atl::controllers {
namespace {

constexpr const char* kAccount = "default";
constexpr const char* kRootCa = "kube-root-ca.crt";
constexpr std::string_view kDescription = "kubernetes.io/description";
constexpr const char* kDescriptionText =
    "The CA that signed the API server's certificate, for programs in pods.";

// Keys are namespaces: what lies in one wakes it.
void wake_namespace(api::Informer& contents, const char* name, api::WorkQueue& queue) {
  contents.add_handler(
      [&queue, name](const api::ObjectKey& key, const api::ObjectPtr&, const api::ObjectPtr&) {
        if (key.name == name) queue.add({"", key.ns});
      });
}

// Created by somebody else meanwhile, or the namespace is going: both are fine.
bool harmless(const Error& error) {
  return error.code() == Code::kExists || error.code() == Code::kForbidden ||
         error.code() == Code::kNotFound;
}

}  // namespace

ServiceAccountController::ServiceAccountController(Deps deps)
    : deps_(deps),
      namespaces_(deps.informers.get(kNamespaces)),
      accounts_(deps.informers.get(kServiceAccounts)) {}

std::vector<api::Informer*> ServiceAccountController::inputs() {
  return {&namespaces_, &accounts_};
}

void ServiceAccountController::watch(api::WorkQueue& queue) {
  namespaces_.add_handler([&queue](const api::ObjectKey& key, const api::ObjectPtr&,
                                   const api::ObjectPtr&) { queue.add(key); });
  wake_namespace(accounts_, kAccount, queue);
}

Task<api::Outcome> ServiceAccountController::reconcile(api::ObjectKey key) {
  const api::ObjectPtr space = namespaces_.get(key);
  if (!space || space->header().deleting || accounts_.get({key.name, kAccount}))
    co_return api::Outcome::done();
  json::Object account{{"apiVersion", "v1"},
                       {"kind", "ServiceAccount"},
                       {"metadata", json::Object{{"name", kAccount}, {"namespace", key.name}}}};
  const Result<api::ObjectPtr> made =
      co_await deps_.client.create(kServiceAccounts, key.name, std::move(account));
  if (!made && !harmless(made.error())) co_return made.error();
  co_return api::Outcome::done();
}

RootCaPublisher::RootCaPublisher(Deps deps, std::string ca_pem)
    : deps_(deps),
      ca_pem_(std::move(ca_pem)),
      namespaces_(deps.informers.get(kNamespaces)),
      maps_(deps.informers.get(kConfigMaps)) {}

std::vector<api::Informer*> RootCaPublisher::inputs() {
  return {&namespaces_, &maps_};
}

void RootCaPublisher::watch(api::WorkQueue& queue) {
  namespaces_.add_handler([&queue](const api::ObjectKey& key, const api::ObjectPtr&,
                                   const api::ObjectPtr&) { queue.add(key); });
  wake_namespace(maps_, kRootCa, queue);
}

Task<api::Outcome> RootCaPublisher::reconcile(api::ObjectKey key) {
  const api::ObjectPtr space = namespaces_.get(key);
  if (!space || space->header().deleting) co_return api::Outcome::done();
  const api::ObjectKey map_key{key.name, kRootCa};
  const json::Value data = json::Object{{"ca.crt", ca_pem_}};
  const api::ObjectPtr old = maps_.get(map_key);
  if (old) {
    json::Value document = old->parse();
    const json::Value* has = json::find(document, {"data"});
    if (has && json::equal(*has, data)) co_return api::Outcome::done();
    document.as_object()["data"] = data;
    CO_TRY_OK(co_await deps_.client.update(kConfigMaps, map_key, std::move(document)));
    co_return api::Outcome::done();
  }
  json::Object metadata{{"name", kRootCa},
                        {"namespace", key.name},
                        {"annotations", json::Object{{kDescription, kDescriptionText}}}};
  json::Object map{{"apiVersion", "v1"},
                   {"kind", "ConfigMap"},
                   {"metadata", std::move(metadata)},
                   {"data", data}};
  const Result<api::ObjectPtr> made =
      co_await deps_.client.create(kConfigMaps, key.name, std::move(map));
  if (!made && !harmless(made.error())) co_return made.error();
  co_return api::Outcome::done();
}

}  // namespace atl::controllers
