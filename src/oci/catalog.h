#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "oci/image_store.h"

namespace atl::oci {

// What is on disk: images by id, names, holders. One JSON file, replaced atomically at each change
// (docs/formats/images.md). Owned by the image store; one executor.
class Catalog {
 public:
  struct Entry {
    Image image;
    bool pinned = false;
  };

  // An empty catalog where the file is missing; kInternal where it is damaged.
  static Result<Catalog> load(std::string file);

  const Entry* by_id(const std::string& id) const;
  // By normalized name, by name@digest, by id, or by an id's first 12 or more hex digits.
  const Entry* find(const std::string& name) const;
  std::vector<ImageSummary> list() const;
  bool held(const std::string& id) const;
  // Layers that some image needs.
  std::set<std::string> layers() const;
  const std::map<std::string, std::string>& holders() const { return holders_; }

  // Each writes the file before it returns; the change is undone where that fails.
  // An image leaves with its last name, unless it is held or pinned: then with its last holder.
  Result<> put(Image image, std::vector<std::string> names);
  Result<> remove_name(const std::string& name);
  Result<> pin(const std::string& id, bool pinned);
  Result<> hold(const std::string& holder, const std::string& id);
  Result<> release(const std::string& holder);
  Result<> keep_only(const std::set<std::string>& holders);

 private:
  explicit Catalog(std::string file) : file_(std::move(file)) {}
  Result<> parse(std::string_view bytes);
  Result<> save() const;
  template <class Change>
  Result<> change(Change change);
  void drop_unused();  // images without a name that nobody holds

  std::string file_;
  std::map<std::string, Entry> images_;         // by id
  std::map<std::string, std::string> names_;    // name → id
  std::map<std::string, std::string> holders_;  // holder → id
};

}  // namespace atl::oci
