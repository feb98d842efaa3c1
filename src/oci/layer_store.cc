#include "oci/layer_store.h"

#include <fcntl.h>
#include <linux/loop.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>

#include "base/crypto/digest.h"
#include "base/io/files.h"
#include "oci/unpack_child.h"

namespace atl::oci {
namespace {

namespace fs = std::filesystem;

constexpr uid_t kUnpackUser = 65534;  // whom atoll-unpack becomes
// Of the diff id: lower paths stay short in overlay's options. Fewer could be forged: two layers
// that begin alike, of which one is then taken for the other.
constexpr size_t kMountNameDigits = 32;

std::string hex_of(const std::string& diff_id) {
  return diff_id.substr(diff_id.find(':') + 1);
}

bool is_mounted(const std::string& path) {
  struct stat here{}, above{};
  if (::stat(path.c_str(), &here) != 0 || ::stat((path + "/..").c_str(), &above) != 0) return false;
  return here.st_dev != above.st_dev;
}

// Before Linux 6.12 EROFS mounts block devices only: a loop device that vanishes with its mount.
Result<> mount_by_loop(const std::string& file, const std::string& point) {
  const io::UniqueFd image(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
  const io::UniqueFd control(::open("/dev/loop-control", O_RDWR | O_CLOEXEC));
  if (!image || !control) return io::errno_error("open a loop device", errno);
  const int number = ::ioctl(control.get(), LOOP_CTL_GET_FREE);
  if (number < 0) return io::errno_error("find a free loop device", errno);
  const std::string device = "/dev/loop" + std::to_string(number);
  const io::UniqueFd loop(::open(device.c_str(), O_RDONLY | O_CLOEXEC));
  if (!loop) return io::errno_error("open " + device, errno);
  loop_config config{};
  config.fd = uint32_t(image.get());
  config.info.lo_flags = LO_FLAGS_READ_ONLY | LO_FLAGS_AUTOCLEAR;
  if (::ioctl(loop.get(), LOOP_CONFIGURE, &config) != 0)
    return io::errno_error("set up " + device, errno);
  if (::mount(device.c_str(), point.c_str(), "erofs", MS_RDONLY, nullptr) != 0)
    return io::errno_error("mount " + file, errno);
  return Unit{};
}

Result<> mount_image(const std::string& file, const std::string& point) {
  if (::mount(file.c_str(), point.c_str(), "erofs", MS_RDONLY, nullptr) == 0) return Unit{};
  if (errno == ENOTBLK || errno == EINVAL) return mount_by_loop(file, point);
  return io::errno_error("mount " + file, errno);
}

}  // namespace

Result<LayerStore::Scratch> LayerStore::Scratch::make(const std::string& parent, Rng& rng) {
  Scratch out(parent + "/" + rng.name_suffix(12));
  TRY_OK(io::make_folders(out.path_, 0700));
  if (::geteuid() == 0 && ::chown(out.path_.c_str(), kUnpackUser, kUnpackUser) != 0)
    return io::errno_error("prepare " + out.path_, errno);
  return out;
}

LayerStore::Scratch::~Scratch() {
  std::error_code ignored;
  if (!path_.empty()) fs::remove_all(path_, ignored);
}

LayerStore::LayerStore(BlockingPool& pool, Rng& rng, Options options)
    : pool_(pool), rng_(rng), options_(std::move(options)) {}

Result<> LayerStore::open() {
  for (const char* name : {"/layers", "/mnt"})
    TRY_OK(io::make_folders(options_.folder + name, 0700));
  std::error_code ignored;
  fs::remove_all(options_.folder + "/tmp", ignored);
  TRY_OK(io::make_folders(options_.folder + "/tmp", 0711));
  for (const auto& entry : fs::directory_iterator(options_.folder + "/layers", ignored)) {
    if (entry.path().extension() == ".part") fs::remove(entry.path(), ignored);
  }
  return Unit{};
}

std::string LayerStore::file(const std::string& diff_id) const {
  return options_.folder + "/layers/" + hex_of(diff_id) + ".erofs";
}

std::string LayerStore::mount_point(const std::string& diff_id) const {
  return options_.folder + "/mnt/" + hex_of(diff_id).substr(0, kMountNameDigits);
}

bool LayerStore::has(const std::string& diff_id) const {
  return ::access(file(diff_id).c_str(), F_OK) == 0;
}

uint64_t LayerStore::bytes(const std::string& diff_id) const {
  struct stat info{};
  return ::stat(file(diff_id).c_str(), &info) == 0 ? uint64_t(info.st_size) : 0;
}

Result<LayerStore::Scratch> LayerStore::scratch() {
  return Scratch::make(options_.folder + "/tmp", rng_);
}

// One layer on its way in: a child that writes `<name>.part`, renamed once everything matched.
class LayerStore::Incoming {
 public:
  static Result<std::unique_ptr<Incoming>> start(LayerStore& store, const std::string& diff_id) {
    TRY(Scratch scratch, store.scratch());
    const std::string part = store.file(diff_id) + "." + store.rng_.name_suffix(6) + ".part";
    io::UniqueFd out(::open(part.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
    if (!out) return io::errno_error("make " + part, errno);
    auto child = UnpackChild::start(store.pool_, store.options_.program, UnpackChild::Job::kLayer,
                                    scratch.path(), out.get());
    if (!child) {
      ::unlink(part.c_str());
      return std::move(child).error();
    }
    return std::unique_ptr<Incoming>(new Incoming(std::move(scratch), part, *std::move(child)));
  }
  ~Incoming() {
    if (!part_.empty()) ::unlink(part_.c_str());
  }

  UnpackChild& child() { return *child_; }

  Task<> finish(std::string file, std::string diff_id) {
    CO_TRY(const std::string printed, co_await child_->finish());
    const std::string found = printed.substr(0, printed.find(' '));
    if (found != diff_id)
      co_return Error(Code::kInvalid,
                      "the layer unpacks to " + found + ", the image's config says " + diff_id);
    if (::rename(part_.c_str(), file.c_str()) != 0)
      co_return io::errno_error("keep " + file, errno);
    part_.clear();
    co_return Unit{};
  }

 private:
  Incoming(Scratch scratch, std::string part, std::unique_ptr<UnpackChild> child)
      : scratch_(std::move(scratch)), part_(std::move(part)), child_(std::move(child)) {}
  Scratch scratch_;
  std::string part_;
  std::unique_ptr<UnpackChild> child_;
};

Task<> LayerStore::add(std::shared_ptr<net::BodyReader> body, Descriptor expected,
                       std::string diff_id, std::function<void(uint64_t)> progress) {
  if (has(diff_id)) co_return Unit{};
  CO_TRY(const auto incoming, Incoming::start(*this, diff_id));
  crypto::Hasher hasher;
  uint64_t size = 0;
  for (;;) {
    CO_TRY(std::string piece, co_await body->read_some());
    if (piece.empty()) break;
    hasher.update(piece);
    size += piece.size();
    if (size > expected.size)
      co_return Error(Code::kInvalid, "the registry sends more bytes than the manifest says for " +
                                          expected.digest);
    if (progress) progress(piece.size());
    CO_TRY_OK(co_await incoming->child().feed(std::move(piece)));
  }
  if (size != expected.size || "sha256:" + hasher.finish_hex() != expected.digest) {
    co_return Error(Code::kInvalid, "the layer does not match its digest " + expected.digest);
  }
  co_return co_await incoming->finish(file(diff_id), diff_id);
}

Task<> LayerStore::add_file(std::string path, std::string diff_id) {
  if (has(diff_id)) co_return Unit{};
  CO_TRY(const auto incoming, Incoming::start(*this, diff_id));
  CO_TRY_OK(co_await incoming->child().feed_file(std::move(path)));
  co_return co_await incoming->finish(file(diff_id), diff_id);
}

// What is mounted there is in layers/ under its whole name: nobody else may begin like us.
Result<> LayerStore::check_alone(const std::string& diff_id) {
  const std::string hex = hex_of(diff_id);
  const std::string begin = hex.substr(0, kMountNameDigits);
  const auto known = by_mount_name_.find(begin);
  if (known != by_mount_name_.end() && known->second == hex) return Unit{};
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(options_.folder + "/layers", error)) {
    const std::string name = entry.path().filename();
    if (!name.starts_with(begin) || name == hex + ".erofs" || !name.ends_with(".erofs")) continue;
    return Error(Code::kConflict, "layer " + diff_id + " begins like another one, " + name +
                                      ": one of them is forged");
  }
  by_mount_name_[begin] = hex;
  return Unit{};
}

Result<std::string> LayerStore::mount(const std::string& diff_id) {
  std::string point = mount_point(diff_id);
  TRY_OK(check_alone(diff_id));
  if (is_mounted(point)) return point;
  TRY_OK(io::make_folders(point, 0700));
  TRY_OK(mount_image(file(diff_id), point));
  return point;
}

void LayerStore::remove_others(const std::set<std::string>& keep) {
  std::set<std::string> files, points;
  for (const std::string& id : keep) files.insert(file(id)), points.insert(mount_point(id));
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(options_.folder + "/mnt", ignored)) {
    const std::string point = entry.path();
    if (points.contains(point)) continue;
    ::umount2(point.c_str(), MNT_DETACH);
    ::rmdir(point.c_str());
    by_mount_name_.erase(entry.path().filename());
  }
  for (const auto& entry : fs::directory_iterator(options_.folder + "/layers", ignored)) {
    if (entry.path().extension() == ".erofs" && !files.contains(entry.path()))
      fs::remove(entry.path(), ignored);
  }
}

}  // namespace atl::oci
