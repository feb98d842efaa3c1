#include "oci/registry_client.h"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "base/crypto/base64.h"
#include "base/crypto/digest.h"

namespace atl::oci {
namespace {

constexpr int kRedirectsMax = 5;
constexpr std::string_view kManifestTypes =
    "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json, "
    "application/vnd.docker.distribution.manifest.list.v2+json, "
    "application/vnd.docker.distribution.manifest.v2+json";

struct Url {
  std::string scheme, host, target;
  uint16_t port = 0;
  std::string origin() const { return fmt::format("{}://{}:{}", scheme, host, port); }
};

Result<Url> parse_url(std::string_view text) {
  Url url;
  const size_t colon = text.find("://");
  if (colon == std::string_view::npos)
    return Error(Code::kInvalid, "the registry answers with an address that is no URL");
  url.scheme = text.substr(0, colon);
  if (url.scheme != "https" && url.scheme != "http")
    return Error(Code::kInvalid, "the registry answers with a URL of scheme " + url.scheme);
  text.remove_prefix(colon + 3);
  const size_t slash = text.find_first_of("/?");
  std::string_view authority = text.substr(0, slash);
  url.target = slash == std::string_view::npos ? "/" : std::string(text.substr(slash));
  if (url.target[0] == '?') url.target = "/" + url.target;
  if (authority.find('@') != std::string_view::npos)
    return Error(Code::kInvalid, "the registry answers with a URL that holds a user");
  url.port = url.scheme == "https" ? 443 : 80;
  const size_t port_at = authority.rfind(':');
  if (port_at != std::string_view::npos && authority.find(']', port_at) == std::string_view::npos) {
    const std::string_view digits = authority.substr(port_at + 1);
    const auto [end, error] =
        std::from_chars(digits.data(), digits.data() + digits.size(), url.port);
    if (error != std::errc() || end != digits.data() + digits.size())
      return Error(Code::kInvalid, "the registry answers with a bad port");
    authority = authority.substr(0, port_at);
  }
  if (authority.empty())
    return Error(Code::kInvalid, "the registry answers with a URL without a host");
  url.host = authority;
  return url;
}

enum class Place : uint8_t { kElsewhere, kLoopback, kLink };

// Of a host as it stands in a URL. A name that only begins like an address is a name.
Place place_of(std::string_view host) {
  if (host == "localhost" || host == "[::1]") return Place::kLoopback;
  in_addr parsed{};
  if (inet_aton(std::string(host).c_str(), &parsed) != 0) {  // "127.1" too, as resolvers read it
    const uint32_t ip = ntohl(parsed.s_addr);
    if (ip >> 24 == 127 || ip >> 24 == 0) return Place::kLoopback;
    return ip >> 16 == 0xa9fe ? Place::kLink : Place::kElsewhere;
  }
  if (!host.starts_with('[') || !host.ends_with(']')) return Place::kElsewhere;
  in6_addr six{};
  const std::string inner(host.substr(1, host.size() - 2));
  if (inet_pton(AF_INET6, inner.substr(0, inner.find('%')).c_str(), &six) != 1)
    return Place::kElsewhere;
  if (IN6_IS_ADDR_LOOPBACK(&six) || IN6_IS_ADDR_UNSPECIFIED(&six) || IN6_IS_ADDR_V4MAPPED(&six))
    return Place::kLoopback;  // nobody writes 4-in-6 who does not hide something
  return IN6_IS_ADDR_LINKLOCAL(&six) ? Place::kLink : Place::kElsewhere;
}

bool is_loopback(std::string_view host) {
  return place_of(host) == Place::kLoopback;
}

std::string host_of(std::string_view registry) {
  const size_t colon = registry.rfind(':');
  return std::string(colon == std::string_view::npos ? registry : registry.substr(0, colon));
}

Error refused(int status, const Reference& reference) {
  const std::string name = reference.text();
  switch (status) {
    case 401:
    case 403:
      return Error(
          Code::kForbidden,
          fmt::format("the registry refuses access to {} (HTTP {}); check imagePullSecrets", name,
                      status));
    case 404:
      return Error(Code::kNotFound, fmt::format("{}: not found", name));
    case 429:
      return Error(
          Code::kTooMany,
          fmt::format("the registry limits requests for {} (HTTP 429); it is tried again later",
                      name));
    default:
      return Error(Code::kUnavailable,
                   fmt::format("the registry answers HTTP {} for {}", status, name));
  }
}

}  // namespace

Result<> check_leads_to(std::string_view registry, std::string_view host) {
  const Place to = place_of(host);
  if (to == Place::kElsewhere || to == place_of(host_of(registry))) return Unit{};
  return Error(Code::kInvalid,
               "the registry sends us to an address of this machine's own: " + std::string(host));
}

std::map<std::string, std::string> parse_challenge(std::string_view header, std::string& scheme) {
  std::map<std::string, std::string> out;
  const size_t space = header.find(' ');
  scheme = header.substr(0, space);
  std::transform(scheme.begin(), scheme.end(), scheme.begin(),
                 [](unsigned char c) { return char(std::tolower(c)); });
  std::string_view rest =
      space == std::string_view::npos ? std::string_view() : header.substr(space + 1);
  while (!rest.empty()) {
    const size_t equals = rest.find('=');
    if (equals == std::string_view::npos) break;
    const size_t first = rest.find_first_not_of(", ");
    if (first == std::string_view::npos || first > equals) break;
    const std::string key(rest.substr(first, equals - first));
    rest.remove_prefix(equals + 1);
    const bool quoted = rest.starts_with('"');
    if (quoted) rest.remove_prefix(1);
    const size_t end = std::min(rest.find(quoted ? '"' : ','), rest.size());
    out[key] = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  return out;
}

RegistryClient::RegistryClient(Executor executor, Timer& timer, Reference reference,
                               std::vector<Credentials> credentials, MonoTime deadline)
    : executor_(std::move(executor)),
      timer_(timer),
      reference_(std::move(reference)),
      credentials_(std::move(credentials)),
      deadline_(deadline) {
  std::erase_if(credentials_,
                [&](const Credentials& c) { return c.registry != reference_.registry; });
}

RegistryClient::~RegistryClient() = default;

Result<Duration> RegistryClient::left() const {
  const Duration rest = deadline_ - timer_.monotonic();
  if (rest <= Duration(0))
    return Error(Code::kTimeout, "pulling " + reference_.text() + " took too long");
  return rest;
}

net::HttpClient& RegistryClient::client_for(const std::string& origin) {
  auto& client = clients_[origin];
  if (!client) {
    const auto url = parse_url(origin);  // made by Url::origin(): always parses
    client = net::HttpClient::make(
        executor_, timer_, {.host = url->host, .port = url->port, .tls = url->scheme == "https"});
  }
  return *client;
}

Task<net::ClientResponse> RegistryClient::get(std::string path, std::string accept) {
  const std::string host = reference_.api_host();
  CO_TRY(const Url url,
         parse_url((is_loopback(host_of(host)) ? "http://" : "https://") + host + path));
  for (int attempt = 0;; ++attempt) {
    net::ClientRequest request{
        "GET", url.target, {{"accept", accept}, {"user-agent", "atoll"}}, {}};
    if (!authorization_.empty()) request.headers.set("authorization", authorization_);
    CO_TRY(const Duration deadline, left());
    CO_TRY(auto response, co_await client_for(url.origin()).send(std::move(request), deadline));
    if (response.status == 401 && attempt == 0) {
      CO_TRY_OK(co_await login(std::string(response.headers.get("www-authenticate"))));
      continue;
    }
    CO_TRY(auto followed, co_await follow(std::move(response)));
    if (followed.status != 200) co_return refused(followed.status, reference_);
    co_return followed;
  }
}

// Redirects lead to storage that must not see the registry's credentials.
Task<net::ClientResponse> RegistryClient::follow(net::ClientResponse response) {
  for (int hop = 0; hop < kRedirectsMax; ++hop) {
    if (response.status != 301 && response.status != 302 && response.status != 303 &&
        response.status != 307 && response.status != 308) {
      co_return response;
    }
    std::string location(response.headers.get("location"));
    if (location.starts_with("/")) {
      const std::string host = reference_.api_host();
      location = (is_loopback(host_of(host)) ? "http://" : "https://") + host + location;
    }
    CO_TRY(const Url url, parse_url(location));
    CO_TRY_OK(check_leads_to(reference_.api_host(), url.host));
    if (url.scheme == "http" && !is_loopback(url.host))
      co_return Error(Code::kInvalid, "the registry sends us to plain HTTP at " + url.host);
    CO_TRY(const Duration deadline, left());
    CO_TRY(response, co_await client_for(url.origin())
                         .send({"GET", url.target, {{"user-agent", "atoll"}}, {}}, deadline));
  }
  co_return Error(Code::kUnavailable, "the registry redirects in circles");
}

Task<> RegistryClient::login(std::string challenge) {
  std::string scheme;
  auto parameters = parse_challenge(challenge, scheme);
  std::vector<std::string> basics;
  for (const Credentials& c : credentials_)
    basics.push_back("Basic " + crypto::base64(c.username + ":" + c.password));
  if (scheme == "basic") {
    if (basics.empty()) co_return refused(401, reference_);
    authorization_ = basics.front();
    co_return Unit{};
  }
  if (scheme != "bearer")
    co_return Error(Code::kUnavailable,
                    "the registry asks for an authentication Atoll does not know: " + scheme);
  basics.push_back("");  // and without, at last
  std::string query =
      "scope=" + net::percent_encode("repository:" + reference_.repository + ":pull");
  if (!parameters["service"].empty())
    query += "&service=" + net::percent_encode(parameters["service"]);
  for (const std::string& basic : basics) {
    auto token = co_await fetch_token(parameters["realm"], query, basic);
    if (token) {
      authorization_ = "Bearer " + *token;
      co_return Unit{};
    }
    if (token.error().code() != Code::kForbidden) co_return std::move(token).error();
  }
  co_return refused(401, reference_);
}

Task<std::string> RegistryClient::fetch_token(std::string realm, std::string query,
                                              std::string basic) {
  CO_TRY(const Url url, parse_url(realm));
  CO_TRY_OK(check_leads_to(reference_.api_host(), url.host));
  if (url.scheme == "http" && !is_loopback(url.host))
    co_return Error(Code::kInvalid, "the registry asks for a login over plain HTTP at " + url.host);
  net::ClientRequest request{
      "GET",
      url.target + (url.target.find('?') == std::string::npos ? "?" : "&") + query,
      {{"user-agent", "atoll"}},
      {}};
  if (!basic.empty()) request.headers.set("authorization", basic);
  CO_TRY(const Duration deadline, left());
  CO_TRY(auto response, co_await client_for(url.origin()).send(std::move(request), deadline));
  if (response.status != 200) co_return refused(response.status, reference_);
  CO_TRY(const std::string body, co_await response.body->read_all(1 << 20));
  CO_TRY(const json::Value document, json::parse(body));
  std::string token(
      json::string_at(document, {"token"}, json::string_at(document, {"access_token"})));
  if (token.empty()) co_return Error(Code::kUnavailable, "the registry's login gives no token");
  co_return token;
}

Task<RegistryClient::Fetched> RegistryClient::manifest(std::string tag_or_digest) {
  CO_TRY(auto response, co_await get("/v2/" + reference_.repository + "/manifests/" + tag_or_digest,
                                     std::string(kManifestTypes)));
  Fetched out;
  CO_TRY(out.bytes, co_await response.body->read_all(kManifestBytesMax));
  out.digest = "sha256:" + crypto::sha256_hex(out.bytes);
  if (is_digest(tag_or_digest) && out.digest != tag_or_digest) {
    co_return Error(Code::kInvalid,
                    "the registry's manifest does not match the digest " + tag_or_digest);
  }
  co_return out;
}

Task<std::shared_ptr<net::BodyReader>> RegistryClient::open_blob(Descriptor descriptor) {
  CO_TRY(auto response, co_await get("/v2/" + reference_.repository + "/blobs/" + descriptor.digest,
                                     "application/octet-stream"));
  co_return response.body;
}

Task<std::string> RegistryClient::blob(Descriptor descriptor) {
  if (descriptor.size > kManifestBytesMax)
    co_return Error(Code::kTooLarge, "the image's config is larger than 4 MiB");
  CO_TRY(const auto body, co_await open_blob(descriptor));
  CO_TRY(std::string bytes, co_await body->read_all(descriptor.size));
  if ("sha256:" + crypto::sha256_hex(bytes) != descriptor.digest) {
    co_return Error(Code::kInvalid,
                    "the registry's blob does not match its digest " + descriptor.digest);
  }
  co_return bytes;
}

}  // namespace atl::oci
