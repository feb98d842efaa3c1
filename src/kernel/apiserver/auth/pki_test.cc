#include "kernel/apiserver/auth/pki.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>

#include "base/io/files.h"

namespace atl::apiserver {
namespace {

class PkiTest : public testing::Test {
 protected:
  void SetUp() override {
    char pattern[] = "/tmp/atoll-pki-XXXXXX";
    ASSERT_NE(mkdtemp(pattern), nullptr);
    folder_ = pattern;
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  PkiOptions options() const {
    return {
        .folder = folder_ + "/pki", .node_name = "n1", .addresses = {"169.254.7.1", "10.96.0.1"}};
  }
  std::unique_ptr<Pki> open() {
    auto pki = Pki::open(options(), clock_, rng_);
    EXPECT_TRUE(pki.has_value()) << pki.error().message();
    return *std::move(pki);
  }
  std::string read(const std::string& name) const {
    return io::read_file(folder_ + "/pki/" + name).value_or("");
  }

  std::string folder_;
  FakeClock clock_;
  SeededRng rng_{1};
};

TEST_F(PkiTest, IdentitiesAreWhatTheApiExpects) {
  const auto pki = open();
  const auto admin = crypto::parse_certificate(pki->admin().certificate_pem);
  EXPECT_EQ(admin->common_name, "atoll-admin");
  EXPECT_EQ(admin->organizations, std::vector<std::string>{"system:masters"});
  const auto agent = crypto::parse_certificate(pki->agent().certificate_pem);
  EXPECT_EQ(agent->common_name, "system:node:n1");
  EXPECT_EQ(agent->organizations, std::vector<std::string>{"system:nodes"});
  const auto server = crypto::parse_certificate(pki->server().certificate_pem);
  for (const char* name : {"localhost", "kubernetes", "kubernetes.default",
                           "kubernetes.default.svc", "kubernetes.default.svc.cluster.local"}) {
    EXPECT_NE(std::ranges::find(server->dns_names, name), server->dns_names.end()) << name;
  }
  for (const char* address : {"127.0.0.1", "::1", "169.254.7.1", "10.96.0.1"}) {
    EXPECT_NE(std::ranges::find(server->ip_addresses, address), server->ip_addresses.end())
        << address;
  }
}

TEST_F(PkiTest, EveryFileIsForItsOwnerAlone) {
  (void)open();
  size_t files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder_ + "/pki")) {
    struct stat info{};
    ASSERT_EQ(stat(entry.path().c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 0777, 0600U) << entry.path();
    ++files;
  }
  EXPECT_EQ(files, 10U);
  struct stat info{};
  ASSERT_EQ(stat((folder_ + "/pki").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0700U);
}

TEST_F(PkiTest, SecondOpenChangesNothing) {
  const auto first = open();
  const auto second = open();
  EXPECT_EQ(first->authority().certificate_pem(), second->authority().certificate_pem());
  EXPECT_EQ(first->server().certificate_pem, second->server().certificate_pem);
  EXPECT_EQ(first->admin().certificate_pem, second->admin().certificate_pem);
  EXPECT_EQ(first->token_key().public_key().id(), second->token_key().public_key().id());
  EXPECT_FALSE(second->renew().value());
}

TEST_F(PkiTest, RenewsInTheLastThirdAndKeepsTheAuthority) {
  const auto pki = open();
  const std::string before = pki->server().certificate_pem;
  clock_.advance(std::chrono::hours(24 * 200));
  EXPECT_FALSE(pki->renew().value());
  EXPECT_EQ(pki->server().certificate_pem, before);
  clock_.advance(std::chrono::hours(24 * 60));
  EXPECT_TRUE(pki->renew().value());
  EXPECT_NE(pki->server().certificate_pem, before);
  EXPECT_EQ(read("server.crt"), pki->server().certificate_pem);
  EXPECT_TRUE(pki->authority().verify(pki->server().certificate_pem).has_value());
}

TEST_F(PkiTest, NewAddressGivesANewServerCertificateOnly) {
  const auto before = open();
  PkiOptions changed = options();
  changed.addresses = {"169.254.7.9"};
  const auto after = Pki::open(changed, clock_, rng_);
  ASSERT_TRUE(after.has_value());
  EXPECT_NE((*after)->server().certificate_pem, before->server().certificate_pem);
  EXPECT_EQ((*after)->admin().certificate_pem, before->admin().certificate_pem);
}

TEST_F(PkiTest, HalfWrittenPairIsMadeAgain) {
  const auto before = open();
  // As after a crash between the new key and the new certificate.
  const auto other = before->authority().issue_client({.common_name = "x"});
  ASSERT_TRUE(
      io::write_file_atomic(folder_ + "/pki/admin.key", other->key_pem.reveal(), 0600).has_value());
  const auto after = open();
  EXPECT_NE(after->admin().certificate_pem, before->admin().certificate_pem);
  EXPECT_EQ(crypto::PrivateKey::from_pem(after->admin().key_pem)->public_key().id(),
            crypto::parse_certificate(after->admin().certificate_pem)->public_key_id);
}

TEST_F(PkiTest, LostAuthorityKeyIsSaidAndNeverReplaced) {
  (void)open();
  std::filesystem::remove(folder_ + "/pki/ca.key");
  const auto pki = Pki::open(options(), clock_, rng_);
  ASSERT_FALSE(pki.has_value());
  EXPECT_NE(pki.error().message().find("restore ca.key from a backup"), std::string::npos)
      << pki.error().message();
  EXPECT_FALSE(std::filesystem::exists(folder_ + "/pki/ca.key"));
}

TEST_F(PkiTest, KubeconfigHoldsEverything) {
  const auto pki = open();
  const crypto::Secret text = pki->admin_kubeconfig("https://127.0.0.1:6443");
  for (const char* part :
       {"server: https://127.0.0.1:6443", "certificate-authority-data: ",
        "client-certificate-data: ", "client-key-data: ", "current-context: atoll"}) {
    EXPECT_NE(text.reveal().find(part), std::string::npos) << part;
  }
  ASSERT_TRUE(write_kubeconfig(folder_ + "/admin.kubeconfig", text).has_value());
  struct stat info{};
  ASSERT_EQ(stat((folder_ + "/admin.kubeconfig").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600U);
}

}  // namespace
}  // namespace atl::apiserver
