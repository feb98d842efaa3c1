#include "kernel/node/registration/node_facts.h"

#include <sys/statvfs.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <cstdlib>
#include <sstream>

#include "api/controller/conditions.h"
#include "base/io/files.h"
#include "base/text/quantity.h"

namespace atl::node {
namespace {

constexpr const char* kKubernetesVersion = "v1.36.0";
constexpr size_t kImagesMax = 50;  // as kubelets report

std::string first_line(const std::string& path) {
  auto text = io::read_file(path, 4096);
  if (!text) return {};
  return text->substr(0, text->find('\n'));
}

int64_t memory_total() {
  auto text = io::read_file("/proc/meminfo", 64 * 1024);
  const size_t at = text ? text->find("MemTotal:") : std::string::npos;
  return at == std::string::npos ? 0 : std::strtoll(text->c_str() + at + 9, nullptr, 10) * 1024;
}

std::string os_name() {
  auto text = io::read_file("/etc/os-release", 64 * 1024);
  std::istringstream lines(text ? *text : std::string());
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with("PRETTY_NAME=")) continue;
    std::string value = line.substr(12);
    if (value.size() > 1 && value.front() == '"') value = value.substr(1, value.size() - 2);
    return value;
  }
  return "Linux";
}

std::string go_architecture(const std::string& machine) {
  if (machine == "x86_64") return "amd64";
  return machine == "aarch64" ? "arm64" : machine;
}

json::Value resources(const NodeFacts& facts) {
  return json::Object{{"cpu", Quantity::of_milli(facts.milli_cpu).text()},
                      {"memory", std::to_string(facts.memory_bytes / 1024) + "Ki"},
                      {"ephemeral-storage", std::to_string(facts.storage_bytes / 1024) + "Ki"},
                      {"pods", std::to_string(facts.pods)}};
}

json::Array conditions(const std::string& trouble, const json::Array& before, WallTime now) {
  json::Array out = before;
  const auto set = [&](const char* type, bool on, const char* reason, const std::string& message) {
    api::set_condition(out, {type, on ? "True" : "False", reason, message}, now);
  };
  set("MemoryPressure", false, "KubeletHasSufficientMemory",
      "kubelet has sufficient memory available");
  set("DiskPressure", false, "KubeletHasNoDiskPressure", "kubelet has no disk pressure");
  set("PIDPressure", false, "KubeletHasSufficientPID", "kubelet has sufficient PID available");
  set("Ready", trouble.empty(), trouble.empty() ? "KubeletReady" : "KubeletNotReady",
      trouble.empty() ? "the node agent runs pods" : trouble);
  for (json::Value& c : out) c.as_object()["lastHeartbeatTime"] = rfc3339(now);
  return out;
}

}  // namespace

NodeFacts read_node_facts(std::string name, std::string address, std::string pod_cidr,
                          const std::string& data_folder) {
  NodeFacts f;
  f.name = std::move(name), f.address = std::move(address), f.pod_cidr = std::move(pod_cidr);
  f.milli_cpu = int64_t(::sysconf(_SC_NPROCESSORS_ONLN)) * 1'000;
  f.memory_bytes = memory_total();
  struct statvfs disk{};
  if (::statvfs(data_folder.c_str(), &disk) == 0)
    f.storage_bytes = int64_t(disk.f_blocks) * int64_t(disk.f_frsize);
  f.machine_id = first_line("/etc/machine-id");
  f.boot_id = first_line("/proc/sys/kernel/random/boot_id");
  utsname about{};
  ::uname(&about);
  f.kernel = about.release;
  f.architecture = go_architecture(about.machine);
  f.os_image = os_name();
  return f;
}

json::Value node_object(const NodeFacts& f) {
  json::Object labels{{"kubernetes.io/hostname", f.name},
                      {"kubernetes.io/os", "linux"},
                      {"kubernetes.io/arch", f.architecture},
                      {"beta.kubernetes.io/os", "linux"},
                      {"beta.kubernetes.io/arch", f.architecture}};
  json::Object spec;
  if (!f.pod_cidr.empty())
    spec = {{"podCIDR", f.pod_cidr}, {"podCIDRs", json::Array{json::Value(f.pod_cidr)}}};
  return json::Object{{"apiVersion", "v1"},
                      {"kind", "Node"},
                      {"metadata", json::Object{{"name", f.name}, {"labels", std::move(labels)}}},
                      {"spec", std::move(spec)}};
}

json::Value node_status(const NodeFacts& f, const std::string& trouble,
                        const std::vector<oci::ImageSummary>& images, const json::Array& before,
                        WallTime now) {
  json::Array image_list;
  for (const oci::ImageSummary& image : images) {
    if (image_list.size() == kImagesMax) break;
    json::Array names;
    for (const std::string& name : image.names) names.emplace_back(name);
    if (!names.empty())
      image_list.push_back(
          json::Object{{"names", std::move(names)}, {"sizeBytes", image.size_bytes}});
  }
  json::Object info{{"machineID", f.machine_id},
                    {"systemUUID", f.machine_id},
                    {"bootID", f.boot_id},
                    {"kernelVersion", f.kernel},
                    {"osImage", f.os_image},
                    {"containerRuntimeVersion", "atoll://" ATOLL_VERSION},
                    {"kubeletVersion", kKubernetesVersion},
                    {"kubeProxyVersion", ""},
                    {"operatingSystem", "linux"},
                    {"architecture", f.architecture}};
  return json::Object{
      {"capacity", resources(f)},
      {"allocatable", resources(f)},
      {"conditions", conditions(trouble, before, now)},
      {"addresses", json::Array{json::Object{{"type", "InternalIP"}, {"address", f.address}},
                                json::Object{{"type", "Hostname"}, {"address", f.name}}}},
      {"nodeInfo", std::move(info)},
      {"images", std::move(image_list)}};
}

}  // namespace atl::node
