// From nothing to a running container: volumes, image, configuration, create, start. Each step that
// fails says so in the container's waiting state and an event, and sets the time of the next try.
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <filesystem>

#include "base/io/files.h"
#include "base/io/quick_file.h"
#include "base/observe/log.h"
#include "kernel/node/inside.h"
#include "kernel/node/json_read.h"
#include "kernel/node/pod/contained.h"
#include "kernel/node/pod/pod_files.h"
#include "kernel/node/pod/pod_worker.h"
#include "kernel/node/pod/pull_secrets.h"
#include "kernel/node/pod/resources.h"
#include "kernel/node/runtime/layer_files.h"

namespace atl::node {
namespace {

using Phase = ContainerState::Phase;

constexpr Duration kConfigRetry = std::chrono::seconds(2);
constexpr Duration kVolumeRefresh = std::chrono::seconds(60);
constexpr Duration kBackoffShown = std::chrono::seconds(1);
constexpr int kStartErrorCode = 128;
constexpr const char* kDefaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
const api::Gvr kConfigMaps{"", "v1", "configmaps"};
const api::Gvr kSecrets{"", "v1", "secrets"};
const api::Gvr kServiceAccounts{"", "v1", "serviceaccounts"};

oci::PullPolicy policy_of(const ContainerSpec& spec) {
  const std::string_view policy = json::string_at(spec.doc, {"imagePullPolicy"});
  if (policy == "Always") return oci::PullPolicy::kAlways;
  return policy == "Never" ? oci::PullPolicy::kNever : oci::PullPolicy::kIfNotPresent;
}

Result<std::vector<std::string>> texts(const json::Value& container, std::string_view field,
                                       const Environment& environment) {
  std::vector<std::string> out;
  size_t bytes = 0;
  for (const json::Value& v : json::array_at(container, {field})) {
    auto text = expand(text_of(v), environment);
    if (text && (bytes += text->size() + 1) > kEnvironmentBytesMax)
      text = Error(Code::kInvalid, fmt::format("more than {} bytes", kEnvironmentBytesMax));
    if (!text) return std::move(text).error().during(fmt::format("{}[{}]", field, out.size()));
    out.push_back(*std::move(text));
  }
  return out;
}

// command replaces the image's entrypoint and, unless args are given, its command as well.
Result<std::vector<std::string>> arguments_of(const json::Value& container,
                                              const oci::ImageConfig& config,
                                              const Environment& environment) {
  TRY(std::vector<std::string> out, texts(container, "command", environment));
  TRY(std::vector<std::string> rest, texts(container, "args", environment));
  if (out.empty() && rest.empty()) rest = config.command;
  if (out.empty()) out = config.entrypoint;
  out.insert(out.end(), rest.begin(), rest.end());
  return out;
}

// What a container's plan takes from the file system.
struct PlanFiles {
  std::vector<Mount> mounts;
  UserDatabase users;
};

std::string read_or_empty(const std::string& path) {
  auto text = io::read_file(path, 1 << 20);
  return text ? *std::move(text) : std::string();
}

}  // namespace

PodFacts PodWorker::facts() const {
  return {pod_ip(), context_.network.node_address(), context_.node_name, context_.node_milli_cpu,
          context_.node_memory_bytes};
}

void PodWorker::wait_with(const std::string& name, std::string reason, std::string message,
                          Duration pause) {
  ContainerState& c = state_.of(name);
  c.phase = c.exited ? Phase::kExited : Phase::kNone;
  c.waiting_reason = std::move(reason);
  c.waiting_message = std::move(message);
  c.retry_at = context_.timer().now() + pause;
}

Async<void> PodWorker::start_container(std::string name) {
  auto started = co_await contained(try_start(name));
  if (!started && started.error().code() == Code::kCancelled) co_return;
  ContainerState& c = state_.of(name);
  if (!started && (c.phase == Phase::kStarting || c.phase == Phase::kPulling)) {
    // A step that did not say itself how it failed.
    wait_with(name, "CreateContainerError", started.error().message(), kConfigRetry);
    note(api::EventLevel::kWarning, "Failed", "Error: " + started.error().message());
  }
  if (!started) {
    log::info("container not started", {{"pod", spec_->key()},
                                        {"container", name},
                                        {"reason", c.waiting_reason},
                                        {"error", started.error()}});
  }
  poke();
}

Task<> PodWorker::try_start(std::string name) {
  const ContainerSpec spec = *spec_->find(name);
  auto volumes = co_await set_up_volumes();
  if (!volumes) {
    wait_with(name, "ContainerCreating", {}, kConfigRetry);
    note(api::EventLevel::kWarning, "FailedMount", volumes.error().message());
    co_return volumes;
  }
  state_.of(name).phase = Phase::kPulling;
  CO_TRY(const oci::Image image, co_await pull(spec));
  // Meanwhile the pod may have been told to go; nobody waits for us then.
  if (spec_->deleting) co_return wait_with(name, {}, {}, Duration::zero()), Result<>(Unit{});
  ContainerState& c = state_.of(name);
  c.phase = Phase::kStarting;
  c.image = image.name.empty() ? spec.image : image.name;
  c.image_id = image.status_id();
  const int attempt = c.attempt + 1;
  const std::string id = id_of(name, attempt);
  CO_TRY(const oci::LayerMounts layers, co_await context_.images.hold(image.id, id));
  auto plan = co_await make_plan(spec, image, layers.lower_dirs, attempt);
  if (!plan) {
    (void)co_await context_.images.release(id);
    wait_with(name, "CreateContainerConfigError", plan.error().message(), kConfigRetry);
    note(api::EventLevel::kWarning, "Failed", "Error: " + plan.error().message());
    co_return std::move(plan).error();
  }
  // On record before it exists, so that whoever comes after us knows whose it is.
  ContainerState& now = state_.of(name);
  const ContainerState before = now;
  if (now.exited) {  // an attempt that never ran is no restart
    ++now.restarts;
    now.last = std::move(now.exited);
    now.exited.reset();
  }
  now.attempt = attempt;
  now.id = id;
  if (auto kept = on_record(); !kept) {
    now = before;
    (void)co_await context_.images.release(id);
    co_return kept;
  }
  co_return co_await launch(name, *std::move(plan), layers.lower_dirs);
}

Task<> PodWorker::launch(std::string name, ContainerPlan plan, std::vector<std::string> layers) {
  const ContainerSpec spec = *spec_->find(name);
  const int attempt = state_.of(name).attempt;
  CreateRequest request;
  request.id = id_of(name, attempt);
  request.bundle = bundle_of(name, attempt);
  request.scratch = scratch_of(name, attempt);
  request.lower_dirs = std::move(layers);
  if (!context_.base_layer.empty()) request.lower_dirs.push_back(context_.base_layer);
  request.netns = spec_->host_network ? std::string() : spec_->uid;
  request.terminal = plan.terminal;
  request.with_stdin = json::bool_at(spec.doc, {"stdin"}) && !plan.terminal;
  request.spec = oci_spec(plan);
  expect_attach();
  const std::string id = request.id;
  auto made = co_await context_.runtime.create(std::move(request));
  if (!made) {
    (void)co_await context_.images.release(id);
    start_failed(name, made.error());
    co_return std::move(made).error();
  }
  note(api::EventLevel::kNormal, "Created", "Created container: " + name);
  const bool unwanted = spec_->deleting.has_value();
  Result<> started =
      unwanted ? Result<>(Error(Code::kCancelled, "the pod is being deleted")) : Result<>(Unit{});
  // Pumps first: a short-lived container's output is read from the start.
  made->started = context_.timer().now();
  begin_run(name, *std::move(made));
  const RunPtr run = run_of(name);
  run->unstarted = true;
  if (!unwanted) started = co_await context_.runtime.start(id);
  run->unstarted = false;
  if (!started) {
    if (run_of(name) == run && !run->exited) {
      run->exited = true;
      co_await after_exit(name, run);
      if (unwanted) {
        wait_with(name, {}, {}, Duration::zero());
      } else {
        start_failed(name, started.error());
      }
    }
    co_return started;
  }
  note(api::EventLevel::kNormal, "Started", "Started container " + name);
  if (run_of(name) != run || run->exited) co_return Unit{};
  co_await post_start(name, run);
  co_return Unit{};
}

// A command that cannot be executed counts as a run that ended at once.
void PodWorker::start_failed(const std::string& name, const Error& error) {
  ContainerState& c = state_.of(name);
  const WallTime now = context_.timer().now();
  c.phase = Phase::kExited;
  c.ready = false;
  c.exited = Termination{.code = kStartErrorCode,
                         .reason = "StartError",
                         .message = error.message(),
                         .started = now,
                         .finished = now,
                         .id = c.id};
  ++c.crashes;
  c.waiting_reason = c.crashes == 1 ? "RunContainerError" : "CrashLoopBackOff";
  c.waiting_message = error.message();
  c.retry_at = now + crash_backoff(c.crashes + 1);
  note(api::EventLevel::kWarning, "Failed",
       "Error: failed to start container \"" + name + "\": " + error.message());
}

void PodWorker::pull_failed(const std::string& name, const std::string& image, const Error& error) {
  ContainerState& c = state_.of(name);
  ++c.pull_failures;
  const char* reason = error.code() == Code::kBadRequest ? "InvalidImageName" : "ErrImagePull";
  const ContainerSpec* spec = spec_->find(name);
  if (spec && policy_of(*spec) == oci::PullPolicy::kNever) reason = "ErrImageNeverPull";
  wait_with(name, reason, error.message(), pull_backoff(c.pull_failures));
  note(api::EventLevel::kWarning, "Failed",
       fmt::format("Failed to pull image \"{}\": {}", image, error.message()));
  note(api::EventLevel::kWarning, "Failed", std::string("Error: ") + reason);
  if (std::string_view(reason) != "ErrImagePull") return;
  spawn("back off " + name, [this, name, image, text = error.message()]() -> Async<void> {
    const bool slept = co_await context_.timer().sleep_for(kBackoffShown);
    ContainerState& now = state_.of(name);
    if (!slept || now.waiting_reason != "ErrImagePull") co_return;
    now.waiting_reason = "ImagePullBackOff";
    now.waiting_message =
        fmt::format("Back-off pulling image \"{}\": ErrImagePull: {}", image, text);
    note(api::EventLevel::kNormal, "BackOff", fmt::format("Back-off pulling image \"{}\"", image));
    poke();
  });
}

Task<std::vector<oci::Credentials>> PodWorker::pull_credentials() {
  std::vector<oci::Credentials> out;
  for (const json::Value& ref : json::array_at(spec_->doc, {"spec", "imagePullSecrets"})) {
    auto secret = co_await context_.client.get(
        kSecrets, {spec_->ns, std::string(json::string_at(ref, {"name"}))});
    if (!secret) continue;  // as with kubelets: the pull says what is missing
    for (oci::Credentials& c : credentials_in((*secret)->parse())) out.push_back(std::move(c));
  }
  co_return std::move(out);
}

Task<oci::Image> PodWorker::pull(ContainerSpec spec) {
  CO_TRY(auto credentials, co_await pull_credentials());
  oci::PullRequest request;
  request.ref = spec.image;
  request.policy = policy_of(spec);
  request.credentials = std::move(credentials);
  const auto present = co_await context_.images.find(spec.image);
  if (request.policy == oci::PullPolicy::kAlways ||
      (!present && request.policy == oci::PullPolicy::kIfNotPresent)) {
    note(api::EventLevel::kNormal, "Pulling", fmt::format("Pulling image \"{}\"", spec.image));
  }
  const MonoTime begun = context_.timer().monotonic();
  auto pulled = co_await context_.images.ensure(std::move(request));
  if (!pulled) {
    pull_failed(spec.name, spec.image, pulled.error());
    co_return std::move(pulled).error();
  }
  state_.of(spec.name).pull_failures = 0;
  if (pulled->was_present) {
    note(api::EventLevel::kNormal, "Pulled",
         fmt::format("Container image \"{}\" already present on machine", spec.image));
  } else {
    const auto ms =
        std::chrono::duration_cast<std::chrono::milliseconds>(context_.timer().monotonic() - begun)
            .count();
    note(api::EventLevel::kNormal, "Pulled",
         fmt::format("Successfully pulled image \"{}\" in {:.3f}s. Image size: {} bytes.",
                     spec.image, double(ms) / 1'000, pulled->image.size_bytes));
  }
  co_return std::move(pulled->image);
}

Task<EnvironmentSources> PodWorker::fetch(std::vector<std::string> config_maps,
                                          std::vector<std::string> secrets, DataParts parts) {
  EnvironmentSources out;
  for (const bool secret : {false, true}) {
    for (const std::string& name : secret ? secrets : config_maps) {
      auto object =
          co_await context_.client.get(secret ? kSecrets : kConfigMaps, {spec_->ns, name});
      if (object) {
        (secret ? out.secrets : out.config_maps)[name] = decoded_data((*object)->parse(), parts);
      } else if (object.error().code() != Code::kNotFound) {
        co_return std::move(object).error().during(
            fmt::format("{} \"{}\"", secret ? "secret" : "configmap", name));
      }
    }
  }
  co_return std::move(out);
}

Task<> PodWorker::set_up_volumes() {
  while (volumes_busy_) co_await volumes_done_.wait();
  if (volumes_ready_) co_return Unit{};
  volumes_busy_ = true;
  auto outcome = co_await contained(make_volumes());
  volumes_ready_ = outcome.has_value();
  volumes_busy_ = false;
  volumes_done_.notify();
  co_return outcome;
}

Task<> PodWorker::make_volumes() {
  const VolumeNeeds needs = volume_needs(*spec_);
  Result<> outcome = Unit{};
  auto data = co_await fetch(needs.config_maps, needs.secrets, DataParts::kAll);
  if (data) {
    volume_objects_.data = *std::move(data);
  } else {
    outcome = std::move(data).error();
  }
  const bool due = context_.timer().now() >= token_refresh_;
  for (size_t i = 0; outcome && due && i < needs.tokens.size(); ++i) {
    const TokenRequest& wanted = needs.tokens[i];
    json::Object spec{
        {"expirationSeconds", wanted.expiration_seconds},
        {"boundObjectRef",
         json::Object{
             {"apiVersion", "v1"}, {"kind", "Pod"}, {"name", spec_->name}, {"uid", spec_->uid}}}};
    if (!wanted.audience.empty()) spec["audiences"] = json::Array{json::Value(wanted.audience)};
    json::Object request{{"apiVersion", "authentication.k8s.io/v1"},
                         {"kind", "TokenRequest"},
                         {"spec", std::move(spec)}};
    const std::string account(
        json::string_at(spec_->doc, {"spec", "serviceAccountName"}, "default"));
    auto token = co_await context_.client.post(kServiceAccounts, {spec_->ns, account}, "token",
                                               std::move(request));
    if (!token) {
      outcome = std::move(token).error().during("token of service account " + account);
      break;
    }
    volume_objects_.tokens[wanted] = json::string_at(*token, {"status", "token"});
    const auto life =
        std::chrono::seconds(std::min<int64_t>(wanted.expiration_seconds, 86'400)) * 4 / 5;
    token_refresh_ = context_.timer().now() + life;
  }
  if (outcome) {
    auto made = co_await context_.offload.run(
        [volumes = volumes_, spec = spec_, known = facts(), objects = volume_objects_]() mutable {
          return volumes.set_up(*spec, known, objects);
        });
    outcome = std::move(made);
  }
  co_return outcome;
}

// Keeps configMap, secret and token files fresh while the pod lives.
Async<void> PodWorker::refresh_volumes() {
  if (volume_needs(*spec_).config_maps.empty() && volume_needs(*spec_).secrets.empty() &&
      volume_needs(*spec_).tokens.empty()) {
    co_return;
  }
  for (;;) {
    const bool slept = co_await context_.timer().sleep_for(kVolumeRefresh);
    if (!slept || finished_) co_return;
    if (runs_.empty() || state_.torn_down || spec_->deleting) continue;
    volumes_ready_ = false;
    auto fresh = co_await set_up_volumes();
    // The files that are there stay: an object may be gone for a moment.
    if (!fresh)
      log::info("volumes not refreshed", {{"pod", spec_->key()}, {"error", fresh.error()}});
    volumes_ready_ = true;
  }
}

Result<std::vector<Mount>> PodWorker::file_mounts(const json::Value& container,
                                                  const std::string& folder,
                                                  const Environment& env) {
  TRY(std::vector<Mount> mounts, volumes_.mounts_of(*spec_, container, env));
  const auto taken = [&](std::string_view path) {
    return std::any_of(mounts.begin(), mounts.end(),
                       [&](const Mount& m) { return m.destination == path; });
  };
  const DnsSettings dns{context_.network.dns_address(), context_.cluster_domain,
                        read_or_empty("/etc/resolv.conf")};
  const std::string host = read_or_empty("/etc/hosts");
  const std::tuple<const char*, const char*, std::string> files[] = {
      {"/etc/hosts", "hosts", hosts_file(*spec_, pod_ip(), context_.cluster_domain, host)},
      {"/etc/resolv.conf", "resolv.conf", resolv_conf(*spec_, dns)},
      {"/etc/hostname", "hostname", hostname_of(*spec_) + "\n"},
  };
  for (const auto& [target, name, text] : files) {
    const std::string path = folder + "/" + name;
    TRY_OK(io::write_quickly(path, text, 0644));
    if (!taken(target)) mounts.push_back({target, "bind", path, {"rbind", "rprivate", "rw"}});
  }
  const std::string message(
      json::string_at(container, {"terminationMessagePath"}, "/dev/termination-log"));
  TRY_OK(io::write_quickly(folder + "/termination-log", "", 0666));
  if (!taken(message))
    mounts.push_back({message, "bind", folder + "/termination-log", {"rbind", "rprivate", "rw"}});
  return mounts;
}

// On the pool. `cwd` is made where it is not empty.
Result<std::vector<Mount>> PodWorker::make_files(const ContainerSpec& spec, int attempt,
                                                 const Environment& env, const std::string& cwd) {
  const std::string scratch = scratch_of(spec.name, attempt);
  TRY_OK(io::make_folders(bundle_of(spec.name, attempt), 0755));
  TRY_OK(io::make_folders(scratch + "/upper", 0755));
  TRY_OK(io::make_folders(scratch + "/work", 0700));
  TRY_OK(io::make_folders(std::filesystem::path(log_of(spec.name, attempt)).parent_path(), 0755));
  if (!cwd.empty()) {
    const io::UniqueFd upper(
        ::open((scratch + "/upper").c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (!upper) return io::errno_error("open " + scratch + "/upper", errno);
    auto made = make_inside(upper.get(), cwd);
    if (!made) return std::move(made).error().during("workingDir " + cwd);
  }
  return file_mounts(spec.doc, scratch, env);
}

Task<ContainerPlan> PodWorker::make_plan(ContainerSpec spec, oci::Image image,
                                         std::vector<std::string> layers, int attempt) {
  if (spec_->share_processes) {
    co_return Error(Code::kInvalid, "shareProcessNamespace is not offered by this node");
  }
  // Who asks for this wall may not go without it unawares.
  if (!json::bool_at(spec_->doc, {"spec", "hostUsers"}, true))
    co_return Error(Code::kInvalid, "hostUsers: false is not offered by this node");
  // A probe that can never pass would end a healthy container for ever.
  for (const std::string_view probe : {"livenessProbe", "readinessProbe", "startupProbe"}) {
    if (json::find(spec.doc, {probe, "grpc"}))
      co_return Error(Code::kInvalid,
                      fmt::format("{}: gRPC probes are not offered by this node; use httpGet, "
                                  "tcpSocket or exec",
                                  probe));
  }
  const EnvironmentNeeds needs = needs_of(spec.doc);
  CO_TRY(const EnvironmentSources sources,
         co_await fetch(needs.config_maps, needs.secrets, DataParts::kText));
  Environment services;
  if (json::bool_at(spec_->doc, {"spec", "enableServiceLinks"}, true) && context_.services) {
    services = service_environment(context_.services(), spec_->ns);
  }
  ContainerPlan plan;
  std::vector<std::string> image_env = {std::string("PATH=") + kDefaultPath,
                                        "HOSTNAME=" + hostname_of(*spec_)};
  if (json::bool_at(spec.doc, {"tty"})) image_env.push_back("TERM=xterm");
  image_env.insert(image_env.end(), image.config.env.begin(), image.config.env.end());
  CO_TRY(const Environment env,
         build_environment(spec.doc, *spec_, facts(), sources, image_env, services));
  CO_TRY(plan.args, arguments_of(spec.doc, image.config, env));
  if (plan.args.empty()) co_return Error(Code::kInvalid, "no command specified");
  plan.env = env.lines();
  plan.cwd =
      rooted(std::string(json::string_at(spec.doc, {"workingDir"}, image.config.working_dir)));
  plan.hostname = hostname_of(*spec_);
  plan.stop_signal = image.config.stop_signal;
  plan.terminal = json::bool_at(spec.doc, {"tty"});
  plan.resources = resources_of(spec.doc);
  plan.oom_score = oom_score_adjustment(*spec_, plan.resources, context_.node_memory_bytes);
  plan.host_pid = json::bool_at(spec_->doc, {"spec", "hostPID"});
  plan.host_ipc = json::bool_at(spec_->doc, {"spec", "hostIPC"});
  CO_TRY(plan.sysctls, safe_sysctls(*spec_));
  if (!spec_->host_network) plan.netns = bundle_of(spec.name, attempt) + "/netns";
  if (context_.cgroups) {
    plan.cgroup = context_.cgroups->path(spec_->uid, fmt::format("{}_{}", spec.name, attempt));
    plan.cgroups = cgroup_mounts(context_.cgroups->views(plan.cgroup));
  }
  auto files = co_await context_.offload.run([this, spec, attempt, env, layers,
                                              cwd = plan.cwd]() -> Result<PlanFiles> {
    if (context_.cgroups)
      TRY_OK(context_.cgroups->make_pod(spec_->uid, {.processes = context_.pod_processes}));
    // A working folder that the image has not is made, as other engines do.
    TRY(auto mounts, make_files(spec, attempt, env, folder_in(layers, cwd) ? std::string() : cwd));
    return PlanFiles{std::move(mounts), users_in(layers)};
  });
  if (!files) co_return std::move(files).error();
  plan.mounts = std::move(files->mounts);
  CO_TRY(plan.security, security_of(*spec_, spec.doc, image.config.user, files->users));
  co_return std::move(plan);
}

}  // namespace atl::node
