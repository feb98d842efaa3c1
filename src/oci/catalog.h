#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "oci/image_store.h"

namespace atl::oci {

// What is on disk: images by id, names, holders (docs/formats/images.md). Images and names are a
// JSON file that is durable before a change returns. Holders are containers, which end with the
// machine: each is an empty file whose name says it all, never synced, so that no start of a
// container waits for the disk. Owned by the image store; one executor.
class Catalog {
 public:
  struct Entry {
    Image image;
    bool pinned = false;
  };

  // An empty catalog where the file is missing; kInternal where it is damaged. Holders that cannot
  // be read are none.
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
  // kInvalid for a holder that is no file's name.
  Result<> hold(const std::string& holder, const std::string& id);
  Result<> release(const std::string& holder);
  Result<> keep_only(const std::set<std::string>& holders);

 private:
  explicit Catalog(std::string file) : file_(std::move(file)) {}
  Result<> parse(std::string_view bytes);
  std::string holders_folder() const { return file_ + ".holders"; }
  std::string holder_file(const std::string& holder, const std::string& id) const;
  void load_holders();
  Result<> save() const;
  template <class Change>
  Result<> change(Change change);
  // Nobody names, holds or pins it.
  bool leaves(const std::string& id) const;
  void drop_unused();

  std::string file_;
  std::map<std::string, Entry> images_;         // by id
  std::map<std::string, std::string> names_;    // name → id
  std::map<std::string, std::string> holders_;  // holder → id
};

}  // namespace atl::oci
