#pragma once

#include <map>
#include <memory>
#include <string>

#include "base/async/event.h"
#include "base/async/timer.h"
#include "oci/catalog.h"
#include "oci/image_store.h"
#include "oci/layer_store.h"
#include "oci/registry_client.h"

namespace atl::oci {

struct LocalImageStoreOptions {
  std::string folder;          // <data>/agent/images
  std::string unpack_program;  // <lib>/atoll-unpack
};

// The images of this node on its own disk: catalog.h says which, layer_store.h holds their bytes.
class LocalImageStore final : public ImageStore {
 public:
  static Result<std::unique_ptr<LocalImageStore>> open(Executor executor, Timer& timer, Rng& rng,
                                                       BlockingPool& pool,
                                                       LocalImageStoreOptions options);

  Task<Pulled> ensure(PullRequest request) override;
  Task<Image> find(std::string ref) override;
  Task<std::vector<Image>> load_archive(std::shared_ptr<net::BodyReader> archive) override;
  Task<std::vector<ImageSummary>> list() override;
  Task<> remove(std::string ref) override;
  Task<LayerMounts> hold(std::string image_id, std::string holder) override;
  Task<> release(std::string holder) override;
  Task<> keep_only(std::vector<std::string> holders) override;
  Task<> pin(std::string image_id, bool pinned) override;

 private:
  LocalImageStore(Executor executor, Timer& timer, BlockingPool& pool, Catalog catalog,
                  std::unique_ptr<LayerStore> layers);

  // One at a time for each reference; the others wait and take the result.
  struct Pull {
    Event done;
    std::optional<Result<Image>> result;
  };
  Task<Image> pull_joined(Reference reference, PullRequest request);
  Task<Image> pull(Reference reference, PullRequest request);
  Task<Image> keep(Reference reference, std::string manifest_digest, Manifest manifest,
                   std::string config_bytes);
  Task<> fetch_layer(Reference reference, PullRequest request, Descriptor layer,
                     std::string diff_id, MonoTime deadline, uint64_t total);
  Result<Image> local(const std::string& ref) const;
  void collect();

  Executor executor_;
  Timer& timer_;
  BlockingPool& pool_;
  Catalog catalog_;
  std::unique_ptr<LayerStore> layers_;
  std::map<std::string, std::shared_ptr<Pull>> pulls_;
  size_t incoming_ = 0;  // pulls and loads under way: nothing is collected meanwhile
};

}  // namespace atl::oci
