#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "base/io/files.h"
#include "kernel/node/volumes/pod_volumes.h"

namespace atl::node {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

class VolumesTest : public testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/atoll-vol-XXXXXX";
    folder_ = ::mkdtemp(name);
  }
  void TearDown() override {
    EXPECT_TRUE(PodVolumes(folder_, folder_ + "/memory").tear_down());
    fs::remove_all(folder_);
  }
  static PodSpecPtr pod(const std::string& spec) {
    auto document = json::parse(
        R"({"metadata":{"name":"p","namespace":"ns","uid":"u","labels":{"a":"b"}},"spec":)" + spec +
        "}");
    EXPECT_TRUE(document) << document.error().message();
    return *read_pod(*std::move(document));
  }
  static std::string read(const std::string& path) {
    auto text = io::read_file(path);
    return text ? *text : "error: " + text.error().message();
  }
  std::string folder_;
};

TEST_F(VolumesTest, FilesChangeTogetherAndOldOnesGo) {
  const std::string v = folder_ + "/v";
  ASSERT_TRUE(*write_folder(v, {{"a", {"1"}}, {"deep/b", {"2", 0600}}}, std::nullopt));
  EXPECT_EQ(read(v + "/a"), "1");
  EXPECT_EQ(read(v + "/deep/b"), "2");
  struct stat about{};
  ::stat((v + "/deep/b").c_str(), &about);
  EXPECT_EQ(about.st_mode & 07777, 0600u);
  const fs::path first = fs::read_symlink(v + "/..data");
  EXPECT_FALSE(*write_folder(v, {{"a", {"1"}}, {"deep/b", {"2", 0600}}}, std::nullopt))
      << "nothing changed";
  EXPECT_EQ(fs::read_symlink(v + "/..data"), first);
  std::ifstream open_before(v + "/a");
  ASSERT_TRUE(*write_folder(v, {{"a", {"3"}}, {"c", {"4"}}}, std::nullopt));
  EXPECT_EQ(read(v + "/a"), "3");
  EXPECT_EQ(read(v + "/c"), "4");
  EXPECT_FALSE(fs::exists(v + "/deep"));
  std::string old;
  open_before >> old;
  EXPECT_EQ(old, "1") << "whoever had it open reads the old set to its end";
  size_t sets = 0;
  for (const auto& e : fs::directory_iterator(v))
    sets += e.path().filename().string().starts_with("..set_");
  EXPECT_EQ(sets, 1u);
}

TEST_F(VolumesTest, NoFileLeavesItsVolume) {
  for (const char* bad : {"../x", "/etc/passwd", "a/../../x", "", ".."}) {
    EXPECT_FALSE(write_folder(folder_ + "/v", {{bad, {"x"}}}, std::nullopt)) << bad;
  }
}

TEST_F(VolumesTest, ContentFollowsTheManifest) {
  VolumeObjects objects;
  objects.data.config_maps["cm"] = {{"k1", "v1"}, {"k2", "v2"}};
  objects.data.secrets["sec"] = {{"pw", "hidden"}};
  objects.tokens[{"", 3'607}] = "token";
  const auto p = pod(R"({"containers":[]})");
  const auto files = [&](const std::string& volume) {
    auto out = volume_files(*json::parse(volume), *p, {}, objects);
    if (!out) return "error: " + out.error().message();
    std::string text;
    for (const auto& [path, file] : *out)
      text += path + "=" + file.bytes + ":" + std::to_string(file.mode) + ";";
    return text;
  };
  struct Row {
    const char* sentence;
    const char* volume;
    const char* want;
  };
  const Row rows[] = {
      {"a whole config map", R"({"configMap":{"name":"cm"}})", "k1=v1:420;k2=v2:420;"},
      {"chosen keys with modes",
       R"({"configMap":{"name":"cm","defaultMode":256,"items":[{"key":"k1","path":"x/y"},{"key":"k2","path":"z","mode":511}]}})",
       "x/y=v1:256;z=v2:511;"},
      {"a key that is not there",
       R"({"configMap":{"name":"cm","items":[{"key":"no","path":"x"}]}})",
       "error: references non-existent config key: no"},
      {"a secret that is not there", R"({"secret":{"secretName":"no"}})",
       "error: secret \"no\" not found"},
      {"a secret that need not be there", R"({"secret":{"secretName":"no","optional":true}})", ""},
      {"what the pod knows of itself",
       R"({"downwardAPI":{"items":[{"path":"n","fieldRef":{"fieldPath":"metadata.name"}}]}})",
       "n=p:420;"},
      {"all in one",
       R"({"projected":{"sources":[{"serviceAccountToken":{"path":"token","expirationSeconds":3607}},)"
       R"({"configMap":{"name":"cm","items":[{"key":"k1","path":"ca.crt"}]}},{"secret":{"name":"sec"}}]}})",
       "ca.crt=v1:420;pw=hidden:420;token=token:420;"},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.sentence);
    EXPECT_EQ(files(row.volume), row.want);
  }
}

TEST_F(VolumesTest, MakesMountsAndTakesThemDown) {
  const auto p = pod(
      R"({"securityContext":{"fsGroup":1234},"volumes":[{"name":"data","emptyDir":{}},{"name":"up","downwardAPI":)"
      R"({"items":[{"path":"name","fieldRef":{"fieldPath":"metadata.name"}}]}}],)"
      R"("containers":[{"name":"c","volumeMounts":[{"name":"data","mountPath":"/d"},{"name":"up","mountPath":"/u"}]}]})");
  PodVolumes volumes(folder_, folder_ + "/memory");
  ASSERT_TRUE(volumes.set_up(*p, {}, {}));
  ASSERT_TRUE(volumes.set_up(*p, {}, {})) << "again, as after a restart";
  struct stat about{};
  ::stat((folder_ + "/volumes/data").c_str(), &about);
  if (::geteuid() == 0) EXPECT_EQ(about.st_gid, 1234u);
  auto mounts = volumes.mounts_of(*p, p->containers[0].doc, {});
  ASSERT_TRUE(mounts);
  ASSERT_EQ(mounts->size(), 2u);
  EXPECT_EQ((*mounts)[0].source, folder_ + "/volumes/data");
  EXPECT_THAT((*mounts)[0].options, testing::Contains("rw"));
  EXPECT_THAT((*mounts)[1].options, testing::Contains("ro")) << "what the API wrote is for reading";
  EXPECT_EQ(read(folder_ + "/memory/volumes/up/name"), "p");
  ASSERT_TRUE(volumes.tear_down());
  EXPECT_FALSE(fs::exists(folder_ + "/volumes"));
  EXPECT_FALSE(fs::exists(folder_ + "/memory/volumes"));
}

TEST_F(VolumesTest, RefusesKindsItDoesNotOffer) {
  const auto p =
      pod(R"({"volumes":[{"name":"x","nfs":{"server":"s","path":"/"}}],"containers":[]})");
  auto done = PodVolumes(folder_, folder_ + "/memory").set_up(*p, {}, {});
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code(), Code::kMethodNotAllowed);
  EXPECT_THAT(done.error().message(), HasSubstr("volumes of type nfs are not offered"));
}

TEST_F(VolumesTest, ChecksTheKindOfAHostPath) {
  const auto try_type = [&](const std::string& type, const std::string& path) {
    return PodVolumes(folder_, folder_ + "/memory")
        .set_up(*pod(R"({"volumes":[{"name":"h","hostPath":{"path":")" + path + R"(","type":")" +
                     type + R"("}}],"containers":[]})"),
                {}, {})
        .has_value();
  };
  EXPECT_TRUE(try_type("Directory", "/etc"));
  EXPECT_FALSE(try_type("File", "/etc"));
  EXPECT_FALSE(try_type("Directory", folder_ + "/none"));
  EXPECT_TRUE(try_type("DirectoryOrCreate", folder_ + "/made"));
  EXPECT_TRUE(try_type("CharDevice", "/dev/null"));
}

TEST_F(VolumesTest, ASubPathStaysInsideItsVolume) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root: binds mounts";
  const auto p = [&](const std::string& mount) {
    return pod(
        R"({"volumes":[{"name":"v","emptyDir":{}}],"containers":[{"name":"c","volumeMounts":[{"name":"v","mountPath":"/m",)" +
        mount + "}]}]}");
  };
  PodVolumes volumes(folder_, folder_ + "/memory");
  ASSERT_TRUE(volumes.set_up(*p(R"("subPath":"x")"), {}, {}));
  const std::string inside = folder_ + "/volumes/v";
  auto made = volumes.mounts_of(*p(R"("subPath":"new/deep")"),
                                p(R"("subPath":"new/deep")")->containers[0].doc, {});
  ASSERT_TRUE(made) << made.error().message();
  EXPECT_TRUE(fs::is_directory(inside + "/new/deep"));
  fs::create_symlink("/etc", inside + "/evil");
  auto evil =
      volumes.mounts_of(*p(R"("subPath":"evil")"), p(R"("subPath":"evil")")->containers[0].doc, {});
  if (evil) {
    EXPECT_FALSE(fs::exists((*evil)[0].source + "/passwd"))
        << "a link to the host's /etc stays inside";
  }
  EXPECT_FALSE(volumes.mounts_of(*p(R"("subPath":"../x")"),
                                 p(R"("subPath":"../x")")->containers[0].doc, {}));
  Environment env;
  env.set("POD", "p7");
  const auto by_name = p(R"x("subPathExpr":"$(POD)")x");
  auto expanded = volumes.mounts_of(*by_name, by_name->containers[0].doc, env);
  ASSERT_TRUE(expanded);
  EXPECT_TRUE(fs::is_directory(inside + "/p7"));
}

}  // namespace
}  // namespace atl::node
