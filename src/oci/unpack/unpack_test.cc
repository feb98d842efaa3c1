#include "oci/unpack/unpack.h"

#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "base/crypto/digest.h"
#include "base/io/unique_fd.h"

namespace atl::oci {
namespace {

namespace fs = std::filesystem;

struct File {
  std::string path;
  mode_t mode = S_IFREG | 0644;
  std::string bytes;
  std::string link;  // symlink target, or hard link where `hard`
  bool hard = false;
  unsigned uid = 0;
  dev_t device = 0;
};

// A tar of the files, compressed as asked.
std::string make_tar(const std::vector<File>& files, int filter = ARCHIVE_FILTER_NONE) {
  std::string out(4 << 20, '\0');
  size_t used = 0;
  archive* a = archive_write_new();
  archive_write_set_format_pax_restricted(a);
  archive_write_add_filter(a, filter);
  archive_write_open_memory(a, out.data(), out.size(), &used);
  for (const File& file : files) {
    archive_entry* e = archive_entry_new();
    archive_entry_set_pathname(e, file.path.c_str());
    archive_entry_set_mode(e, file.mode);
    archive_entry_set_uid(e, file.uid);
    archive_entry_set_mtime(e, 1'700'000'000, 0);
    archive_entry_set_rdev(e, file.device);
    archive_entry_set_size(e, la_int64_t(file.bytes.size()));
    if (file.hard) archive_entry_set_hardlink(e, file.link.c_str());
    if (!file.hard && !file.link.empty()) archive_entry_set_symlink(e, file.link.c_str());
    archive_write_header(a, e);
    archive_write_data(a, file.bytes.data(), file.bytes.size());
    archive_entry_free(e);
  }
  archive_write_close(a);
  archive_write_free(a);
  out.resize(used);
  return out;
}

io::UniqueFd memory_file(std::string_view bytes) {
  io::UniqueFd fd(::memfd_create("test", MFD_CLOEXEC));
  EXPECT_EQ(::write(fd.get(), bytes.data(), bytes.size()), ssize_t(bytes.size()));
  ::lseek(fd.get(), 0, SEEK_SET);
  return fd;
}

class Unpack : public testing::Test {
 protected:
  Unpack() {
    char pattern[] = "/tmp/atoll-unpack-XXXXXX";
    folder_ = ::mkdtemp(pattern);
  }
  ~Unpack() override {
    ::umount2((folder_ + "/mnt").c_str(), MNT_DETACH);
    fs::remove_all(folder_);
  }

  // Unpacks into an image and mounts it; false (skipped) where mounts are not allowed.
  Result<LayerResult> unpack(std::string_view tar, const UnpackLimits& limits = {}) {
    image_ = folder_ + "/layer.erofs";
    const io::UniqueFd in = memory_file(tar);
    const io::UniqueFd out(::open(image_.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
    return unpack_layer(in.get(), out.get(), limits);
  }
  bool mount() {
    fs::create_directory(folder_ + "/mnt");
    return ::mount(image_.c_str(), (folder_ + "/mnt").c_str(), "erofs", MS_RDONLY, nullptr) == 0;
  }
  std::string read(const std::string& path) {
    std::ifstream in(folder_ + "/mnt/" + path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  struct stat status(const std::string& path) {
    struct stat info{};
    EXPECT_EQ(::lstat((folder_ + "/mnt/" + path).c_str(), &info), 0) << path;
    return info;
  }

  std::string folder_, image_;
};

TEST_F(Unpack, TheKernelReadsWhatTheTarHeld) {
  std::vector<File> files = {{"./bin/", S_IFDIR | 0755},
                             {"./bin/tool", S_IFREG | 04755, std::string(10'000, 'x') + "end"},
                             {"bin/empty", S_IFREG | 0600, "", "", false, 1000},
                             {"bin/link", S_IFLNK | 0777, "", "../etc/conf"},
                             {"bin/same", S_IFREG | 0755, "", "bin/tool", true},
                             {"deep/er/than/said/file", S_IFREG | 0644, "deep"},
                             {"dev/null", S_IFCHR | 0666, "", "", false, 0, makedev(1, 3)}};
  for (int i = 0; i < 1500; ++i)
    files.push_back(
        {"many/file-with-a-long-name-" + std::to_string(i), S_IFREG | 0644, std::to_string(i)});
  const std::string tar = make_tar(files);
  const auto result = unpack(tar);
  ASSERT_TRUE(result) << result.error().message();
  EXPECT_EQ(result->diff_id, "sha256:" + crypto::sha256_hex(tar));
  if (!mount()) GTEST_SKIP() << "EROFS cannot be mounted here";
  EXPECT_EQ(read("bin/tool"), files[1].bytes);
  EXPECT_EQ(read("deep/er/than/said/file"), "deep");
  EXPECT_EQ(status("bin/tool").st_mode, mode_t(S_IFREG | 04755));
  EXPECT_EQ(status("bin/tool").st_nlink, 2u);
  EXPECT_EQ(status("bin/tool").st_ino, status("bin/same").st_ino);
  EXPECT_EQ(status("bin/empty").st_uid, 1000u);
  EXPECT_EQ(status("bin/empty").st_mtime, 1'700'000'000);
  EXPECT_EQ(fs::read_symlink(folder_ + "/mnt/bin/link"), "../etc/conf");
  EXPECT_EQ(status("dev/null").st_rdev, makedev(1, 3));
  size_t count = 0;
  for (const auto& entry : fs::directory_iterator(folder_ + "/mnt/many")) count += entry.exists();
  EXPECT_EQ(count, 1500u);
  EXPECT_EQ(read("many/file-with-a-long-name-1234"), "1234");
}

TEST_F(Unpack, CompressionDoesNotChangeTheDiffId) {
  const std::vector<File> files = {{"a", S_IFREG | 0644, std::string(100'000, 'a')}};
  const auto plain = unpack(make_tar(files));
  const auto gzip = unpack(make_tar(files, ARCHIVE_FILTER_GZIP));
  const auto zstd = unpack(make_tar(files, ARCHIVE_FILTER_ZSTD));
  ASSERT_TRUE(plain && gzip && zstd);
  EXPECT_EQ(plain->diff_id, gzip->diff_id);
  EXPECT_EQ(plain->diff_id, zstd->diff_id);
}

TEST_F(Unpack, WhiteoutsBecomeOverlayfsWhiteouts) {
  const auto result = unpack(make_tar({{"etc/.wh.gone", S_IFREG | 0644},
                                       {"opt/.wh..wh..opq", S_IFREG | 0644},
                                       {"opt/new", S_IFREG | 0644, "n"}}));
  ASSERT_TRUE(result) << result.error().message();
  if (!mount()) GTEST_SKIP() << "EROFS cannot be mounted here";
  EXPECT_TRUE(S_ISCHR(status("etc/gone").st_mode));
  EXPECT_EQ(status("etc/gone").st_rdev, 0u);
  EXPECT_FALSE(fs::exists(folder_ + "/mnt/opt/.wh..wh..opq"));
  EXPECT_EQ(read("opt/new"), "n");
}

TEST_F(Unpack, HostileArchivesAreRefused) {
  const struct {
    const char* what;
    std::string tar;
    UnpackLimits limits;
  } cases[] = {
      {"a path that leaves the archive", make_tar({{"../etc/passwd", S_IFREG | 0644, "x"}}), {}},
      {"a hard link out of the archive",
       make_tar({{"a", S_IFREG | 0644, "", "../../etc/shadow", true}}),
       {}},
      {"a hard link to nothing", make_tar({{"a", S_IFREG | 0644, "", "b", true}}), {}},
      {"a hard link to a folder",
       make_tar({{"d/", S_IFDIR | 0755}, {"a", S_IFREG | 0644, "", "d", true}}),
       {}},
      {"a compression bomb",
       make_tar({{"a", S_IFREG | 0644, std::string(3 << 20, '\0')}}, ARCHIVE_FILTER_GZIP),
       {.bytes = 1 << 20}},
      {"too many files", make_tar({{"a"}, {"b"}, {"c"}}), {.entries = 2}},
      {"a cut archive",
       make_tar({{"a", S_IFREG | 0644, std::string(100'000, 'a')}}).substr(0, 50'000),
       {}},
      {"no archive at all", std::string(4096, 'x'), {}},
      {"nothing", "", {}},
  };
  for (const auto& c : cases) {
    const auto result = unpack(c.tar, c.limits);
    EXPECT_FALSE(result) << c.what;
    if (!result) EXPECT_EQ(result.error().code(), Code::kInvalid) << c.what;
  }
}

TEST_F(Unpack, ALaterEntryReplacesAnEarlierOne) {
  const auto result = unpack(make_tar({{"a", S_IFREG | 0644, "first"},
                                       {"a", S_IFREG | 0644, "second"},
                                       {"b", S_IFLNK | 0777, "", "a"},
                                       {"b/c", S_IFREG | 0644, "in"}}));
  ASSERT_TRUE(result) << result.error().message();
  if (!mount()) GTEST_SKIP() << "EROFS cannot be mounted here";
  EXPECT_EQ(read("a"), "second");
  EXPECT_EQ(read("b/c"), "in");
}

TEST_F(Unpack, AnArchiveBecomesNumberedFiles) {
  const io::UniqueFd in =
      memory_file(make_tar({{"manifest.json", S_IFREG | 0644, "[]"},
                            {"x/layer.tar", S_IFREG | 0644, "bytes"},
                            {"y/layer.tar", S_IFLNK | 0777, "", "../x/layer.tar"}}));
  const fs::path before = fs::current_path();
  fs::current_path(folder_);
  const auto members = unpack_archive(in.get(), {});
  fs::current_path(before);
  ASSERT_TRUE(members) << members.error().message();
  ASSERT_EQ(members->size(), 3u);
  EXPECT_EQ((*members)[1].digest, "sha256:" + crypto::sha256_hex("bytes"));
  EXPECT_EQ((*members)[2].target, "x/layer.tar");
  EXPECT_TRUE(fs::exists(folder_ + "/1"));
}

}  // namespace
}  // namespace atl::oci
