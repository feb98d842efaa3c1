#include "kernel/node/pod/image_puller.h"

#include <fmt/format.h>

#include <chrono>
#include <utility>

#include "kernel/node/pod/pull_secrets.h"

namespace atl::node {
namespace {

using Phase = ContainerState::Phase;

constexpr Duration kBackoffShown = std::chrono::seconds(1);
const api::Gvr kSecrets{"", "v1", "secrets"};

oci::PullPolicy policy_of(const ContainerSpec& spec) {
  const std::string_view policy = json::string_at(spec.doc, {"imagePullPolicy"});
  if (policy == "Always") return oci::PullPolicy::kAlways;
  return policy == "Never" ? oci::PullPolicy::kNever : oci::PullPolicy::kIfNotPresent;
}

}  // namespace

ImagePuller::ImagePuller(PodContext& context, PodRecord& record, PodReporter& reporter,
                         PodTasks& tasks)
    : context_(context), record_(record), reporter_(reporter), tasks_(tasks) {}

Task<std::vector<oci::Credentials>> ImagePuller::credentials() {
  std::vector<oci::Credentials> out;
  const PodSpecPtr pod = record_.spec_ptr();
  for (const json::Value& ref : json::array_at(pod->doc, {"spec", "imagePullSecrets"})) {
    auto secret = co_await context_.client.get(
        kSecrets, {pod->ns, std::string(json::string_at(ref, {"name"}))});
    if (!secret) continue;  // as with kubelets: the pull says what is missing
    for (oci::Credentials& c : credentials_in((*secret)->parse())) out.push_back(std::move(c));
  }
  co_return std::move(out);
}

Task<oci::Image> ImagePuller::pull(ContainerSpec spec) {
  CO_TRY(auto logins, co_await credentials());
  oci::PullRequest request;
  request.ref = spec.image;
  request.policy = policy_of(spec);
  request.credentials = std::move(logins);
  const auto present = co_await context_.images.find(spec.image);
  if (request.policy == oci::PullPolicy::kAlways ||
      (!present && request.policy == oci::PullPolicy::kIfNotPresent)) {
    reporter_.note_of(spec.name, api::EventLevel::kNormal, "Pulling",
                      fmt::format("Pulling image \"{}\"", spec.image));
  }
  const MonoTime begun = context_.timer().monotonic();
  auto pulled = co_await context_.images.ensure(std::move(request));
  if (!pulled) {
    failed(spec, pulled.error());
    co_return std::move(pulled).error();
  }
  record_.state().of(spec.name).pull_failures = 0;
  const std::chrono::duration<double> took = context_.timer().monotonic() - begun;
  reporter_.note_of(
      spec.name, api::EventLevel::kNormal, "Pulled",
      pulled->was_present
          ? fmt::format("Container image \"{}\" already present on machine", spec.image)
          : fmt::format("Successfully pulled image \"{}\" in {:.3f}s. Image size: {} bytes.",
                        spec.image, took.count(), pulled->image.size_bytes));
  co_return std::move(pulled->image);
}

void ImagePuller::failed(const ContainerSpec& spec, const Error& error) {
  ContainerState& c = record_.state().of(spec.name);
  const char* reason = error.code() == Code::kBadRequest ? "InvalidImageName" : "ErrImagePull";
  if (policy_of(spec) == oci::PullPolicy::kNever) reason = "ErrImageNeverPull";
  ++c.pull_failures;
  c.wait(reason, error.message(), context_.timer().now() + pull_backoff(c.pull_failures));
  reporter_.note_of(spec.name, api::EventLevel::kWarning, "Failed",
                    fmt::format("Failed to pull image \"{}\": {}", spec.image, error.message()));
  reporter_.note_of(spec.name, api::EventLevel::kWarning, "Failed",
                    std::string("Error: ") + reason);
  if (std::string_view(reason) != "ErrImagePull") return;
  tasks_.spawn(
      "back off " + spec.name,
      [this, name = spec.name, image = spec.image, text = error.message()]() -> Async<void> {
        const bool slept = co_await context_.timer().sleep_for(kBackoffShown);
        ContainerState& now = record_.state().of(name);
        if (!slept || now.waiting_reason != "ErrImagePull") co_return;
        now.waiting_reason = "ImagePullBackOff";
        now.waiting_message =
            fmt::format("Back-off pulling image \"{}\": ErrImagePull: {}", image, text);
        reporter_.note_of(name, api::EventLevel::kNormal, "BackOff",
                          fmt::format("Back-off pulling image \"{}\"", image));
        tasks_.poke();
      });
}

}  // namespace atl::node
