#include "oci/catalog.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>

#include "base/io/files.h"
#include "base/text/json.h"

namespace atl::oci {
namespace {

json::Array to_json(const std::vector<std::string>& list) {
  json::Array out;
  for (const std::string& item : list) out.emplace_back(item);
  return out;
}

std::vector<std::string> from_json(const json::Value& root, json::Path path) {
  std::vector<std::string> out;
  for (const json::Value& item : json::array_at(root, path)) {
    if (item.is_string()) out.emplace_back(item.get_string());
  }
  return out;
}

json::Value encode(const Catalog::Entry& entry) {
  const Image& image = entry.image;
  json::Object out;
  out["id"] = image.id;
  out["digest"] = image.digest;
  out["name"] = image.name;
  out["layers"] = to_json(image.layers);
  out["size"] = image.size_bytes;
  out["pinned"] = entry.pinned;
  json::Object config;
  config["entrypoint"] = to_json(image.config.entrypoint);
  config["command"] = to_json(image.config.command);
  config["env"] = to_json(image.config.env);
  config["user"] = image.config.user;
  config["workingDir"] = image.config.working_dir;
  config["stopSignal"] = image.config.stop_signal;
  config["ports"] = to_json(image.config.exposed_ports);
  out["config"] = std::move(config);
  return out;
}

Catalog::Entry decode(const json::Value& value) {
  Catalog::Entry entry;
  Image& image = entry.image;
  image.id = json::string_at(value, {"id"});
  image.digest = json::string_at(value, {"digest"});
  image.name = json::string_at(value, {"name"});
  image.layers = from_json(value, {"layers"});
  image.size_bytes = uint64_t(json::int_at(value, {"size"}));
  entry.pinned = json::bool_at(value, {"pinned"});
  image.config = {from_json(value, {"config", "entrypoint"}),
                  from_json(value, {"config", "command"}),
                  from_json(value, {"config", "env"}),
                  std::string(json::string_at(value, {"config", "user"})),
                  std::string(json::string_at(value, {"config", "workingDir"})),
                  std::string(json::string_at(value, {"config", "stopSignal"})),
                  from_json(value, {"config", "ports"})};
  return entry;
}

json::Object encode(const std::map<std::string, std::string>& map) {
  json::Object out;
  for (const auto& [key, value] : map) out[key] = value;
  return out;
}

std::map<std::string, std::string> decode_map(const json::Object& object) {
  std::map<std::string, std::string> out;
  for (const auto& [key, value] : object) {
    if (value.is_string()) out[std::string(key)] = std::string(value.get_string());
  }
  return out;
}

}  // namespace

Result<Catalog> Catalog::load(std::string file) {
  Catalog catalog(file);
  auto bytes = io::read_file(file);
  if (!bytes && bytes.error().code() == Code::kNotFound) return catalog;
  if (!bytes) return std::move(bytes).error();
  TRY_OK(catalog.parse(*bytes));
  catalog.load_holders();
  return catalog;
}

Result<> Catalog::parse(std::string_view bytes) {
  auto document = json::parse(bytes, {.max_bytes = 64 << 20});
  if (!document)
    return Error(Code::kInternal, file_ + " is damaged (" + document.error().message() +
                                      "); remove it and load the images again");
  for (const json::Value& item : json::array_at(*document, {"images"})) {
    Entry entry = decode(item);
    images_[entry.image.id] = std::move(entry);
  }
  names_ = decode_map(json::object_at(*document, {"names"}));
  return Unit{};
}

Result<> Catalog::save() const {
  json::Object document;
  json::Array images;
  for (const auto& [id, entry] : images_) images.push_back(encode(entry));
  document["images"] = std::move(images);
  document["names"] = encode(names_);
  return io::write_file_atomic(file_, json::serialize(document), 0600);
}

// "<holder>@<64 hex digits>".
std::string Catalog::holder_file(const std::string& holder, const std::string& id) const {
  return holders_folder() + "/" + holder + "@" + id.substr(id.find(':') + 1);
}

void Catalog::load_holders() {
  std::error_code none;
  for (const auto& entry : std::filesystem::directory_iterator(holders_folder(), none)) {
    const std::string name = entry.path().filename();
    const size_t at = name.find('@');
    if (at != std::string::npos) holders_[name.substr(0, at)] = "sha256:" + name.substr(at + 1);
  }
}

template <class Change>
Result<> Catalog::change(Change change) {
  const Catalog before = *this;
  change();
  if (auto saved = save(); !saved) {
    *this = before;
    return std::move(saved).error().during("record the images");
  }
  return Unit{};
}

const Catalog::Entry* Catalog::by_id(const std::string& id) const {
  const auto it = images_.find(id);
  return it == images_.end() ? nullptr : &it->second;
}

const Catalog::Entry* Catalog::find(const std::string& name) const {
  if (const auto it = names_.find(name); it != names_.end()) return by_id(it->second);
  if (const Entry* entry = by_id(name)) return entry;
  if (const size_t at = name.find("@sha256:"); at != std::string::npos) {
    const std::string digest = name.substr(at + 1);
    for (const auto& [id, entry] : images_) {
      if (entry.image.digest == digest) return &entry;
    }
  }
  constexpr size_t kShortIdMin = 12;
  if (name.size() >= kShortIdMin &&
      name.find_first_not_of("0123456789abcdef") == std::string::npos) {
    for (const auto& [id, entry] : images_) {
      if (id.starts_with("sha256:" + name)) return &entry;
    }
  }
  return nullptr;
}

bool Catalog::held(const std::string& id) const {
  return std::any_of(holders_.begin(), holders_.end(),
                     [&](const auto& pair) { return pair.second == id; });
}

std::vector<ImageSummary> Catalog::list() const {
  std::vector<ImageSummary> out;
  for (const auto& [id, entry] : images_) {
    ImageSummary row{id, entry.image.digest, {}, entry.image.size_bytes, entry.pinned || held(id)};
    for (const auto& [name, target] : names_) {
      if (target == id) row.names.push_back(name);
    }
    out.push_back(std::move(row));
  }
  return out;
}

std::set<std::string> Catalog::layers() const {
  std::set<std::string> out;
  for (const auto& [id, entry] : images_)
    out.insert(entry.image.layers.begin(), entry.image.layers.end());
  return out;
}

bool Catalog::leaves(const std::string& id) const {
  const Entry* entry = by_id(id);
  return entry && !entry->pinned && !held(id) &&
         std::none_of(names_.begin(), names_.end(),
                      [&](const auto& pair) { return pair.second == id; });
}

void Catalog::drop_unused() {
  std::erase_if(images_, [&](const auto& pair) { return leaves(pair.first); });
}

Result<> Catalog::put(Image image, std::vector<std::string> names) {
  return change([&] {
    for (const std::string& name : names) names_[name] = image.id;
    Entry& entry = images_[image.id];
    entry.image = std::move(image);
    drop_unused();
  });
}

Result<> Catalog::remove_name(const std::string& name) {
  if (!names_.contains(name)) return Error(Code::kNotFound, "no image is called " + name);
  return change([&] {
    names_.erase(name);
    drop_unused();
  });
}

Result<> Catalog::pin(const std::string& id, bool pinned) {
  if (!by_id(id)) return Error(Code::kNotFound, "there is no image " + id);
  return change([&] { images_[id].pinned = pinned; });
}

Result<> Catalog::hold(const std::string& holder, const std::string& id) {
  const auto it = holders_.find(holder);
  if (it != holders_.end() && it->second == id) return Unit{};
  if (holder.empty() || holder.find_first_of("/@") != std::string::npos)
    return Error(Code::kInvalid, "an image cannot be held by \"" + holder + "\"");
  const std::string file = holder_file(holder, id);
  const auto make = [&file] { return ::open(file.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600); };
  io::UniqueFd fd(make());
  if (!fd && errno == ENOENT) {
    TRY_OK(io::make_folders(holders_folder(), 0700));
    fd.reset(make());
  }
  if (!fd) return io::errno_error("hold an image: " + file, errno);
  if (it != holders_.end()) ::unlink(holder_file(holder, it->second).c_str());
  holders_[holder] = id;
  return Unit{};
}

Result<> Catalog::release(const std::string& holder) {
  const auto it = holders_.find(holder);
  if (it == holders_.end()) return Unit{};
  const std::string id = it->second;
  ::unlink(holder_file(holder, id).c_str());
  holders_.erase(it);
  return leaves(id) ? change([&] { drop_unused(); }) : Result<>(Unit{});
}

Result<> Catalog::keep_only(const std::set<std::string>& keep) {
  bool any_leaves = false;
  for (auto it = holders_.begin(); it != holders_.end();) {
    if (keep.contains(it->first)) {
      ++it;
      continue;
    }
    const std::string id = it->second;
    ::unlink(holder_file(it->first, id).c_str());
    it = holders_.erase(it);
    any_leaves = any_leaves || leaves(id);
  }
  return any_leaves ? change([&] { drop_unused(); }) : Result<>(Unit{});
}

}  // namespace atl::oci
