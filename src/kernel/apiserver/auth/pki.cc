#include "kernel/apiserver/auth/pki.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/crypto/base64.h"
#include "base/io/files.h"
#include "base/observe/log.h"

namespace atl::apiserver {
namespace {

using crypto::CertificateAuthority;
using crypto::CertificateInfo;
using crypto::Issued;
using crypto::PrivateKey;
using crypto::Secret;

constexpr auto kAuthorityLife = std::chrono::hours(24 * 3650);
constexpr uint32_t kFileMode = 0600;
constexpr uint32_t kFolderMode = 0700;
constexpr size_t kMaxFileBytes = 64 * 1024;

// The text of a file, or nothing where there is none.
Result<std::optional<std::string>> read_if_there(const std::string& path) {
  auto text = io::read_file(path, kMaxFileBytes);
  if (text) return std::optional(*std::move(text));
  if (text.error().code() == Code::kNotFound) return std::optional<std::string>();
  return std::move(text).error();
}

// The key first: a certificate in place means that its key was durable before.
Result<> write_pair(const std::string& stem, const std::string& certificate, const Secret& key) {
  TRY_OK(io::write_file_atomic(stem + ".key", key.reveal(), kFileMode));
  return io::write_file_atomic(stem + ".crt", certificate, kFileMode);
}

Result<std::optional<Issued>> read_pair(const std::string& stem) {
  TRY(auto certificate, read_if_there(stem + ".crt"));
  TRY(auto key, read_if_there(stem + ".key"));
  if (!certificate || !key) return std::optional<Issued>();
  return std::optional(Issued{*std::move(certificate), Secret(*std::move(key))});
}

Result<std::unique_ptr<CertificateAuthority>> open_authority(const std::string& folder,
                                                             const Clock& clock, Rng& rng) {
  const std::string stem = folder + "/ca";
  TRY(const auto certificate, read_if_there(stem + ".crt"));
  if (certificate) {
    TRY(const auto key, read_if_there(stem + ".key"));
    auto loaded = key ? CertificateAuthority::load(*certificate, Secret(*key), clock, rng)
                      : Result<std::unique_ptr<CertificateAuthority>>(
                            Error(Code::kInvalid, "ca.key is missing"));
    if (!loaded) {
      return std::move(loaded).error().during(stem +
                                              ".crt is there but cannot sign; restore ca.key from "
                                              "a backup, or remove both to begin anew");
    }
    return loaded;
  }
  TRY(auto made, CertificateAuthority::create("atoll-ca", kAuthorityLife, clock, rng));
  TRY_OK(write_pair(stem, made->certificate_pem(), made->key_pem()));
  return made;
}

Result<PrivateKey> open_token_key(const std::string& folder) {
  const std::string path = folder + "/service-account.key";
  TRY(auto text, read_if_there(path));
  if (text) {
    auto key = PrivateKey::from_pem(Secret(*std::move(text)));
    if (!key) return std::move(key).error().during(path);
    return key;
  }
  PrivateKey key = PrivateKey::generate();
  TRY_OK(io::write_file_atomic(path, key.pem().reveal(), kFileMode));
  TRY_OK(io::write_file_atomic(folder + "/service-account.pub", key.public_key().pem(), kFileMode));
  return key;
}

Secret kubeconfig(const std::string& server_url, const std::string& authority_pem,
                  const std::string& user, const Issued& identity) {
  return Secret(fmt::format(
      "apiVersion: v1\n"
      "kind: Config\n"
      "clusters:\n"
      "- name: atoll\n"
      "  cluster:\n"
      "    server: {}\n"
      "    certificate-authority-data: {}\n"
      "users:\n"
      "- name: {}\n"
      "  user:\n"
      "    client-certificate-data: {}\n"
      "    client-key-data: {}\n"
      "contexts:\n"
      "- name: atoll\n"
      "  context:\n"
      "    cluster: atoll\n"
      "    user: {}\n"
      "current-context: atoll\n",
      server_url, crypto::base64(authority_pem), user, crypto::base64(identity.certificate_pem),
      crypto::base64(identity.key_pem.reveal()), user));
}

std::vector<std::string> sorted(std::vector<std::string> items) {
  std::ranges::sort(items);
  const auto rest = std::ranges::unique(items);
  items.erase(rest.begin(), rest.end());
  return items;
}

}  // namespace

Result<std::unique_ptr<Pki>> Pki::open(PkiOptions options, const Clock& clock, Rng& rng) {
  TRY_OK(io::make_folders(options.folder, kFolderMode));
  TRY(auto authority, open_authority(options.folder, clock, rng));
  TRY(PrivateKey token_key, open_token_key(options.folder));
  std::unique_ptr<Pki> pki(
      new Pki(std::move(options), clock, std::move(authority), std::move(token_key)));
  TRY_OK(pki->renew());
  return pki;
}

crypto::ServerRequest Pki::server_request() const {
  crypto::ServerRequest request{.common_name = "atoll-api"};
  request.dns_names = {"localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc",
                       "kubernetes.default.svc." + options_.cluster_domain};
  request.ip_addresses = {"127.0.0.1", "::1"};
  request.dns_names.insert(request.dns_names.end(), options_.host_names.begin(),
                           options_.host_names.end());
  request.ip_addresses.insert(request.ip_addresses.end(), options_.addresses.begin(),
                              options_.addresses.end());
  request.dns_names = sorted(std::move(request.dns_names));
  request.ip_addresses = sorted(std::move(request.ip_addresses));
  return request;
}

bool Pki::still_good(const Issued& issued, const CertificateInfo& wanted) const {
  const auto info = crypto::parse_certificate(issued.certificate_pem);
  const auto key = PrivateKey::from_pem(issued.key_pem);
  return info && key && authority_->verify(issued.certificate_pem) &&
         key->public_key().id() == info->public_key_id && info->common_name == wanted.common_name &&
         info->organizations == wanted.organizations &&
         sorted(info->dns_names) == wanted.dns_names &&
         sorted(info->ip_addresses) == wanted.ip_addresses &&
         !crypto::needs_renewal(*info, clock_.now());
}

Result<bool> Pki::renew() {
  const crypto::ServerRequest server = server_request();
  const auto refresh = [&](const std::string& name, Issued& into,
                           const CertificateInfo& wanted) -> Result<bool> {
    const std::string stem = options_.folder + "/" + name;
    TRY(auto stored, read_pair(stem));
    if (stored && still_good(*stored, wanted)) {
      const bool changed = into.certificate_pem != stored->certificate_pem;
      into = *std::move(stored);
      return changed;
    }
    auto issued =
        wanted.dns_names.empty()
            ? authority_->issue_client({wanted.common_name, wanted.organizations})
            : authority_->issue_server({wanted.common_name, wanted.dns_names, wanted.ip_addresses});
    if (!issued) return std::move(issued).error().during("certificate " + name);
    TRY_OK(write_pair(stem, issued->certificate_pem, issued->key_pem));
    into = *std::move(issued);
    log::info("certificate issued", {{"name", name}, {"subject", wanted.common_name}});
    return true;
  };
  TRY_OK(refresh("admin", admin_,
                 {.common_name = "atoll-admin", .organizations = {"system:masters"}}));
  TRY_OK(refresh(
      "agent", agent_,
      {.common_name = "system:node:" + options_.node_name, .organizations = {"system:nodes"}}));
  return refresh("server", server_,
                 {.common_name = server.common_name,
                  .dns_names = server.dns_names,
                  .ip_addresses = server.ip_addresses});
}

Secret Pki::admin_kubeconfig(const std::string& server_url) const {
  return kubeconfig(server_url, authority_->certificate_pem(), "atoll-admin", admin_);
}

Secret Pki::agent_kubeconfig(const std::string& server_url) const {
  return kubeconfig(server_url, authority_->certificate_pem(), "system:node:" + options_.node_name,
                    agent_);
}

Result<> write_kubeconfig(const std::string& path, const Secret& text) {
  return io::write_file_atomic(path, text.reveal(), kFileMode);
}

}  // namespace atl::apiserver
