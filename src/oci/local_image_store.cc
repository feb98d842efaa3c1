#include "oci/local_image_store.h"

#include <algorithm>

#include "base/core/check.h"
#include "base/crypto/digest.h"
#include "oci/archive_image.h"
#include "oci/unpack_child.h"

namespace atl::oci {
namespace {

constexpr int kIndexDepthMax = 3;

// Counts while it lives.
class Counted {
 public:
  explicit Counted(size_t& count) : count_(count) { ++count_; }
  ~Counted() { --count_; }
  Counted(const Counted&) = delete;
  Counted& operator=(const Counted&) = delete;

 private:
  size_t& count_;
};

}  // namespace

std::string Image::status_id() const {
  const auto reference = parse_reference(name);
  return (reference ? reference->repository_name() : name) + "@" + digest;
}

LocalImageStore::LocalImageStore(Executor executor, Timer& timer, BlockingPool& pool,
                                 Catalog catalog, std::unique_ptr<LayerStore> layers)
    : executor_(std::move(executor)),
      timer_(timer),
      pool_(pool),
      catalog_(std::move(catalog)),
      layers_(std::move(layers)) {}

Result<std::unique_ptr<LocalImageStore>> LocalImageStore::open(Executor executor, Timer& timer,
                                                               Rng& rng, BlockingPool& pool,
                                                               LocalImageStoreOptions options) {
  auto layers = std::make_unique<LayerStore>(
      pool, rng, LayerStore::Options{options.folder, options.unpack_program});
  TRY_OK(layers->open());
  TRY(Catalog catalog, Catalog::load(options.folder + "/images.json"));
  auto store = std::unique_ptr<LocalImageStore>(
      new LocalImageStore(std::move(executor), timer, pool, std::move(catalog), std::move(layers)));
  store->collect();
  return store;
}

Result<Image> LocalImageStore::local(const std::string& ref) const {
  if (const Catalog::Entry* entry = catalog_.find(ref)) return entry->image;
  TRY(const Reference reference, parse_reference(ref));
  const Catalog::Entry* entry = catalog_.find(reference.text());
  if (!entry)
    return Error(Code::kNotFound, "the image " + reference.text() + " is not on this node");
  Image image = entry->image;
  image.name = reference.text();
  return image;
}

Task<Image> LocalImageStore::find(std::string ref) {
  co_return local(ref);
}

Task<Pulled> LocalImageStore::ensure(PullRequest request) {
  CO_TRY(const Reference reference, parse_reference(request.ref));
  auto here = local(request.ref);
  if (request.policy == PullPolicy::kNever && !here) {
    co_return Error(Code::kNotFound, "the image " + reference.text() +
                                         " is not on this node, and imagePullPolicy is Never");
  }
  if (here && request.policy != PullPolicy::kAlways) co_return Pulled{*std::move(here), true};
  CO_TRY(Image image, co_await pull_joined(reference, std::move(request)));
  const bool same = here && here->id == image.id;
  co_return Pulled{std::move(image), same};
}

Task<Image> LocalImageStore::pull_joined(Reference reference, PullRequest request) {
  const std::string name = reference.text();
  if (const auto it = pulls_.find(name); it != pulls_.end()) {
    const std::shared_ptr<Pull> other = it->second;
    if (!other->result) co_await other->done.wait();
    if (other->result && *other->result) co_return **other->result;
    // The other one failed, perhaps for want of our credentials: try ourselves.
  }
  const auto mine = std::make_shared<Pull>();
  pulls_[name] = mine;
  auto result = co_await pull(reference, std::move(request));
  mine->result = result;
  mine->done.notify();
  if (pulls_[name] == mine) pulls_.erase(name);
  co_return result;
}

Task<Image> LocalImageStore::pull(Reference reference, PullRequest request) {
  const Counted counted(incoming_);
  const MonoTime deadline = timer_.monotonic() + request.deadline;
  RegistryClient registry(executor_, timer_, reference, request.credentials, deadline);
  CO_TRY(auto fetched,
         co_await registry.manifest(reference.digest.empty() ? reference.tag : reference.digest));
  CO_TRY(Manifest manifest, parse_manifest(fetched.bytes));
  const std::string top_digest = fetched.digest;
  for (int depth = 0; manifest.is_index; ++depth) {
    if (depth == kIndexDepthMax)
      co_return Error(Code::kInvalid, "the image nests indexes too deep");
    CO_TRY(const Descriptor chosen, choose_platform(manifest, machine_architecture()));
    CO_TRY(fetched, co_await registry.manifest(chosen.digest));
    CO_TRY(manifest, parse_manifest(fetched.bytes));
  }
  CO_TRY(std::string config_bytes, co_await registry.blob(manifest.config));
  CO_TRY(const ParsedConfig config, parse_config(config_bytes));
  if (config.diff_ids.size() != manifest.layers.size())
    co_return Error(Code::kInvalid, "the image's config and manifest name different layers");
  uint64_t total = 0;
  for (const Descriptor& layer : manifest.layers) total += layer.size;
  for (size_t i = 0; i < manifest.layers.size(); ++i) {
    CO_TRY_OK(co_await fetch_layer(reference, request, manifest.layers[i], config.diff_ids[i],
                                   deadline, total));
  }
  co_return co_await keep(std::move(reference), top_digest, std::move(manifest),
                          std::move(config_bytes));
}

Task<> LocalImageStore::fetch_layer(Reference reference, PullRequest request, Descriptor layer,
                                    std::string diff_id, MonoTime deadline, uint64_t total) {
  if (layers_->has(diff_id)) co_return Unit{};
  RegistryClient registry(executor_, timer_, std::move(reference), request.credentials, deadline);
  CO_TRY(auto body, co_await registry.open_blob(layer));
  uint64_t done = 0;
  co_return co_await layers_->add(std::move(body), std::move(layer), std::move(diff_id),
                                  [&](uint64_t more) {
                                    done += more;
                                    if (request.progress) request.progress(done, total);
                                  });
}

Task<Image> LocalImageStore::keep(Reference reference, std::string manifest_digest,
                                  Manifest manifest, std::string config_bytes) {
  CO_TRY(ParsedConfig config, parse_config(config_bytes));
  Image image;
  image.id = manifest.config.digest;
  image.digest = manifest_digest;
  image.name = reference.text();
  image.config = std::move(config.config);
  image.layers = std::move(config.diff_ids);
  for (const std::string& layer : image.layers) image.size_bytes += layers_->bytes(layer);
  CO_TRY_OK(catalog_.put(image, {reference.text()}));
  co_return image;
}

Task<std::vector<Image>> LocalImageStore::load_archive(std::shared_ptr<net::BodyReader> archive) {
  const Counted counted(incoming_);
  CO_TRY(const LayerStore::Scratch scratch, layers_->scratch());
  CO_TRY(const auto child, UnpackChild::start(pool_, layers_->program(), UnpackChild::Job::kArchive,
                                              scratch.path(), -1));
  for (;;) {
    CO_TRY(std::string piece, co_await archive->read_some());
    if (piece.empty()) break;
    CO_TRY_OK(co_await child->feed(std::move(piece)));
  }
  CO_TRY(const std::string listing, co_await child->finish());
  CO_TRY(const ArchiveFiles files, ArchiveFiles::parse(listing, scratch.path()));
  CO_TRY(const auto archived, images_in(files));
  std::vector<Image> images;
  for (const ArchivedImage& item : archived) {
    CO_TRY(const std::string config_bytes, files.read(item.config));
    CO_TRY(ParsedConfig config, parse_config(config_bytes));
    if (config.diff_ids.size() != item.layers.size())
      co_return Error(Code::kInvalid, "the image's config and manifest name different layers");
    for (size_t i = 0; i < item.layers.size(); ++i) {
      CO_TRY(const ArchiveFiles::File file, files.find(item.layers[i]));
      CO_TRY_OK(co_await layers_->add_file(file.path, config.diff_ids[i]));
    }
    Image image;
    image.id = "sha256:" + crypto::sha256_hex(config_bytes);
    image.digest = item.manifest_digest.empty() ? image.id : item.manifest_digest;
    image.name = item.names.empty() ? image.id : item.names.front();
    image.config = std::move(config.config);
    image.layers = std::move(config.diff_ids);
    for (const std::string& layer : image.layers) image.size_bytes += layers_->bytes(layer);
    // Without a name it would be collected at once: its id is its name then.
    CO_TRY_OK(
        catalog_.put(image, item.names.empty() ? std::vector<std::string>{image.id} : item.names));
    images.push_back(std::move(image));
  }
  if (images.empty()) co_return Error(Code::kInvalid, "the archive holds no image");
  co_return images;
}

Task<std::vector<ImageSummary>> LocalImageStore::list() {
  co_return catalog_.list();
}

Task<> LocalImageStore::remove(std::string ref) {
  CO_TRY(const Image image, local(ref));
  if (catalog_.held(image.id))
    co_return Error(Code::kConflict,
                    "the image " + ref + " is used by a container; delete its pod first");
  std::vector<std::string> names;
  const auto reference = parse_reference(ref);
  for (const ImageSummary& row : catalog_.list()) {
    if (row.id == image.id) names = row.names;
  }
  // A name removes that name; an id removes the image with all its names.
  const bool by_name =
      reference && std::find(names.begin(), names.end(), reference->text()) != names.end();
  if (by_name) names = {reference->text()};
  for (const std::string& name : names) CO_TRY_OK(catalog_.remove_name(name));
  collect();
  co_return Unit{};
}

Task<LayerMounts> LocalImageStore::hold(std::string image_id, std::string holder) {
  const Catalog::Entry* entry = catalog_.by_id(image_id);
  if (!entry) co_return Error(Code::kNotFound, "the image " + image_id + " is not on this node");
  const std::vector<std::string> layers = entry->image.layers;
  CO_TRY_OK(catalog_.hold(holder, image_id));
  LayerMounts mounts;
  for (const std::string& layer : layers) {
    CO_TRY(std::string point, layers_->mount(layer));
    mounts.lower_dirs.insert(mounts.lower_dirs.begin(), std::move(point));  // top first
  }
  co_return mounts;
}

Task<> LocalImageStore::release(std::string holder) {
  CO_TRY_OK(catalog_.release(holder));
  collect();
  co_return Unit{};
}

Task<> LocalImageStore::keep_only(std::vector<std::string> holders) {
  CO_TRY_OK(catalog_.keep_only({holders.begin(), holders.end()}));
  collect();
  co_return Unit{};
}

Task<> LocalImageStore::pin(std::string image_id, bool pinned) {
  CO_TRY_OK(catalog_.pin(image_id, pinned));
  co_return Unit{};
}

// Layers that no image needs go; while something is on its way in, its layers have no image yet.
void LocalImageStore::collect() {
  if (incoming_ == 0) layers_->remove_others(catalog_.layers());
}

}  // namespace atl::oci
