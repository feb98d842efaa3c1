#include "base/crypto/x509.h"

#include <gtest/gtest.h>

namespace atl::crypto {
namespace {

class X509 : public testing::Test {
 protected:
  void SetUp() override {
    auto made =
        CertificateAuthority::create("test-ca", std::chrono::hours(24 * 3650), clock_, rng_);
    ASSERT_TRUE(made.has_value());
    ca_ = *std::move(made);
  }
  FakeClock clock_;
  SeededRng rng_{7};
  std::unique_ptr<CertificateAuthority> ca_;
};

TEST_F(X509, AuthoritySaysWhatItIsAndSurvivesAFile) {
  EXPECT_TRUE(ca_->info().authority);
  EXPECT_EQ(ca_->info().common_name, "test-ca");
  const auto loaded =
      CertificateAuthority::load(ca_->certificate_pem(), ca_->key_pem(), clock_, rng_);
  ASSERT_TRUE(loaded.has_value());
  EXPECT_EQ((*loaded)->info().fingerprint_sha256, ca_->info().fingerprint_sha256);
  const auto leaf = (*loaded)->issue_client({.common_name = "x"});
  ASSERT_TRUE(leaf.has_value());
  EXPECT_TRUE(ca_->verify(leaf->certificate_pem).has_value());
}

TEST_F(X509, ServerCertificateCarriesItsNames) {
  const auto issued = ca_->issue_server({.common_name = "api",
                                         .dns_names = {"localhost", "*.localhost"},
                                         .ip_addresses = {"127.0.0.1", "::1"}});
  ASSERT_TRUE(issued.has_value());
  const auto info = parse_certificate(issued->certificate_pem);
  ASSERT_TRUE(info.has_value());
  EXPECT_EQ(info->dns_names, (std::vector<std::string>{"localhost", "*.localhost"}));
  EXPECT_EQ(info->ip_addresses, (std::vector<std::string>{"127.0.0.1", "::1"}));
  EXPECT_EQ(info->issuer_common_name, "test-ca");
  EXPECT_FALSE(info->authority);
  EXPECT_EQ(info->fingerprint_sha256.size(), 64U);
  EXPECT_TRUE(PrivateKey::from_pem(issued->key_pem).has_value());
  EXPECT_EQ(PrivateKey::from_pem(issued->key_pem)->public_key().id(), info->public_key_id);
}

TEST_F(X509, ClientCertificateCarriesUserAndGroups) {
  const auto issued =
      ca_->issue_client({.common_name = "system:node:n1", .organizations = {"system:nodes", "b"}});
  ASSERT_TRUE(issued.has_value());
  const auto info = parse_certificate(issued->certificate_pem);
  ASSERT_TRUE(info.has_value());
  EXPECT_EQ(info->common_name, "system:node:n1");
  EXPECT_EQ(info->organizations, (std::vector<std::string>{"system:nodes", "b"}));
}

TEST_F(X509, SerialsDiffer) {
  const auto a = parse_certificate(ca_->issue_client({.common_name = "a"})->certificate_pem);
  const auto b = parse_certificate(ca_->issue_client({.common_name = "a"})->certificate_pem);
  EXPECT_NE(a->serial, b->serial);
}

TEST_F(X509, RenewalIsDueInTheLastThird) {
  const auto issued = ca_->issue_client({.common_name = "a", .validity = std::chrono::hours(300)});
  const auto info = parse_certificate(issued->certificate_pem);
  EXPECT_EQ(info->not_after, clock_.now() + std::chrono::hours(300));
  EXPECT_FALSE(needs_renewal(*info, clock_.now()));
  EXPECT_FALSE(needs_renewal(*info, clock_.now() + std::chrono::hours(199)));
  EXPECT_TRUE(needs_renewal(*info, clock_.now() + std::chrono::hours(201)));
  EXPECT_TRUE(needs_renewal(*info, clock_.now() + std::chrono::hours(400)));
}

TEST_F(X509, OtherAuthoritiesAreToldApart) {
  const auto other = CertificateAuthority::create("test-ca", std::chrono::hours(24), clock_, rng_);
  const auto foreign =
      (*other)->issue_client({.common_name = "admin", .organizations = {"system:masters"}});
  EXPECT_EQ(ca_->verify(foreign->certificate_pem).error().code(), Code::kUnauthorized);
  EXPECT_TRUE((*other)->verify(foreign->certificate_pem).has_value());
}

TEST_F(X509, RefusesBadInput) {
  EXPECT_FALSE(
      ca_->issue_server({.common_name = "a", .ip_addresses = {"127.0.0.1.5"}}).has_value());
  EXPECT_FALSE(ca_->issue_server({.common_name = "a", .dns_names = {"a,DNS:b"}}).has_value());
  EXPECT_FALSE(ca_->issue_client({.common_name = ""}).has_value());
  EXPECT_FALSE(ca_->issue_client({.common_name = std::string(65, 'a')}).has_value());
  EXPECT_FALSE(parse_certificate("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
                   .has_value());
  const auto leaf = ca_->issue_client({.common_name = "a"});
  EXPECT_FALSE(
      CertificateAuthority::load(leaf->certificate_pem, leaf->key_pem, clock_, rng_).has_value())
      << "a leaf is no authority";
  EXPECT_FALSE(
      CertificateAuthority::load(ca_->certificate_pem(), leaf->key_pem, clock_, rng_).has_value())
      << "another key";
}

TEST_F(X509, SigningRequestBecomesACertificateOfTheSameKey) {
  const PrivateKey key = PrivateKey::generate();
  const auto csr = make_signing_request(
      key, {.common_name = "dev", .organizations = {"team"}, .dns_names = {"dev.local"}});
  ASSERT_TRUE(csr.has_value());
  const auto parsed = parse_signing_request(*csr);
  ASSERT_TRUE(parsed.has_value());
  EXPECT_EQ(parsed->common_name, "dev");
  const auto pem = ca_->sign_request(*csr, {Usage::kClient}, std::chrono::hours(1));
  ASSERT_TRUE(pem.has_value());
  const auto info = parse_certificate(*pem);
  EXPECT_EQ(info->common_name, "dev");
  EXPECT_EQ(info->organizations, std::vector<std::string>{"team"});
  EXPECT_EQ(info->dns_names, std::vector<std::string>{"dev.local"});
  EXPECT_EQ(info->public_key_id, key.public_key().id());
  EXPECT_TRUE(ca_->verify(*pem).has_value());
  std::string broken = *csr;
  broken[broken.size() / 2] = broken[broken.size() / 2] == 'A' ? 'B' : 'A';
  EXPECT_FALSE(parse_signing_request(broken).has_value());
}

TEST_F(X509, SelfSignedServesWithoutAnAuthority) {
  const auto issued =
      self_signed({.common_name = "gateway", .dns_names = {"*.localhost"}}, clock_, rng_);
  ASSERT_TRUE(issued.has_value());
  EXPECT_EQ(parse_certificate(issued->certificate_pem)->issuer_common_name, "gateway");
}

}  // namespace
}  // namespace atl::crypto
