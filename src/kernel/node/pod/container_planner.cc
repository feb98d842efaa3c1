#include "kernel/node/pod/container_planner.h"

#include <fcntl.h>
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <tuple>
#include <utility>

#include "base/io/files.h"
#include "base/io/quick_file.h"
#include "base/io/unique_fd.h"
#include "kernel/node/inside.h"
#include "kernel/node/json_read.h"
#include "kernel/node/pod/pod_files.h"
#include "kernel/node/pod/resources.h"
#include "kernel/node/pod/sources.h"
#include "kernel/node/runtime/layer_files.h"

namespace atl::node {
namespace {

constexpr const char* kDefaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

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

// What this node does not offer, and says rather than leave out.
Result<> check_offered(const PodSpec& pod, const ContainerSpec& spec) {
  if (pod.share_processes)
    return Error(Code::kInvalid, "shareProcessNamespace is not offered by this node");
  // Who asks for this wall may not go without it unawares.
  if (!json::bool_at(pod.doc, {"spec", "hostUsers"}, true))
    return Error(Code::kInvalid, "hostUsers: false is not offered by this node");
  // A probe that can never pass would end a healthy container for ever.
  for (const std::string_view probe : {"livenessProbe", "readinessProbe", "startupProbe"}) {
    if (json::find(spec.doc, {probe, "grpc"})) {
      return Error(Code::kInvalid,
                   fmt::format("{}: gRPC probes are not offered by this node; use httpGet, "
                               "tcpSocket or exec",
                               probe));
    }
  }
  return Unit{};
}

// What a container's plan takes from the file system.
struct PlanFiles {
  std::vector<Mount> mounts;
  UserDatabase users;
};

// What the files of one attempt are made from: a job for the pool, with copies of all it needs.
struct FilesJob {
  PodSpecPtr pod;
  ContainerSpec spec;
  Environment environment;
  PodVolumes volumes;
  std::vector<std::string> layers;
  std::string cwd;
  std::string bundle, scratch, log;
  std::string pod_ip;
  std::string cluster_dns, cluster_domain;

  Result<PlanFiles> make();

 private:
  Result<> make_folders() const;
  Result<> make_cwd() const;
  Result<std::vector<Mount>> mounts();
};

std::string read_or_empty(const std::string& path) {
  auto text = io::read_file(path, 1 << 20);
  return text ? *std::move(text) : std::string();
}

Result<PlanFiles> FilesJob::make() {
  TRY_OK(make_folders());
  TRY_OK(make_cwd());
  TRY(auto all, mounts());
  return PlanFiles{std::move(all), users_in(layers)};
}

Result<> FilesJob::make_folders() const {
  TRY_OK(io::make_folders(bundle, 0755));
  TRY_OK(io::make_folders(scratch + "/upper", 0755));
  TRY_OK(io::make_folders(scratch + "/work", 0700));
  return io::make_folders(std::filesystem::path(log).parent_path(), 0755);
}

// A working folder that the image has not is made, as other engines do.
Result<> FilesJob::make_cwd() const {
  if (folder_in(layers, cwd)) return Unit{};
  const io::UniqueFd upper(::open((scratch + "/upper").c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!upper) return io::errno_error("open " + scratch + "/upper", errno);
  auto made = make_inside(upper.get(), cwd);
  if (!made) return std::move(made).error().during("workingDir " + cwd);
  return Unit{};
}

Result<std::vector<Mount>> FilesJob::mounts() {
  TRY(std::vector<Mount> mounts, volumes.mounts_of(*pod, spec.doc, environment));
  const auto taken = [&](std::string_view path) {
    return std::any_of(mounts.begin(), mounts.end(),
                       [&](const Mount& m) { return m.destination == path; });
  };
  const DnsSettings dns{cluster_dns, cluster_domain, read_or_empty("/etc/resolv.conf")};
  const std::string host = pod->host_network ? read_or_empty("/etc/hosts") : std::string();
  const std::tuple<const char*, const char*, std::string> files[] = {
      {"/etc/hosts", "hosts", hosts_file(*pod, pod_ip, cluster_domain, host)},
      {"/etc/resolv.conf", "resolv.conf", resolv_conf(*pod, dns)},
      {"/etc/hostname", "hostname", hostname_of(*pod) + "\n"},
  };
  for (const auto& [target, name, text] : files) {
    const std::string path = scratch + "/" + name;
    TRY_OK(io::write_quickly(path, text, 0644));
    if (!taken(target)) mounts.push_back({target, "bind", path, {"rbind", "rprivate", "rw"}});
  }
  const std::string message(
      json::string_at(spec.doc, {"terminationMessagePath"}, "/dev/termination-log"));
  TRY_OK(io::write_quickly(scratch + "/termination-log", "", 0666));
  if (!taken(message))
    mounts.push_back({message, "bind", scratch + "/termination-log", {"rbind", "rprivate", "rw"}});
  return mounts;
}

}  // namespace

ContainerPlanner::ContainerPlanner(PodContext& context, PodRecord& record, PodSandbox& sandbox,
                                   VolumeUpkeep& volumes)
    : context_(context), record_(record), sandbox_(sandbox), volumes_(volumes) {}

Task<Environment> ContainerPlanner::environment_of(ContainerSpec spec, oci::ImageConfig config) {
  EnvironmentNeeds needs = needs_of(spec.doc);
  CO_TRY(const EnvironmentSources sources,
         co_await fetch_sources(context_.client, record_.spec().ns, std::move(needs.config_maps),
                                std::move(needs.secrets), DataParts::kText));
  const PodSpec& pod = record_.spec();
  Environment services;
  if (json::bool_at(pod.doc, {"spec", "enableServiceLinks"}, true) && context_.services)
    services = service_environment(context_.services(), pod.ns);
  std::vector<std::string> image_env = {std::string("PATH=") + kDefaultPath,
                                        "HOSTNAME=" + hostname_of(pod)};
  if (json::bool_at(spec.doc, {"tty"})) image_env.push_back("TERM=xterm");
  image_env.insert(image_env.end(), config.env.begin(), config.env.end());
  co_return build_environment(spec.doc, pod, record_.facts(), sources, image_env, services);
}

Task<ContainerPlan> ContainerPlanner::plan(ContainerSpec spec, oci::Image image,
                                           std::vector<std::string> layers, int attempt) {
  CO_TRY_OK(check_offered(record_.spec(), spec));
  CO_TRY(const Environment env, co_await environment_of(spec, image.config));
  const PodSpecPtr pod = record_.spec_ptr();
  ContainerPlan plan;
  CO_TRY(plan.args, arguments_of(spec.doc, image.config, env));
  if (plan.args.empty()) co_return Error(Code::kInvalid, "no command specified");
  plan.env = env.lines();
  plan.cwd =
      rooted(std::string(json::string_at(spec.doc, {"workingDir"}, image.config.working_dir)));
  plan.hostname = hostname_of(*pod);
  plan.stop_signal = image.config.stop_signal;
  plan.terminal = json::bool_at(spec.doc, {"tty"});
  plan.resources = resources_of(spec.doc);
  plan.oom_score = oom_score_adjustment(*pod, plan.resources, context_.node_memory_bytes);
  plan.host_pid = json::bool_at(pod->doc, {"spec", "hostPID"});
  plan.host_ipc = json::bool_at(pod->doc, {"spec", "hostIPC"});
  CO_TRY(plan.sysctls, safe_sysctls(*pod));
  const std::string bundle = record_.bundle_of(spec.name, attempt);
  if (!pod->host_network) plan.netns = bundle + "/netns";
  if (context_.cgroups) {
    plan.cgroup = context_.cgroups->path(pod->uid, fmt::format("{}_{}", spec.name, attempt));
    plan.cgroups = cgroup_mounts(context_.cgroups->views(plan.cgroup));
  }
  FilesJob job{pod,
               spec,
               env,
               volumes_.files(),
               layers,
               plan.cwd,
               bundle,
               record_.scratch_of(spec.name, attempt),
               record_.log_of(spec.name, attempt),
               record_.pod_ip(),
               context_.network.dns_address(),
               context_.cluster_domain};
  CO_TRY_OK(co_await sandbox_.make_group());
  auto files =
      co_await context_.offload.run([job = std::move(job)]() mutable { return job.make(); });
  if (!files) co_return std::move(files).error();
  plan.mounts = std::move(files->mounts);
  CO_TRY(plan.security, security_of(*pod, spec.doc, image.config.user, files->users));
  co_return std::move(plan);
}

}  // namespace atl::node
