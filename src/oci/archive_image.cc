#include "oci/archive_image.h"

#include <charconv>

#include "base/io/files.h"
#include "base/text/json.h"
#include "oci/manifest.h"
#include "oci/reference.h"

namespace atl::oci {
namespace {

constexpr int kLinksMax = 10;

std::string blob_path(const std::string& digest) {
  return "blobs/sha256/" + digest.substr(digest.find(':') + 1);
}

// A blob of an OCI layout: its name promises its digest.
Result<std::string> read_blob(const ArchiveFiles& files, const Descriptor& descriptor) {
  TRY(const ArchiveFiles::File file, files.find(blob_path(descriptor.digest)));
  if (file.digest != descriptor.digest)
    return Error(Code::kInvalid,
                 "the archive's blob does not match its digest " + descriptor.digest);
  return files.read(blob_path(descriptor.digest));
}

Result<ArchivedImage> oci_image(const ArchiveFiles& files, Descriptor descriptor) {
  for (int depth = 0; depth < 3; ++depth) {
    TRY(const std::string bytes, read_blob(files, descriptor));
    TRY(const Manifest manifest, parse_manifest(bytes));
    if (manifest.is_index) {
      TRY(descriptor, choose_platform(manifest, machine_architecture()));
      continue;
    }
    ArchivedImage image{{}, descriptor.digest, blob_path(manifest.config.digest), {}};
    TRY_OK(read_blob(files, manifest.config));
    for (const Descriptor& layer : manifest.layers) {
      TRY(const ArchiveFiles::File file, files.find(blob_path(layer.digest)));
      if (file.digest != layer.digest)
        return Error(Code::kInvalid,
                     "the archive's layer does not match its digest " + layer.digest);
      image.layers.push_back(blob_path(layer.digest));
    }
    return image;
  }
  return Error(Code::kInvalid, "the archive nests indexes too deep");
}

Result<std::vector<ArchivedImage>> oci_layout(const ArchiveFiles& files) {
  TRY(const std::string bytes, files.read("index.json"));
  auto index = json::parse(bytes, {.max_depth = 32, .max_bytes = kManifestBytesMax});
  if (!index) return Error(Code::kInvalid, "the archive's index.json: " + index.error().message());
  std::vector<ArchivedImage> images;
  for (const json::Value& item : json::array_at(*index, {"manifests"})) {
    const std::string digest(json::string_at(item, {"digest"}));
    if (!is_digest(digest))
      return Error(Code::kInvalid,
                   "the archive's index.json names an entry without a sha256 digest");
    TRY(ArchivedImage image, oci_image(files, {"", digest, 0}));
    std::string_view name = json::string_at(item, {"annotations", "io.containerd.image.name"});
    if (name.empty())
      name = json::string_at(item, {"annotations", "org.opencontainers.image.ref.name"});
    if (!name.empty()) {
      TRY(const Reference reference, parse_reference(name));
      image.names.push_back(reference.text());
    }
    images.push_back(std::move(image));
  }
  return images;
}

Result<std::vector<ArchivedImage>> docker_archive(const ArchiveFiles& files) {
  TRY(const std::string bytes, files.read("manifest.json"));
  auto list = json::parse(bytes, {.max_depth = 32, .max_bytes = kManifestBytesMax});
  if (!list || !list->is_array())
    return Error(Code::kInvalid, "the archive's manifest.json is no list");
  std::vector<ArchivedImage> images;
  for (const json::Value& item : list->get_array()) {
    ArchivedImage image;
    TRY(image.config, clean_path(json::string_at(item, {"Config"})));
    for (const json::Value& layer : json::array_at(item, {"Layers"})) {
      if (!layer.is_string())
        return Error(Code::kInvalid, "the archive's manifest.json names a layer that is no path");
      TRY(std::string path, clean_path(std::string_view(layer.get_string())));
      image.layers.push_back(std::move(path));
    }
    for (const json::Value& tag : json::array_at(item, {"RepoTags"})) {
      if (!tag.is_string()) continue;
      TRY(const Reference reference, parse_reference(std::string_view(tag.get_string())));
      image.names.push_back(reference.text());
    }
    images.push_back(std::move(image));
  }
  return images;
}

}  // namespace

Result<ArchiveFiles> ArchiveFiles::parse(std::string_view listing, std::string folder) {
  ArchiveFiles out;
  for (size_t number = 0; !listing.empty(); ++number) {
    const size_t end = listing.find('\n');
    std::string_view line = listing.substr(0, end);
    listing = end == std::string_view::npos ? std::string_view() : listing.substr(end + 1);
    std::string_view fields[4];
    for (size_t i = 0; i < 4; ++i) {
      const size_t tab = i == 3 ? std::string_view::npos : line.find('\t');
      if (i < 3 && tab == std::string_view::npos)
        return Error(Code::kInvalid, "the unpacker's listing is damaged");
      fields[i] = line.substr(0, tab);
      if (i < 3) line = line.substr(tab + 1);
    }
    Member member{{folder + "/" + std::to_string(number), std::string(fields[0]), 0},
                  std::string(fields[3])};
    std::from_chars(fields[1].data(), fields[1].data() + fields[1].size(), member.file.size);
    out.members_[std::string(fields[2])] = std::move(member);
  }
  return out;
}

Result<ArchiveFiles::File> ArchiveFiles::find(const std::string& member) const {
  std::string at = member;
  for (int hop = 0; hop < kLinksMax; ++hop) {
    const auto it = members_.find(at);
    if (it == members_.end())
      return Error(Code::kInvalid, "the archive does not hold " + at.substr(0, 200));
    if (it->second.target.empty()) return it->second.file;
    at = it->second.target;
  }
  return Error(Code::kInvalid, "the archive's links go in circles at " + member.substr(0, 200));
}

Result<std::string> ArchiveFiles::read(const std::string& member) const {
  TRY(const File file, find(member));
  return io::read_file(file.path, kManifestBytesMax);
}

Result<std::vector<ArchivedImage>> images_in(const ArchiveFiles& files) {
  if (files.has("index.json")) return oci_layout(files);
  if (files.has("manifest.json")) return docker_archive(files);
  return Error(Code::kInvalid,
               "the archive is no image: it has neither manifest.json (docker save) nor index.json "
               "(OCI layout)");
}

}  // namespace atl::oci
