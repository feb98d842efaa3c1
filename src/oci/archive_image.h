#pragma once

#include <map>
#include <string>
#include <vector>

#include "base/core/result.h"
#include "oci/unpack/unpack.h"

namespace atl::oci {

// The files of an unpacked archive (atoll-unpack archive), by their path in it.
class ArchiveFiles {
 public:
  // `listing` is what the child printed, `folder` where it wrote. kInvalid where a line is odd.
  static Result<ArchiveFiles> parse(std::string_view listing, std::string folder);

  struct File {
    std::string path;    // on disk
    std::string digest;  // of its bytes
    uint64_t size = 0;
  };
  // Follows links, at most ten. kInvalid where there is none.
  Result<File> find(const std::string& member) const;
  bool has(const std::string& member) const { return find(member).has_value(); }
  // A small document of it.
  Result<std::string> read(const std::string& member) const;

 private:
  struct Member {
    File file;
    std::string target;
  };
  std::map<std::string, Member> members_;
};

// One image that an archive holds: where its config and layers are among the files.
struct ArchivedImage {
  std::vector<std::string> names;   // normalized; may be empty
  std::string manifest_digest;      // OCI layouts; empty for Docker archives
  std::string config;               // member path
  std::vector<std::string> layers;  // member paths, lowest first
};
// Docker's manifest.json, or an OCI layout's index.json. kInvalid where it is neither, or a digest
// differs.
Result<std::vector<ArchivedImage>> images_in(const ArchiveFiles& files);

}  // namespace atl::oci
