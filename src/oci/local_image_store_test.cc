#include "oci/local_image_store.h"

#include <archive.h>
#include <archive_entry.h>
#include <gtest/gtest.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <span>

#include <boost/asio/io_context.hpp>

#include "base/async/run.h"
#include "base/crypto/digest.h"
#include "base/io/files.h"
#include "oci/layer_store.h"

namespace atl::oci {
namespace {

namespace fs = std::filesystem;
using Files = std::vector<std::pair<std::string, std::string>>;

std::string make_tar(const Files& files) {
  std::string out(1 << 20, '\0');
  size_t used = 0;
  archive* a = archive_write_new();
  archive_write_set_format_pax(a);
  archive_write_set_options(a, "hdrcharset=BINARY");
  archive_write_open_memory(a, out.data(), out.size(), &used);
  for (const auto& [path, bytes] : files) {
    archive_entry* e = archive_entry_new();
    archive_entry_set_pathname(e, path.c_str());
    archive_entry_set_mode(e, S_IFREG | 0644);
    archive_entry_set_size(e, la_int64_t(bytes.size()));
    archive_write_header(a, e);
    archive_write_data(a, bytes.data(), bytes.size());
    archive_entry_free(e);
  }
  archive_write_close(a);
  archive_write_free(a);
  out.resize(used);
  return out;
}

std::string digest(std::string_view bytes) {
  return "sha256:" + crypto::sha256_hex(bytes);
}

std::string config_of(const std::string& layer) {
  return R"({"os":"linux","architecture":")" + std::string(machine_architecture()) +
         R"(","config":{"Cmd":["/run"],"Env":["A=b"],"User":"7"},)" +
         R"("rootfs":{"type":"layers","diff_ids":[")" + digest(layer) + R"("]}})";
}

// docker save's form.
std::string docker_archive(const std::string& layer, const std::string& tag) {
  return make_tar({{"config.json", config_of(layer)},
                   {"layer.tar", layer},
                   {"manifest.json", R"([{"Config":"config.json","RepoTags":[")" + tag +
                                         R"("],"Layers":["layer.tar"]}])"}});
}

std::string blob(std::string_view bytes) {
  return "blobs/sha256/" + crypto::sha256_hex(bytes);
}

std::string oci_archive(const std::string& layer, const std::string& name) {
  const std::string config = config_of(layer);
  const std::string manifest = R"({"schemaVersion":2,"config":{"digest":")" + digest(config) +
                               R"(","size":)" + std::to_string(config.size()) +
                               R"(},"layers":[{"digest":")" + digest(layer) + R"(","size":)" +
                               std::to_string(layer.size()) + "}]}";
  const std::string index = R"({"manifests":[{"digest":")" + digest(manifest) + R"(","size":)" +
                            std::to_string(manifest.size()) +
                            R"(,"annotations":{"org.opencontainers.image.ref.name":")" + name +
                            R"("}}]})";
  return make_tar({{"oci-layout", "{}"},
                   {"index.json", index},
                   {blob(config), config},
                   {blob(layer), layer},
                   {blob(manifest), manifest}});
}

class Pieces final : public net::BodyReader {
 public:
  explicit Pieces(std::string bytes) : bytes_(std::move(bytes)) {}
  Task<std::string> read_some() override {
    std::string piece = bytes_.substr(0, 10'000);
    bytes_.erase(0, piece.size());
    co_return piece;
  }

 private:
  std::string bytes_;
};

class ImageStoreTest : public testing::Test {
 protected:
  ImageStoreTest() {
    char pattern[] = "/tmp/atoll-images-XXXXXX";
    folder_ = ::mkdtemp(pattern);
    ::chmod(folder_.c_str(), 0711);
    reopen();
  }
  ~ImageStoreTest() override {
    store_.reset();
    std::error_code ignored;
    for (const auto& entry : fs::directory_iterator(folder_ + "/images/mnt", ignored))
      ::umount2(entry.path().c_str(), MNT_DETACH);
    fs::remove_all(folder_);
  }
  void reopen() {
    store_.reset();
    auto opened = LocalImageStore::open(loop_.get_executor(), timer_, rng_, pool_,
                                        {folder_ + "/images", ATOLL_UNPACK});
    ASSERT_TRUE(opened) << opened.error().message();
    store_ = *std::move(opened);
  }
  void check(std::function<Task<>()> body) {
    const auto result = run(loop_, std::move(body));
    ASSERT_TRUE(result) << result.error().message();
  }
  Task<std::vector<Image>> load(std::string archive) {
    co_return co_await store_->load_archive(std::make_shared<Pieces>(std::move(archive)));
  }
  size_t layer_files() const {
    return size_t(std::distance(fs::directory_iterator(folder_ + "/images/layers"),
                                fs::directory_iterator()));
  }

  asio::io_context loop_;
  SystemTimer timer_;
  SystemRng rng_;
  BlockingPool pool_{2};
  std::string folder_;
  std::unique_ptr<LocalImageStore> store_;
};

TEST_F(ImageStoreTest, DockerAndOciArchivesAreLoadedAndMounted) {
  const std::string layer = make_tar({{"run", "program"}, {"etc/conf", "x"}, {"名字/é", "utf-8"}});
  check([&]() -> Task<> {
    CO_TRY(const auto docker, co_await load(docker_archive(layer, "app:1")));
    CO_TRY(const auto oci, co_await load(oci_archive(layer, "registry.example/app:2")));
    EXPECT_EQ(docker.at(0).name, "docker.io/library/app:1");
    EXPECT_EQ(oci.at(0).name, "registry.example/app:2");
    EXPECT_EQ(docker.at(0).id, oci.at(0).id);
    EXPECT_EQ(docker.at(0).config.command, std::vector<std::string>{"/run"});
    EXPECT_EQ(docker.at(0).config.user, "7");
    CO_TRY(const auto pulled, co_await store_->ensure({.ref = "app:1"}));
    EXPECT_TRUE(pulled.was_present);
    co_return Unit{};
  });
  EXPECT_EQ(layer_files(), 1u) << "equal layers are one file";
  reopen();
  check([&]() -> Task<> {
    CO_TRY(const Image image, co_await store_->find("registry.example/app:2"));
    const auto mounts = co_await store_->hold(image.id, "container-1");
    if (!mounts && mounts.error().code() == Code::kForbidden) co_return Unit{};
    EXPECT_TRUE(mounts) << mounts.error().message();
    std::ifstream in(mounts->lower_dirs.at(0) + "/run");
    EXPECT_EQ(std::string(std::istreambuf_iterator<char>(in), {}), "program");
    EXPECT_TRUE(fs::exists(mounts->lower_dirs.at(0) + "/名字/é"));
    co_return Unit{};
  });
}

TEST_F(ImageStoreTest, WhatIsHeldStaysAndTheRestGoes) {
  check([&]() -> Task<> {
    CO_TRY(const auto images, co_await load(docker_archive(make_tar({{"a", "1"}}), "app:1")));
    CO_TRY_OK(co_await store_->hold(images.at(0).id, "c1"));
    const auto refused = co_await store_->remove("app:1");
    EXPECT_EQ(refused.error().code(), Code::kConflict);
    // A new build takes the name over; the old one lives on for its container.
    CO_TRY_OK(co_await load(docker_archive(make_tar({{"a", "2"}}), "app:1")));
    EXPECT_EQ(layer_files(), 2u);
    CO_TRY_OK(co_await store_->keep_only({"c1"}));
    EXPECT_EQ(layer_files(), 2u);
    CO_TRY_OK(co_await store_->release("c1"));
    EXPECT_EQ(layer_files(), 1u);
    CO_TRY_OK(co_await store_->remove("app:1"));
    EXPECT_EQ(layer_files(), 0u);
    CO_TRY(const auto list, co_await store_->list());
    EXPECT_TRUE(list.empty());
    co_return Unit{};
  });
}

TEST_F(ImageStoreTest, ALayerWhoseIdBeginsLikeAnothersIsNotTakenForIt) {
  const std::string layer = make_tar({{"run", "program"}});
  check([&]() -> Task<> {
    CO_TRY_OK(co_await load(docker_archive(layer, "app:1")));
    co_return Unit{};
  });
  const std::string id = digest(layer);
  const std::string file = folder_ + "/images/layers/" + id.substr(7) + ".erofs";
  for (const size_t alike : {16, 32}) {
    SCOPED_TRACE(alike);
    std::string other = id;
    for (char& c : std::span(other).subspan(7 + alike)) c = c == '0' ? '1' : '0';
    const std::string forged = folder_ + "/images/layers/" + other.substr(7) + ".erofs";
    fs::copy_file(file, forged);
    LayerStore layers(pool_, rng_, {folder_ + "/images", ATOLL_UNPACK});
    const auto first = layers.mount(id);
    if (!first && first.error().code() == Code::kForbidden) GTEST_SKIP() << "cannot mount here";
    const auto second = layers.mount(other);
    EXPECT_EQ(first.has_value() && second.has_value(), alike < 32);
    if (first && second) EXPECT_NE(*first, *second);
    fs::remove(forged);
  }
}

TEST_F(ImageStoreTest, BadArchivesLeaveNothingBehind) {
  const std::string layer = make_tar({{"a", "1"}});
  const std::string good = docker_archive(layer, "app:1");
  const struct {
    const char* what;
    std::string bytes;
  } cases[] = {
      {"nothing", ""},
      {"no tar", std::string(5000, 'x')},
      {"cut", good.substr(0, good.size() / 2)},
      {"no manifest", make_tar({{"a", "b"}})},
      {"a config that is missing",
       make_tar({{"manifest.json", R"([{"Config":"none","Layers":[]}])"}})},
      {"a layer that is another one",
       make_tar({{"config.json", config_of(layer)},
                 {"layer.tar", make_tar({{"a", "2"}})},
                 {"manifest.json",
                  R"([{"Config":"config.json","RepoTags":["app:1"],"Layers":["layer.tar"]}])"}})},
      {"a member outside",
       make_tar({{"manifest.json", R"([{"Config":"../../etc/passwd","Layers":[]}])"}})},
      {"a bad tag", docker_archive(layer, "UPPER CASE")},
      {"manifest.json that is no list", make_tar({{"manifest.json", "{}"}})},
  };
  for (const auto& c : cases) {
    check([&]() -> Task<> {
      const auto images = co_await load(c.bytes);
      EXPECT_FALSE(images.has_value()) << c.what;
      if (!images)
        EXPECT_EQ(int(images.error().code()) == int(Code::kInvalid) ||
                      images.error().code() == Code::kBadRequest,
                  true)
            << images.error().message();
      co_return Unit{};
    });
  }
  reopen();
  EXPECT_EQ(layer_files(), 0u);
  EXPECT_TRUE(fs::is_empty(folder_ + "/images/tmp"));
}

TEST_F(ImageStoreTest, NeverMeansNever) {
  check([&]() -> Task<> {
    const auto missing = co_await store_->ensure({.ref = "nginx", .policy = PullPolicy::kNever});
    EXPECT_EQ(missing.error().message(),
              "the image docker.io/library/nginx:latest is not on this node, and imagePullPolicy "
              "is Never");
    const auto bad = co_await store_->ensure({.ref = "Bad Name"});
    EXPECT_EQ(bad.error().code(), Code::kBadRequest);
    co_return Unit{};
  });
}

TEST_F(ImageStoreTest, ADamagedCatalogIsNamed) {
  ASSERT_TRUE(io::write_file_atomic(folder_ + "/images/images.json", "{nonsense", 0600));
  const auto opened = LocalImageStore::open(loop_.get_executor(), timer_, rng_, pool_,
                                            {folder_ + "/images", ATOLL_UNPACK});
  ASSERT_FALSE(opened);
  EXPECT_NE(opened.error().message().find("images.json is damaged"), std::string::npos);
}

}  // namespace
}  // namespace atl::oci
