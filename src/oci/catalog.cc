#include "oci/catalog.h"

#include <algorithm>

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
  holders_ = decode_map(json::object_at(*document, {"holders"}));
  return Unit{};
}

Result<> Catalog::save() const {
  json::Object document;
  json::Array images;
  for (const auto& [id, entry] : images_) images.push_back(encode(entry));
  document["images"] = std::move(images);
  document["names"] = encode(names_);
  document["holders"] = encode(holders_);
  return io::write_file_atomic(file_, json::serialize(document), 0600);
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

void Catalog::drop_unused() {
  std::set<std::string> named;
  for (const auto& [name, id] : names_) named.insert(id);
  std::erase_if(images_, [&](const auto& pair) {
    return !named.contains(pair.first) && !pair.second.pinned && !held(pair.first);
  });
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
  if (const auto it = holders_.find(holder); it != holders_.end() && it->second == id)
    return Unit{};
  return change([&] { holders_[holder] = id; });
}

Result<> Catalog::release(const std::string& holder) {
  if (!holders_.contains(holder)) return Unit{};
  return change([&] {
    holders_.erase(holder);
    drop_unused();
  });
}

Result<> Catalog::keep_only(const std::set<std::string>& holders) {
  const bool all = std::all_of(holders_.begin(), holders_.end(),
                               [&](const auto& pair) { return holders.contains(pair.first); });
  if (all) return Unit{};
  return change([&] {
    std::erase_if(holders_, [&](const auto& pair) { return !holders.contains(pair.first); });
    drop_unused();
  });
}

}  // namespace atl::oci
