#include "cli/manifests.h"

#include <algorithm>
#include <filesystem>

#include "base/io/files.h"
#include "base/text/yaml.h"

namespace atl::cli {
namespace {

namespace fs = std::filesystem;

bool is_manifest(const fs::path& path) {
  const std::string ending = path.extension();
  return ending == ".yaml" || ending == ".yml" || ending == ".json";
}

std::vector<std::string> expand(const std::string& file) {
  std::error_code error;
  if (!fs::is_directory(file, error)) return {file};
  std::vector<std::string> out;
  for (const auto& entry : fs::directory_iterator(file, error)) {
    if (entry.is_regular_file(error) && is_manifest(entry.path())) out.push_back(entry.path());
  }
  std::sort(out.begin(), out.end());
  return out;
}

void add(std::vector<json::Value>& out, json::Value document) {
  const bool list =
      json::string_at(document, {"kind"}).ends_with("List") && json::find(document, {"items"});
  if (!list) {
    out.push_back(std::move(document));
    return;
  }
  for (const json::Value& item : json::array_at(document, {"items"})) out.push_back(item);
}

}  // namespace

Result<std::vector<json::Value>> read_manifests(const std::vector<std::string>& files) {
  constexpr size_t kManifestsMax = 64 << 20;
  std::vector<json::Value> out;
  for (const std::string& named : files) {
    if (named.starts_with("http://") || named.starts_with("https://")) {
      return Error(Code::kInvalid, named + " is not fetched; do that first: curl -fsSL " + named +
                                       " | atoll apply -f -");
    }
    for (const std::string& file : expand(named)) {
      const std::string path = file == "-" ? "/dev/stdin" : file;
      TRY(const std::string text, io::read_file(path, kManifestsMax));
      auto documents = yaml::parse_all(text, {.max_bytes = kManifestsMax});
      if (!documents) return std::move(documents).error().during(file);
      for (json::Value& document : *documents) add(out, std::move(document));
    }
  }
  if (out.empty()) return Error(Code::kInvalid, "there is no object in the files given");
  return out;
}

}  // namespace atl::cli
