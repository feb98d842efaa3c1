#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>

#include "base/async/blocking_pool.h"
#include "base/async/task.h"
#include "base/core/rng.h"
#include "base/net/http.h"
#include "oci/manifest.h"

namespace atl::oci {

// The layers of a node: one EROFS file for each diff id, and its read-only mount. Owned by the
// image store; one executor, disk work on the pool. A layer is fetched once however many images ask
// for it.
class LayerStore {
 public:
  struct Options {
    std::string folder;   // layers/, mnt/, tmp/ below it
    std::string program;  // atoll-unpack
  };
  LayerStore(BlockingPool& pool, Rng& rng, Options options);

  // Makes the folders and removes what an interrupted pull left behind.
  Result<> open();

  bool has(const std::string& diff_id) const;
  // Unpacks a compressed layer as it arrives. `expected`: the descriptor's digest and size (of the
  // compressed bytes; empty digest: not checked); kInvalid where anything differs.
  Task<> add(std::shared_ptr<net::BodyReader> body, Descriptor expected, std::string diff_id,
             std::function<void(uint64_t)> progress);
  // The same from a file of an unpacked archive.
  Task<> add_file(std::string path, std::string diff_id);
  uint64_t bytes(const std::string& diff_id) const;

  // Where the layer is mounted, mounted now if it was not.
  Result<std::string> mount(const std::string& diff_id);
  // Unmounts and deletes layers that are not in `keep`.
  void remove_others(const std::set<std::string>& keep);

  // An empty folder of its own for a child, removed with the handle.
  class Scratch {
   public:
    static Result<Scratch> make(const std::string& parent, Rng& rng);
    Scratch(Scratch&& other) noexcept : path_(std::exchange(other.path_, {})) {}
    ~Scratch();
    const std::string& path() const { return path_; }

   private:
    explicit Scratch(std::string path) : path_(std::move(path)) {}
    std::string path_;
  };
  Result<Scratch> scratch();
  const std::string& program() const { return options_.program; }

 private:
  class Incoming;
  std::string file(const std::string& diff_id) const;
  std::string mount_point(const std::string& diff_id) const;
  Result<> check_alone(const std::string& diff_id);

  BlockingPool& pool_;
  Rng& rng_;
  Options options_;
  std::map<std::string, std::string> by_mount_name_;  // → the diff id that was looked at
};

}  // namespace atl::oci
