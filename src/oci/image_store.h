#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/async/task.h"
#include "base/core/clock.h"
#include "base/net/http.h"

// Images of this node: content-addressed, verified, one EROFS file for each layer.
namespace atl::oci {

// Container.imagePullPolicy.
enum class PullPolicy : uint8_t { kAlways, kIfNotPresent, kNever };

// What an image says about its process; OCI image-spec, config.md.
struct ImageConfig {
  std::vector<std::string> entrypoint;
  std::vector<std::string> command;
  std::vector<std::string> env;            // "KEY=value"
  std::string user;                        // "", "app", "1000", "1000:1000", "app:staff"
  std::string working_dir;                 // empty: "/"
  std::string stop_signal;                 // "SIGQUIT", "9"; empty: SIGTERM
  std::vector<std::string> exposed_ports;  // "80/tcp"
};

// An image that is completely on disk. Value type.
struct Image {
  std::string id;  // "sha256:..." of the config: what containerStatuses[].imageID is built from
  std::string
      digest;  // "sha256:..." of the manifest; of the config where it came from a Docker archive
  std::string name;  // normalized: "docker.io/library/redis:7", or name@sha256:...
  ImageConfig config;
  std::vector<std::string> layers;  // diff ids, lowest first
  uint64_t size_bytes = 0;          // on disk

  // What a pod's status shows: "docker.io/library/redis@sha256:...".
  std::string status_id() const;
};

// One row of the image list; names may be several, or none (an image that lost its tag).
struct ImageSummary {
  std::string id;
  std::string digest;
  std::vector<std::string> names;
  uint64_t size_bytes = 0;
  bool in_use = false;  // pinned, or held by a container
};

// A login for one registry, from an imagePullSecret. The password enters no log.
struct Credentials {
  std::string registry;  // host[:port], "docker.io"
  std::string username;
  std::string password;
};

struct PullRequest {
  std::string ref;  // as a user writes it: "redis", "ghcr.io/a/b:1", "x@sha256:..."
  PullPolicy policy = PullPolicy::kIfNotPresent;
  std::vector<Credentials> credentials;  // tried in order, then without
  // Called on the store's executor: bytes fetched and bytes expected (0: not known yet).
  std::function<void(uint64_t done, uint64_t total)> progress;
  Duration deadline = std::chrono::minutes(15);
};

// Whether the store had to fetch; a pod's events tell the two apart.
struct Pulled {
  Image image;
  bool was_present = false;
};

// Directories to stack, ready for overlayfs: `lower_dirs` top first, each a read-only mount shared
// by all containers of the node. Mounted in the agent's own mount namespace (the host's).
struct LayerMounts {
  std::vector<std::string> lower_dirs;
};

// The node's images. One executor; pulls of the same image or layer are joined. Lives as long as
// the agent.
class ImageStore {
 public:
  virtual ~ImageStore() = default;

  // The image, fetched if the policy asks for it. kNotFound: no such image (or kNever and not
  // here), kForbidden: the registry refuses these credentials, kBadRequest: `ref` is no reference,
  // kUnavailable: the registry cannot be reached, kInvalid: a digest does not match or the image is
  // for another platform, kExhausted: no disk space.
  virtual Task<Pulled> ensure(PullRequest request) = 0;
  // What is here, or kNotFound; never goes to the network.
  virtual Task<Image> find(std::string ref) = 0;
  // Reads a Docker or OCI archive (plain, gzip or zstd tar) and names what it holds; verified like
  // a pull.
  virtual Task<std::vector<Image>> load_archive(std::shared_ptr<net::BodyReader> archive) = 0;
  virtual Task<std::vector<ImageSummary>> list() = 0;
  // Removes a name; the content goes with the last name unless held. kConflict while a container
  // holds it.
  virtual Task<> remove(std::string ref) = 0;

  // Mounts the layers of an image and holds them for `holder` (a container's id) until release().
  // Idempotent; holders survive a restart of the agent, so that nothing in use is collected
  // meanwhile.
  virtual Task<LayerMounts> hold(std::string image_id, std::string holder) = 0;
  virtual Task<> release(std::string holder) = 0;
  // After a restart: releases every holder that is not in the list.
  virtual Task<> keep_only(std::vector<std::string> holders) = 0;
  // A pinned image is never collected.
  virtual Task<> pin(std::string image_id, bool pinned) = 0;
};

}  // namespace atl::oci
