#include "oci/manifest.h"

#include <fmt/format.h>

#include "oci/reference.h"

namespace atl::oci {
namespace {

Error bad(std::string why) {
  return Error(Code::kInvalid, "the image's manifest is invalid: " + std::move(why));
}

Result<Descriptor> read_descriptor(const json::Value& value, std::string_view where) {
  Descriptor out{std::string(json::string_at(value, {"mediaType"})),
                 std::string(json::string_at(value, {"digest"})), 0};
  const int64_t size = json::int_at(value, {"size"}, -1);
  if (!is_digest(out.digest)) return bad(fmt::format("{} has no sha256 digest", where));
  if (size < 0) return bad(fmt::format("{} has no size", where));
  out.size = uint64_t(size);
  return out;
}

std::vector<std::string> strings(const json::Value& root, json::Path path) {
  std::vector<std::string> out;
  for (const json::Value& item : json::array_at(root, path)) {
    if (item.is_string()) out.emplace_back(item.get_string());
  }
  return out;
}

}  // namespace

Result<Manifest> parse_manifest(std::string_view bytes) {
  auto document = json::parse(bytes, {.max_depth = 32, .max_bytes = kManifestBytesMax});
  if (!document) return bad(document.error().message());
  Manifest out;
  const json::Array& manifests = json::array_at(*document, {"manifests"});
  const json::Array& layers = json::array_at(*document, {"layers"});
  out.is_index = json::find(*document, {"manifests"}) != nullptr;
  if (out.is_index && json::find(*document, {"layers"}))
    return bad("it is a manifest and an index at once");
  if (manifests.size() > kLayersMax || layers.size() > kLayersMax)
    return bad(fmt::format("more than {} entries", kLayersMax));
  if (out.is_index) {
    for (const json::Value& item : manifests) {
      TRY(Descriptor descriptor, read_descriptor(item, "an entry of the index"));
      out.manifests.push_back({std::move(descriptor),
                               std::string(json::string_at(item, {"platform", "os"})),
                               std::string(json::string_at(item, {"platform", "architecture"}))});
    }
    return out;
  }
  const json::Value* config = json::find(*document, {"config"});
  if (!config) return bad("it names no config (schema 1 images are not supported)");
  TRY(out.config, read_descriptor(*config, "the config"));
  for (const json::Value& item : layers) {
    TRY(Descriptor descriptor, read_descriptor(item, "a layer"));
    out.layers.push_back(std::move(descriptor));
  }
  return out;
}

Result<Descriptor> choose_platform(const Manifest& index, std::string_view architecture) {
  std::string seen;
  for (const Manifest::Entry& entry : index.manifests) {
    const bool unsaid =
        entry.os.empty() && entry.architecture.empty() && index.manifests.size() == 1;
    if (unsaid || (entry.os == "linux" && entry.architecture == architecture))
      return entry.descriptor;
    if (entry.os != "unknown")
      seen += (seen.empty() ? "" : ", ") + entry.os + "/" + entry.architecture;
  }
  return Error(Code::kInvalid,
               fmt::format("the image has no version for linux/{}, only: {}", architecture, seen));
}

Result<ParsedConfig> parse_config(std::string_view bytes) {
  auto document = json::parse(bytes, {.max_depth = 64, .max_bytes = kManifestBytesMax});
  if (!document)
    return Error(Code::kInvalid, "the image's config is invalid: " + document.error().message());
  const json::Value& d = *document;
  ParsedConfig out;
  out.os = json::string_at(d, {"os"});
  out.architecture = json::string_at(d, {"architecture"});
  out.diff_ids = strings(d, {"rootfs", "diff_ids"});
  for (const std::string& id : out.diff_ids) {
    if (!is_digest(id))
      return Error(Code::kInvalid, "the image's config is invalid: a diff id is no sha256 digest");
  }
  if (!out.os.empty() && out.os != "linux")
    return Error(Code::kInvalid, "the image is for " + out.os + ", not linux");
  if (!out.architecture.empty() && out.architecture != machine_architecture()) {
    return Error(Code::kInvalid, fmt::format("the image is for {}, this machine is {}",
                                             out.architecture, machine_architecture()));
  }
  out.config.entrypoint = strings(d, {"config", "Entrypoint"});
  out.config.command = strings(d, {"config", "Cmd"});
  out.config.env = strings(d, {"config", "Env"});
  out.config.user = json::string_at(d, {"config", "User"});
  out.config.working_dir = json::string_at(d, {"config", "WorkingDir"});
  out.config.stop_signal = json::string_at(d, {"config", "StopSignal"});
  for (const auto& [port, unused] : json::object_at(d, {"config", "ExposedPorts"}))
    out.config.exposed_ports.emplace_back(port);
  return out;
}

std::string_view machine_architecture() {
#if defined(__x86_64__)
  return "amd64";
#elif defined(__aarch64__)
  return "arm64";
#else
#error "say what images call this processor"
#endif
}

}  // namespace atl::oci
