#include "kernel/node/pod/environment.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/text/base64.h"
#include "base/text/quantity.h"
#include "base/text/utf8.h"
#include "kernel/node/pod/resources.h"

namespace atl::node {
namespace {

constexpr size_t kShownBytes = 100;  // of a name, in an error

bool valid_variable(std::string_view name) {
  if (name.empty() || (name[0] >= '0' && name[0] <= '9')) return false;
  return std::all_of(name.begin(), name.end(), [](unsigned char c) {
    return std::isalnum(c) || c == '_' || c == '-' || c == '.';
  });
}

// Service names become variable names: upper case, dashes to underscores.
std::string variable_of(std::string_view name) {
  std::string out(name);
  for (char& c : out) c = c == '-' ? '_' : char(std::toupper(static_cast<unsigned char>(c)));
  return out;
}

std::string quoted_lines(const json::Object& map) {
  std::vector<std::string> lines;
  for (const auto& [key, value] : map) {
    lines.push_back(fmt::format("{}={}", std::string_view(key), json::serialize(value)));
  }
  std::sort(lines.begin(), lines.end());
  std::string out;
  for (const std::string& line : lines) out += (out.empty() ? "" : "\n") + line;
  return out;
}

// metadata.labels['app.kubernetes.io/name'] → the key, or nothing.
std::optional<std::string> subscript(std::string_view path, std::string_view field) {
  if (!path.starts_with(field)) return std::nullopt;
  std::string_view rest = path.substr(field.size());
  if (!rest.starts_with("['") || !rest.ends_with("']") || rest.size() < 4) return std::nullopt;
  return std::string(rest.substr(2, rest.size() - 4));
}

struct EnvironmentBuilder {
  const json::Value& container;
  const PodSpec& pod;
  const PodFacts& facts;
  const EnvironmentSources& sources;
  Environment out;

  Result<> add_from(const json::Value& from) {
    const std::string prefix(json::string_at(from, {"prefix"}));
    for (const bool secret : {false, true}) {
      const json::Value* ref = json::find(from, {secret ? "secretRef" : "configMapRef"});
      if (!ref) continue;
      const std::string name(json::string_at(*ref, {"name"}));
      const auto& all = secret ? sources.secrets : sources.config_maps;
      const auto it = all.find(name);
      if (it == all.end()) {
        if (json::bool_at(*ref, {"optional"})) continue;
        return Error(Code::kInvalid,
                     fmt::format("{} \"{}\" not found", secret ? "secret" : "configmap", name));
      }
      for (const auto& [key, value] : it->second) {
        if (!valid_variable(prefix + key)) continue;
        TRY_OK(check_text(value, secret, name, key));
        TRY_OK(put(prefix + key, value));
      }
    }
    return Unit{};
  }

  Result<> put(const std::string& name, std::string value) {
    if (name.size() + value.size() + 2 > kTextBytesMax) return too_long(name);
    out.set(name, std::move(value));
    if (out.size_bytes() <= kEnvironmentBytesMax) return Unit{};
    return Error(Code::kInvalid, fmt::format("environment variable {}: with it the environment is "
                                             "larger than {} bytes",
                                             shown(name), kEnvironmentBytesMax));
  }

  static std::string shown(const std::string& name) {
    return name.size() <= kShownBytes ? name : name.substr(0, kShownBytes) + "...";
  }
  static Error too_long(const std::string& name) {
    return Error(Code::kInvalid, fmt::format("environment variable {}: it is longer than {} bytes",
                                             shown(name), kTextBytesMax));
  }

  Result<std::optional<std::string>> from_key(const json::Value& ref, bool secret) {
    const std::string name(json::string_at(ref, {"name"}));
    const std::string key(json::string_at(ref, {"key"}));
    const bool optional = json::bool_at(ref, {"optional"});
    const auto& all = secret ? sources.secrets : sources.config_maps;
    const auto object = all.find(name);
    const char* kind = secret ? "secret" : "configmap";
    if (object == all.end()) {
      if (optional) return std::optional<std::string>();
      return Error(Code::kInvalid, fmt::format("{} \"{}\" not found", kind, name));
    }
    const auto entry = object->second.find(key);
    if (entry == object->second.end()) {
      if (optional) return std::optional<std::string>();
      return Error(Code::kInvalid, fmt::format("couldn't find key {} in {} {}/{}", key,
                                               secret ? "Secret" : "ConfigMap", pod.ns, name));
    }
    TRY_OK(check_text(entry->second, secret, name, key));
    return std::optional<std::string>(entry->second);
  }

  // A variable ends at the first zero byte, and a runtime takes only text.
  Result<> check_text(const std::string& value, bool secret, const std::string& name,
                      const std::string& key) const {
    if (value.find('\0') == std::string::npos && valid_utf8(value)) return Unit{};
    return Error(Code::kInvalid,
                 fmt::format("key {} in {} {}/{} holds bytes that no environment variable can "
                             "hold: mount it as a volume",
                             key, secret ? "Secret" : "ConfigMap", pod.ns, name));
  }

  Result<std::optional<std::string>> value_from(const json::Value& from) {
    if (const json::Value* ref = json::find(from, {"configMapKeyRef"}))
      return from_key(*ref, false);
    if (const json::Value* ref = json::find(from, {"secretKeyRef"})) return from_key(*ref, true);
    if (const json::Value* ref = json::find(from, {"fieldRef"})) {
      TRY(std::string text, field_value(pod, facts, json::string_at(*ref, {"fieldPath"})));
      return std::optional<std::string>(std::move(text));
    }
    if (const json::Value* ref = json::find(from, {"resourceFieldRef"})) {
      const std::string of(json::string_at(*ref, {"containerName"}));
      const ContainerSpec* other = of.empty() ? nullptr : pod.find(of);
      const json::Value* divisor = json::find(*ref, {"divisor"});
      TRY(std::string text,
          resource_value(
              other ? other->doc : container, facts, json::string_at(*ref, {"resource"}),
              divisor && divisor->is_string() ? std::string_view(divisor->get_string()) : "1"));
      return std::optional<std::string>(std::move(text));
    }
    return Error(Code::kInvalid, "valueFrom names a source that this node does not know");
  }

  Result<> add(const json::Value& entry) {
    const std::string name(json::string_at(entry, {"name"}));
    if (const json::Value* from = json::find(entry, {"valueFrom"})) {
      TRY(auto value, value_from(*from));
      return value ? put(name, *std::move(value)) : Result<>(Unit{});
    }
    auto value = expand(json::string_at(entry, {"value"}), out);
    return value ? put(name, *std::move(value)) : Result<>(too_long(name));
  }
};

}  // namespace

void Environment::set(std::string name, std::string value) {
  const auto [place, fresh] = places_.emplace(name, items_.size());
  if (fresh) {
    size_bytes_ += name.size() + value.size() + 2;
    items_.emplace_back(std::move(name), std::move(value));
    return;
  }
  std::string& old = items_[place->second].second;
  size_bytes_ = size_bytes_ - old.size() + value.size();
  old = std::move(value);
}

const std::string* Environment::find(std::string_view name) const {
  const auto it = places_.find(name);
  return it == places_.end() ? nullptr : &items_[it->second].second;
}

std::vector<std::string> Environment::lines() const {
  std::vector<std::string> out;
  for (const auto& [key, value] : items_) out.push_back(key + "=" + value);
  return out;
}

Result<std::string> expand(std::string_view text, const Environment& environment) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    if (out.size() > kTextBytesMax) break;
    if (text[i] != '$' || i + 1 == text.size()) {
      out += text[i];
      continue;
    }
    if (text[i + 1] == '$') {  // an escaped dollar
      out += '$';
      ++i;
      continue;
    }
    const size_t end = text[i + 1] == '(' ? text.find(')', i + 2) : std::string_view::npos;
    if (end == std::string_view::npos) {
      out += text[i];
      continue;
    }
    const std::string_view name = text.substr(i + 2, end - i - 2);
    const std::string* value = environment.find(name);
    out += value ? *value : std::string(text.substr(i, end - i + 1));
    i = end;
  }
  if (out.size() > kTextBytesMax)
    return Error(Code::kInvalid, fmt::format("it is longer than {} bytes", kTextBytesMax));
  return out;
}

Result<std::string> field_value(const PodSpec& pod, const PodFacts& facts, std::string_view path) {
  const std::pair<std::string_view, std::string> plain[] = {
      {"metadata.name", pod.name},
      {"metadata.namespace", pod.ns},
      {"metadata.uid", pod.uid},
      {"spec.nodeName", facts.node_name},
      {"spec.serviceAccountName",
       std::string(json::string_at(pod.doc, {"spec", "serviceAccountName"}, "default"))},
      {"status.podIP", facts.pod_ip},
      {"status.podIPs", facts.pod_ip},
      {"status.hostIP", facts.host_ip},
      {"status.hostIPs", facts.host_ip},
  };
  for (const auto& [name, value] : plain) {
    if (path == name) return value;
  }
  for (const std::string_view map : {"labels", "annotations"}) {
    const std::string field = "metadata." + std::string(map);
    const json::Object& entries = json::object_at(pod.doc, {"metadata", map});
    if (path == field) return quoted_lines(entries);
    if (const auto key = subscript(path, field)) {
      const json::Value* value = entries.if_contains(*key);
      return value && value->is_string() ? std::string(value->get_string()) : std::string();
    }
  }
  return Error(Code::kInvalid, fmt::format("unsupported fieldPath: {}", path));
}

Result<std::string> resource_value(const json::Value& container, const PodFacts& facts,
                                   std::string_view resource, std::string_view divisor_text) {
  const size_t dot = resource.find('.');
  const std::string_view side = resource.substr(0, dot);
  const std::string_view what =
      dot == std::string_view::npos ? std::string_view() : resource.substr(dot + 1);
  if ((side != "limits" && side != "requests") || what.empty()) {
    return Error(Code::kInvalid, fmt::format("unsupported resource: {}", resource));
  }
  TRY(Quantity divisor,
      Quantity::parse(divisor_text.empty() || divisor_text == "0" ? "1" : divisor_text));
  Quantity amount;
  if (const auto given = quantity_at(container, {"resources", side, what})) {
    amount = *given;
  } else if (side == "limits" && what == "cpu") {
    amount = Quantity::of_milli(facts.node_milli_cpu);
  } else if (side == "limits" && what == "memory") {
    amount = Quantity::of(facts.node_memory_bytes);
  }
  const int64_t step = divisor.milli();
  if (step <= 0) return Error(Code::kInvalid, fmt::format("bad divisor: {}", divisor_text));
  // Memory in bytes times 1000 stays within int64 up to 9 PB.
  return std::to_string((amount.milli() + step - 1) / step);
}

EnvironmentNeeds needs_of(const json::Value& container) {
  EnvironmentNeeds needs;
  const auto add = [](std::vector<std::string>& to, std::string_view name) {
    if (!name.empty() && std::find(to.begin(), to.end(), name) == to.end()) to.emplace_back(name);
  };
  for (const json::Value& from : json::array_at(container, {"envFrom"})) {
    add(needs.config_maps, json::string_at(from, {"configMapRef", "name"}));
    add(needs.secrets, json::string_at(from, {"secretRef", "name"}));
  }
  for (const json::Value& entry : json::array_at(container, {"env"})) {
    add(needs.config_maps, json::string_at(entry, {"valueFrom", "configMapKeyRef", "name"}));
    add(needs.secrets, json::string_at(entry, {"valueFrom", "secretKeyRef", "name"}));
  }
  return needs;
}

Environment service_environment(const std::vector<api::ObjectPtr>& services,
                                const std::string& ns) {
  Environment out;
  for (const api::ObjectPtr& object : services) {
    if (object->ns() != ns && !(object->ns() == "default" && object->name() == "kubernetes"))
      continue;
    const json::Value doc = object->parse();
    const std::string ip(json::string_at(doc, {"spec", "clusterIP"}));
    const json::Array& ports = json::array_at(doc, {"spec", "ports"});
    if (ip.empty() || ip == "None" || ports.empty()) continue;
    const std::string prefix = variable_of(object->name());
    out.set(prefix + "_SERVICE_HOST", ip);
    out.set(prefix + "_SERVICE_PORT", std::to_string(json::int_at(ports[0], {"port"})));
    for (const json::Value& port : ports) {
      const std::string name(json::string_at(port, {"name"}));
      if (!name.empty()) {
        out.set(prefix + "_SERVICE_PORT_" + variable_of(name),
                std::to_string(json::int_at(port, {"port"})));
      }
    }
    for (size_t i = 0; i < ports.size(); ++i) {
      const std::string number = std::to_string(json::int_at(ports[i], {"port"}));
      std::string protocol(json::string_at(ports[i], {"protocol"}, "TCP"));
      const std::string upper = protocol;
      for (char& c : protocol) c = char(std::tolower(static_cast<unsigned char>(c)));
      const std::string url = protocol + "://" + ip + ":" + number;
      const std::string one = prefix + "_PORT_" + number + "_" + upper;
      if (i == 0) out.set(prefix + "_PORT", url);
      out.set(one, url);
      out.set(one + "_PROTO", protocol);
      out.set(one + "_PORT", number);
      out.set(one + "_ADDR", ip);
    }
  }
  return out;
}

Result<Environment> build_environment(const json::Value& container, const PodSpec& pod,
                                      const PodFacts& facts, const EnvironmentSources& sources,
                                      const std::vector<std::string>& image_env,
                                      const Environment& services) {
  Environment base;
  for (const std::string& line : image_env) {
    const size_t equals = line.find('=');
    base.set(line.substr(0, equals),
             equals == std::string::npos ? std::string() : line.substr(equals + 1));
  }
  for (const auto& [name, value] : services.items()) base.set(name, value);
  EnvironmentBuilder builder{container, pod, facts, sources, std::move(base)};
  if (builder.out.size_bytes() > kEnvironmentBytesMax)
    return Error(Code::kInvalid,
                 fmt::format("the environment of image and Services is larger than "
                             "{} bytes; enableServiceLinks: false spares the latter",
                             kEnvironmentBytesMax));
  for (const json::Value& from : json::array_at(container, {"envFrom"})) {
    TRY_OK(builder.add_from(from));
  }
  for (const json::Value& entry : json::array_at(container, {"env"})) TRY_OK(builder.add(entry));
  return std::move(builder.out);
}

std::map<std::string, std::string> decoded_data(const json::Value& object, DataParts parts) {
  const bool secret = json::string_at(object, {"kind"}) == "Secret";
  std::map<std::string, std::string> out;
  for (const std::string_view field : {"data", "binaryData"}) {
    if (field == "binaryData" && parts == DataParts::kText) break;
    for (const auto& [key, value] : json::object_at(object, {field})) {
      if (!value.is_string()) continue;
      const std::string_view text = value.get_string();
      if (!secret && field == "data") {
        out[key] = text;
      } else if (auto bytes = base64_decode(text)) {
        out[key] = *std::move(bytes);
      }
    }
  }
  return out;
}

}  // namespace atl::node
