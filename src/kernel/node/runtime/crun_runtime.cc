#include "kernel/node/runtime/crun_runtime.h"

#include <linux/capability.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>

#include "base/io/files.h"
#include "base/io/quick_file.h"
#include "base/observe/log.h"
#include "base/text/base64.h"
#include "kernel/node/runtime/crun_exec.h"
#include "kernel/node/runtime/seccomp_filter.h"

namespace atl::node {
namespace {

constexpr int kSignalBase = 128;
constexpr int kUnknownCode = 255;
constexpr size_t kFiltersMax = 64;  // profiles differ by capabilities only
constexpr const char* kCompiledSeccomp = "run.oci.seccomp_bpf_data";

WallTime wall(int64_t ns) {
  return WallTime(std::chrono::nanoseconds(ns));
}

// A set of capabilities in /proc/self/status; everything where it cannot be read.
uint64_t own_capabilities(std::string_view set) {
  const auto status = io::read_file("/proc/self/status");
  const size_t at = status ? status->find(set) : std::string::npos;
  if (at == std::string::npos) return ~uint64_t(0);
  return std::strtoull(status->c_str() + at + set.size(), nullptr, 16);
}

// What oom_score_adj may be set to here: anything with CAP_SYS_RESOURCE, which containers that run
// Atoll often lack, else nothing below our own.
int64_t lowest_oom_score() {
  constexpr int64_t kLowest = -1'000;
  if (own_capabilities("CapEff:") >> CAP_SYS_RESOURCE & 1) return kLowest;
  const auto own = io::read_file("/proc/self/oom_score_adj");
  return own ? std::atoll(own->c_str()) : 0;
}

// By their numbers in the kernel.
constexpr std::string_view kCapabilities[] = {"CAP_CHOWN",
                                              "CAP_DAC_OVERRIDE",
                                              "CAP_DAC_READ_SEARCH",
                                              "CAP_FOWNER",
                                              "CAP_FSETID",
                                              "CAP_KILL",
                                              "CAP_SETGID",
                                              "CAP_SETUID",
                                              "CAP_SETPCAP",
                                              "CAP_LINUX_IMMUTABLE",
                                              "CAP_NET_BIND_SERVICE",
                                              "CAP_NET_BROADCAST",
                                              "CAP_NET_ADMIN",
                                              "CAP_NET_RAW",
                                              "CAP_IPC_LOCK",
                                              "CAP_IPC_OWNER",
                                              "CAP_SYS_MODULE",
                                              "CAP_SYS_RAWIO",
                                              "CAP_SYS_CHROOT",
                                              "CAP_SYS_PTRACE",
                                              "CAP_SYS_PACCT",
                                              "CAP_SYS_ADMIN",
                                              "CAP_SYS_BOOT",
                                              "CAP_SYS_NICE",
                                              "CAP_SYS_RESOURCE",
                                              "CAP_SYS_TIME",
                                              "CAP_SYS_TTY_CONFIG",
                                              "CAP_MKNOD",
                                              "CAP_LEASE",
                                              "CAP_AUDIT_WRITE",
                                              "CAP_AUDIT_CONTROL",
                                              "CAP_SETFCAP",
                                              "CAP_MAC_OVERRIDE",
                                              "CAP_MAC_ADMIN",
                                              "CAP_SYSLOG",
                                              "CAP_WAKE_ALARM",
                                              "CAP_BLOCK_SUSPEND",
                                              "CAP_AUDIT_READ",
                                              "CAP_PERFMON",
                                              "CAP_BPF",
                                              "CAP_CHECKPOINT_RESTORE"};

bool passes_on(uint64_t set, const json::Value& capability) {
  for (size_t i = 0; i < std::size(kCapabilities); ++i) {
    if (capability.is_string() && std::string_view(capability.as_string()) == kCapabilities[i])
      return set >> i & 1;
  }
  return true;  // crun knows better
}

}  // namespace

CrunRuntime::CrunRuntime(Executor executor, Timer& timer, const Cgroups& cgroups,
                         CrunOptions options)
    : executor_(executor),
      timer_(timer),
      cgroups_(cgroups),
      options_(std::move(options)),
      link_(executor, timer, options_.keeper_socket),
      lowest_oom_score_(lowest_oom_score()),
      capabilities_(own_capabilities("CapBnd:")) {}

CrunRuntime::~CrunRuntime() = default;

ExitStatus CrunRuntime::exit_of(const keeper::ContainerInfo& info) const {
  const std::string id(keeper::text(info.id));
  const size_t bar = id.find('_');
  ExitStatus out;
  out.unknown = info.exit.code == keeper::kUnknownExit;
  out.signal = info.exit.signal;
  out.code = out.unknown ? kUnknownCode : out.signal ? kSignalBase + out.signal : info.exit.code;
  out.finished = wall(info.exit.finished_ns);
  out.oom_killed = cgroups_.oom_kills(cgroups_.path(id.substr(0, bar), id.substr(bar + 1))) > 0;
  return out;
}

LiveContainer CrunRuntime::live(keeper::ContainerView view) const {
  LiveContainer out;
  out.id = view.id();
  out.pid = view.info.pid;
  out.started = wall(view.info.started_ns);
  switch (view.info.state) {
    case keeper::State::kCreated:
      out.state = RunState::kCreated;
      break;
    case keeper::State::kRunning:
      out.state = RunState::kRunning;
      break;
    case keeper::State::kExited:
      out.state = RunState::kExited;
      out.exit = exit_of(view.info);
      break;
  }
  out.stdin_pipe = std::move(view.stdin_pipe);
  out.stdout_pipe = std::move(view.stdout_pipe);
  out.stderr_pipe = std::move(view.stderr_pipe);
  out.terminal = std::move(view.pty);
  return out;
}

Task<std::vector<LiveContainer>> CrunRuntime::list() {
  CO_TRY(auto all, co_await link_.list());
  std::vector<LiveContainer> out;
  for (keeper::ContainerView& view : all) out.push_back(live(std::move(view)));
  co_return std::move(out);
}

void CrunRuntime::compile_seccomp_of(json::Value& spec) {
  const json::Value* profile = json::find(spec, {"linux", "seccomp"});
  if (!profile) return;
  std::string text = json::serialize(*profile);
  auto it = filters_.find(text);
  if (it == filters_.end()) {
    auto program = compile_seccomp(*profile);
    if (!program) {
      log::warn("seccomp is left to crun", {{"error", program.error()}});
      return;
    }
    if (filters_.size() >= kFiltersMax) filters_.clear();
    it = filters_.emplace(std::move(text), base64_encode(*program)).first;
  }
  json::set(spec, {"annotations", kCompiledSeccomp}, json::Value(it->second));
  spec.as_object()["linux"].as_object().erase("seccomp");
}

// What the kernel would refuse, and the container with it, is asked for as far as it can be had: a
// privileged container gets all there is here.
void CrunRuntime::bound_by_host(json::Value& spec) const {
  const int64_t wanted = json::int_at(spec, {"process", "oomScoreAdj"});
  if (wanted < lowest_oom_score_)
    json::set(spec, {"process", "oomScoreAdj"}, json::Value(lowest_oom_score_));
  json::Value* sets = json::find(spec, {"process", "capabilities"});
  if (!sets || !sets->is_object()) return;
  for (auto& [name, set] : sets->as_object()) {
    json::Array kept;
    for (const json::Value& capability : *set.if_array()) {
      if (passes_on(capabilities_, capability)) kept.push_back(capability);
    }
    set = std::move(kept);
  }
}

Task<LiveContainer> CrunRuntime::create(CreateRequest request) {
  compile_seccomp_of(request.spec);
  bound_by_host(request.spec);
  const std::string& bundle = request.bundle;
  keeper::CreateArguments a;
  a.id = request.id;
  a.flags = (request.terminal ? keeper::kTerminal : 0) | (request.with_stdin ? keeper::kStdin : 0) |
            (legacy_cgroups() ? keeper::kLegacyCgroups : 0);
  a.runtime = options_.program;
  a.state_folder = options_.state_folder;
  a.bundle = bundle;
  a.netns_key = request.netns;
  a.overlay_target = bundle + "/rootfs";
  a.overlay_upper = request.scratch + "/upper";
  a.overlay_work = request.scratch + "/work";
  a.overlay_lowers = request.lower_dirs;
  CO_TRY_OK(io::make_folders(a.overlay_target, 0755));
  CO_TRY_OK(io::write_quickly(bundle + "/config.json", json::serialize(request.spec), 0600));
  CO_TRY(keeper::ContainerView view, co_await link_.create(std::move(a)));
  co_return live(std::move(view));
}

Task<> CrunRuntime::start(std::string id) {
  return link_.simple(keeper::Type::kStart, std::move(id));
}
Task<> CrunRuntime::remove(std::string id) {
  return link_.simple(keeper::Type::kRemove, std::move(id));
}
Task<> CrunRuntime::close_stdin(std::string id) {
  return link_.simple(keeper::Type::kCloseStdin, std::move(id));
}

Task<> CrunRuntime::signal(std::string id, int number) {
  auto sent = co_await link_.simple(keeper::Type::kSignal, id, number);
  if (!sent && sent.error().code() == Code::kNotFound) co_return Unit{};
  co_return sent;
}

Task<> CrunRuntime::hold(std::string key, int fd) {
  return link_.simple(keeper::Type::kHold, std::move(key), 0, fd);
}
Task<> CrunRuntime::drop(std::string key) {
  return link_.simple(keeper::Type::kDrop, std::move(key));
}

Task<std::vector<Runtime::Held>> CrunRuntime::held() {
  CO_TRY(auto all, co_await link_.list_held());
  std::vector<Held> out;
  for (keeper::HeldView& h : all) out.push_back({std::move(h.key), std::move(h.fd)});
  co_return std::move(out);
}

void CrunRuntime::on_exit(std::function<void(const std::string&, const ExitStatus&)> handler) {
  link_.on_exit([this, handler = std::move(handler)](const keeper::ContainerInfo& info) {
    handler(std::string(keeper::text(info.id)), exit_of(info));
  });
}

Task<std::unique_ptr<ExecSession>> CrunRuntime::exec(ExecRequest request) {
  CrunExecCommand command;
  if (legacy_cgroups()) command.prefix = {options_.keeper_program, "--legacy-cgroups"};
  command.program = options_.program;
  command.state_folder = options_.state_folder;
  const std::string tag = std::to_string(::getpid()) + "-" + std::to_string(next_exec_++);
  command.bundle = request.bundle;
  command.files = request.bundle + "/exec-" + tag;
  command.console_socket = options_.run_folder + "/x" + tag + ".sock";
  return start_crun_exec(executor_, timer_, std::move(command), std::move(request));
}

}  // namespace atl::node
