#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "api/object/object.h"
#include "base/core/result.h"
#include "base/text/json.h"
#include "kernel/node/pod/pod_spec.h"

// What a container finds in its environment, command and arguments.
namespace atl::node {

// In order; a later value of a name replaces the earlier one where it stands.
class Environment {
 public:
  void set(std::string name, std::string value);
  const std::string* find(std::string_view name) const;
  const std::vector<std::pair<std::string, std::string>>& items() const { return items_; }
  std::vector<std::string> lines() const;            // "NAME=value"
  size_t size_bytes() const { return size_bytes_; }  // as lines, each with its end

 private:
  std::vector<std::pair<std::string, std::string>> items_;
  std::map<std::string, size_t, std::less<>> places_;  // in items_
  size_t size_bytes_ = 0;
};

// What Linux takes as one argument or variable (MAX_ARG_STRLEN), and what one container gets of
// them altogether. References to references grow without end else: thirty lines are gigabytes.
inline constexpr size_t kTextBytesMax = 128 * 1024;
inline constexpr size_t kEnvironmentBytesMax = 1024 * 1024;

// $(NAME) by its value; left as it is where the name is unknown; $$(NAME) is a literal $(NAME).
// kInvalid beyond kTextBytesMax.
Result<std::string> expand(std::string_view text, const Environment& environment);

// The facts that fieldRef can ask for and the object does not hold.
struct PodFacts {
  std::string pod_ip;
  std::string host_ip;
  std::string node_name;
  // What an unset limit means: resourceFieldRef falls back to the node's.
  int64_t node_milli_cpu = 0;
  int64_t node_memory_bytes = 0;
};

// metadata.name, metadata.labels['x'], status.podIP …; labels and annotations as KEY="value" lines.
// kInvalid for a path that is none of those.
Result<std::string> field_value(const PodSpec& pod, const PodFacts& facts, std::string_view path);
// limits.cpu, requests.memory … of a container, in units of the divisor, rounded up.
Result<std::string> resource_value(const json::Value& container, const PodFacts& facts,
                                   std::string_view resource, std::string_view divisor);

// Decoded entries of ConfigMaps and Secrets that the container needs; keyed by name. A missing
// object is absent.
struct EnvironmentSources {
  std::map<std::string, std::map<std::string, std::string>, std::less<>> config_maps;
  std::map<std::string, std::map<std::string, std::string>, std::less<>> secrets;
};

// Names of ConfigMaps and Secrets in env and envFrom.
struct EnvironmentNeeds {
  std::vector<std::string> config_maps;
  std::vector<std::string> secrets;
};
EnvironmentNeeds needs_of(const json::Value& container);

// REDIS_SERVICE_HOST and its kin for Services of the pod's namespace, and kubernetes of "default".
Environment service_environment(const std::vector<api::ObjectPtr>& services, const std::string& ns);

// Image, services, envFrom, env, in this order. kInvalid with the sentence that a
// CreateContainerConfigError shows: a missing object or key that is not optional, or the variable
// that is beyond the limits above.
Result<Environment> build_environment(const json::Value& container, const PodSpec& pod,
                                      const PodFacts& facts, const EnvironmentSources& sources,
                                      const std::vector<std::string>& image_env,
                                      const Environment& services);

// data of a ConfigMap or a Secret, decoded; kAll: binaryData of a ConfigMap too, which volumes hold
// and variables do not.
enum class DataParts : uint8_t { kText, kAll };
std::map<std::string, std::string> decoded_data(const json::Value& object,
                                                DataParts parts = DataParts::kAll);

}  // namespace atl::node
