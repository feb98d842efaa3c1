#include "kernel/apiserver/admission/service_account.h"

#include <fmt/format.h>

#include <algorithm>

#include "kernel/apiserver/contract/pod_parts.h"

namespace atl::apiserver {
namespace {

constexpr std::string_view kMountPath = "/var/run/secrets/kubernetes.io/serviceaccount";
constexpr std::string_view kVolumePrefix = "kube-api-access-";
constexpr std::string_view kDefaultAccount = "default";
constexpr int64_t kTokenSeconds = 3607;
constexpr int64_t kVolumeMode = 0644;
constexpr auto kDefaultAccountWait = std::chrono::seconds(1);

json::Value token_volume(std::string_view name) {
  json::Object token{{"serviceAccountToken",
                      json::Object{{"expirationSeconds", kTokenSeconds}, {"path", "token"}}}};
  json::Object authority{
      {"configMap",
       json::Object{{"name", "kube-root-ca.crt"},
                    {"items", json::Array{json::Object{{"key", "ca.crt"}, {"path", "ca.crt"}}}}}}};
  json::Object field{{"apiVersion", "v1"}, {"fieldPath", "metadata.namespace"}};
  json::Object ns{
      {"downwardAPI",
       json::Object{{"items", json::Array{json::Object{{"path", "namespace"},
                                                       {"fieldRef", std::move(field)}}}}}}};
  return json::Object{
      {"name", name},
      {"projected", json::Object{{"defaultMode", kVolumeMode},
                                 {"sources", json::Array{std::move(token), std::move(authority),
                                                         std::move(ns)}}}}};
}

// A pod that was read and is created again brings its old volume.
std::string existing_volume(const json::Value& pod) {
  for (const json::Value& volume : json::array_at(pod, {"spec", "volumes"})) {
    const std::string_view name = json::string_at(volume, {"name"});
    if (!name.starts_with(kVolumePrefix)) continue;
    for (const json::Value& source : json::array_at(volume, {"projected", "sources"})) {
      if (json::find(source, {"serviceAccountToken"}) != nullptr) return std::string(name);
    }
  }
  return {};
}

bool has_mount(const json::Value& container) {
  return std::ranges::any_of(
      json::array_at(container, {"volumeMounts"}),
      [](const json::Value& mount) { return json::string_at(mount, {"mountPath"}) == kMountPath; });
}

bool wants_token(const json::Value& pod, const json::Value& account) {
  const json::Value* own = json::find(pod, {"spec", "automountServiceAccountToken"});
  if (own != nullptr && own->is_bool()) return own->as_bool();
  return json::bool_at(account, {"automountServiceAccountToken"}, true);
}

void append(json::Value& object, std::string_view list, json::Value item) {
  json::Array items = json::array_at(object, {list});
  items.push_back(std::move(item));
  json::set(object, {list}, std::move(items));
}

void mount_token(json::Value& pod, Rng& rng) {
  std::string volume = existing_volume(pod);
  const bool fresh = volume.empty();
  if (fresh) volume = std::string(kVolumePrefix) + rng.name_suffix(5);
  json::Value& spec = json::ensure(pod, {"spec"});
  bool mounted = false;
  each_container(spec, [&](json::Value& container) {
    if (has_mount(container)) return;
    mounted = true;
    append(container, "volumeMounts",
           json::Object{{"name", volume}, {"readOnly", true}, {"mountPath", kMountPath}});
  });
  if (mounted && fresh) append(spec, "volumes", token_volume(volume));
}

bool uses_secrets(const json::Value& pod) {
  return std::ranges::any_of(
      json::array_at(pod, {"spec", "volumes"}), [](const json::Value& volume) {
        if (json::find(volume, {"secret"}) != nullptr) return true;
        const json::Array& sources = json::array_at(volume, {"projected", "sources"});
        return std::ranges::any_of(sources, [](const json::Value& source) {
          return json::find(source, {"secret"}) != nullptr ||
                 json::find(source, {"serviceAccountToken"}) != nullptr;
        });
      });
}

}  // namespace

ServiceAccountAdmission::ServiceAccountAdmission(Reader& reader, Timer& timer, Rng& rng)
    : reader_(reader), timer_(timer), rng_(rng) {
  listener_ = reader.listen(
      "", "serviceaccounts",
      [this](const api::ObjectPtr&, const api::ObjectPtr&) { accounts_changed_.notify(); });
}

Task<api::ObjectPtr> ServiceAccountAdmission::account_of(const AdmissionRequest& request,
                                                         std::string name) {
  const api::ObjectKey key{request.ns, name};
  const MonoTime deadline = timer_.monotonic() + kDefaultAccountWait;
  for (;;) {
    api::ObjectPtr account = reader_.get("", "serviceaccounts", key);
    if (account) co_return account;
    const Duration left = deadline - timer_.monotonic();
    if (name != kDefaultAccount || left <= Duration::zero()) break;
    const bool changed = co_await accounts_changed_.wait_for(timer_, left);
    if (!changed && timer_.monotonic() < deadline) break;  // the caller went away
  }
  co_return admission_refused(
      request, fmt::format("error looking up service account {}: serviceaccount \"{}\" not found",
                           key.text(), name));
}

Task<> ServiceAccountAdmission::mutate(AdmissionRequest& request) {
  if (!creates_pod(request) || is_mirror_pod(*request.object)) co_return Unit{};
  json::Value& pod = *request.object;
  std::string name(json::string_at(pod, {"spec", "serviceAccountName"}));
  if (name.empty()) name = json::string_at(pod, {"spec", "serviceAccount"}, kDefaultAccount);
  CO_TRY(const api::ObjectPtr account, co_await account_of(request, name));
  json::set(pod, {"spec", "serviceAccountName"}, json::Value(name));
  json::set(pod, {"spec", "serviceAccount"}, json::Value(name));
  const json::Value document = account->parse();
  if (wants_token(pod, document)) mount_token(pod, rng_);
  const json::Array& secrets = json::array_at(document, {"imagePullSecrets"});
  if (json::array_at(pod, {"spec", "imagePullSecrets"}).empty() && !secrets.empty()) {
    json::set(pod, {"spec", "imagePullSecrets"}, secrets);
  }
  co_return Unit{};
}

Task<> ServiceAccountAdmission::validate(const AdmissionRequest& request) {
  if (!creates_pod(request)) co_return Unit{};
  const json::Value& pod = *request.object;
  const std::string_view account = json::string_at(pod, {"spec", "serviceAccountName"});
  if (is_mirror_pod(pod)) {
    if (!account.empty())
      co_return admission_refused(request, "a mirror pod may not reference service accounts");
    if (uses_secrets(pod))
      co_return admission_refused(request, "a mirror pod may not reference secrets");
    co_return Unit{};
  }
  // A later step may have chosen another account.
  if (account.empty()) co_return admission_refused(request, "no service account specified for pod");
  CO_TRY_OK(co_await account_of(request, std::string(account)));
  co_return Unit{};
}

}  // namespace atl::apiserver
