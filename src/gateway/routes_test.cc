#include "gateway/routes.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/crypto/base64.h"
#include "gateway/haproxy_config.h"

namespace atl::gateway {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::Pair;
using ::testing::UnorderedElementsAre;

api::ObjectPtr object(const std::string& text) {
  auto parsed = json::parse(text);
  EXPECT_TRUE(parsed) << text;
  return *api::Object::from_document(*std::move(parsed), Revision(1));
}

// An Ingress with one path.
IngressInfo ingress(const std::string& name, const std::string& host, const std::string& path,
                    bool exact = false, const std::string& created = "2026-01-01T00:00:00Z") {
  return {.key = {"default", name},
          .created = created,
          .hosts = {host},
          .paths = {{host, exact, path, {.service = "web", .port_number = 80}}}};
}

World world(std::vector<IngressInfo> ingresses) {
  World out{.ingresses = std::move(ingresses)};
  out.services[{"default", "web"}] = {.cluster_ip = "10.96.0.7", .ports = {{"http", 80}}};
  out.services[{"default", "api"}] = {.cluster_ip = "10.96.0.8", .ports = {{"grpc", 90, true}}};
  out.services[{"default", "outside"}] = {.external = true};
  out.services[{"default", "peers"}] = {.ports = {{"http", 80}, {"admin", 81}},
                                        .endpoints = {{"http", "10.42.0.7:8080"}}};
  return out;
}

TEST(Routes, KeysAreHostAndPath) {
  const struct {
    const char* why;
    IngressInfo ingress;
    const char* key;  // in the exact map where the path is exact
  } cases[] = {
      {"a prefix ends in a slash", ingress("a", "a.org", "/foo"), "a.org/foo/"},
      {"and may have had one", ingress("a", "a.org", "/foo/"), "a.org/foo/"},
      {"everything", ingress("a", "a.org", "/"), "a.org/"},
      {"an exact path stays", ingress("a", "a.org", "/foo", true), "a.org/foo"},
      {"with its slash", ingress("a", "a.org", "/foo/", true), "a.org/foo/"},
      {"the case of paths counts", ingress("a", "a.org", "/Foo"), "a.org/Foo/"},
      {"a wildcard host", ingress("a", "*.a.org", "/"), "*.a.org/"},
      {"no host", ingress("a", "", "/foo"), "-/foo/"},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(c.why);
    Plan p = plan(world({c.ingress}));
    auto& map = c.ingress.paths[0].exact ? p.exact : p.prefix;
    EXPECT_EQ(map[c.key], "10.96.0.7:80::");
    EXPECT_THAT(p.problems, IsEmpty());
  }
}

TEST(Routes, AHostThatIsNamedAnswersForAllItsPaths) {
  // Otherwise /other would fall through to *.org, or to a rule for every host.
  EXPECT_EQ(plan(world({ingress("a", "a.org", "/foo")})).prefix["a.org/"], "none");
  IngressInfo with_default = ingress("a", "a.org", "/foo");
  with_default.default_backend = {.service = "peers", .port_name = "http"};
  EXPECT_EQ(plan(world({with_default})).prefix["a.org/"], "10.42.0.7:8080::");
  IngressInfo only_default{.key = {"default", "d"},
                           .default_backend = BackendRef{.service = "web", .port_number = 80}};
  EXPECT_THAT(plan(world({only_default})).prefix, ElementsAre(Pair("-/", "10.96.0.7:80::")));
}

TEST(Routes, ADefaultNeverHidesAPathOfAnotherIngress) {
  IngressInfo older = ingress("a", "a.org", "/foo");
  older.default_backend = {.service = "peers", .port_name = "http"};
  const IngressInfo younger = ingress("b", "a.org", "/", false, "2026-02-01T00:00:00Z");
  EXPECT_EQ(plan(world({older, younger})).prefix["a.org/"], "10.96.0.7:80::");
}

TEST(Routes, BackendsAreResolvedOrSaidToBeMissing) {
  const struct {
    const char* why;
    BackendRef backend;
    const char* value;
    const char* problem;
  } cases[] = {
      {"by number", {.service = "web", .port_number = 80}, "10.96.0.7:80::", ""},
      {"by name", {.service = "web", .port_name = "http"}, "10.96.0.7:80::", ""},
      {"HTTP/2 in clear", {.service = "api", .port_number = 90}, "10.96.0.8:90:h:", ""},
      {"a headless Service leads to a pod",
       {.service = "peers", .port_number = 80},
       "10.42.0.7:8080::",
       ""},
      {"none of whose pods is ready", {.service = "peers", .port_name = "admin"}, "down", ""},
      {"no such Service",
       {.service = "nobody", .port_number = 80},
       "gone",
       "there is no Service \"nobody\" in namespace default"},
      {"no such port",
       {.service = "web", .port_number = 81},
       "gone",
       "Service \"web\" has no port 81"},
      {"no port of that name",
       {.service = "web", .port_name = "x"},
       "gone",
       "Service \"web\" has no port \"x\""},
      {"out of the cluster",
       {.service = "outside", .port_number = 80},
       "gone",
       "Service \"outside\" is of type ExternalName"},
      {"another kind", {.resource = true}, "gone", "resource backends are not supported"},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(c.why);
    IngressInfo i = ingress("a", "a.org", "/");
    i.paths[0].backend = c.backend;
    Plan p = plan(world({i}));
    EXPECT_EQ(p.prefix["a.org/"], c.value);
    const auto& problems = p.problems[i.key];
    ASSERT_EQ(problems.size(), c.problem[0] == '\0' ? 0u : 1u);
    if (!problems.empty()) EXPECT_THAT(problems[0].message, HasSubstr(c.problem));
  }
}

TEST(Routes, TheOlderIngressKeepsAPath) {
  IngressInfo older = ingress("z", "a.org", "/", false, "2026-01-01T00:00:00Z");
  IngressInfo younger = ingress("a", "a.org", "/", false, "2026-01-02T00:00:00Z");
  younger.paths[0].backend = {.service = "api", .port_number = 90};
  Plan p = plan(world({younger, older}));
  EXPECT_EQ(p.prefix["a.org/"], "10.96.0.7:80::");
  EXPECT_THAT(p.problems[younger.key],
              ElementsAre(Problem{"Conflict", "a.org/ belongs to the older Ingress default/z"}));
  EXPECT_THAT(p.problems[older.key], IsEmpty());
  older.created = younger.created;  // then the name decides
  EXPECT_EQ(plan(world({younger, older})).prefix["a.org/"], "10.96.0.8:90:h:");
}

TEST(Routes, APathThatCannotBeWrittenDownIsRefused) {
  for (const char* path : {"/a b", "/a;b", "/a\nx", "/a\\", "relative", "/\"", "/\xc3\xa4"}) {
    Plan p = plan(world({ingress("a", "a.org", path)}));
    EXPECT_EQ(p.prefix.size(), 1u) << path;  // a.org/ none
    EXPECT_EQ((p.problems[{"default", "a"}].at(0).reason), "PathNotRoutable") << path;
  }
}

TEST(Routes, RedirectsOnlyWhenAsked) {
  IngressInfo i = ingress("a", "a.org", "/");
  i.to_https = true;
  EXPECT_EQ(plan(world({i})).prefix["a.org/"], "10.96.0.7:80:r:");
}

TEST(Routes, CertificatesAreShownForTheHostsOfTheIngress) {
  IngressInfo a = ingress("a", "a.org", "/");
  a.tls = {{"cert", {"a.org", "*.a.org"}}, {"missing", {"m.org"}}, {"", {"d.org"}}, {"empty", {}}};
  IngressInfo b = ingress("b", "b.org", "/", false, "2026-02-01T00:00:00Z");
  b.tls = {{"cert2", {"a.org"}}, {"cert3", {}}};
  World w = world({a, b});
  w.secrets[{"default", "cert"}] = {"PEM"};
  w.secrets[{"default", "cert2"}] = {"PEM2"};
  w.secrets[{"default", "cert3"}] = {"PEM3"};
  w.secrets[{"default", "empty"}] = {};
  Plan p = plan(w);
  EXPECT_THAT(
      p.certificates,
      UnorderedElementsAre(Pair("default_cert.pem", Certificate{"PEM", {"a.org", "*.a.org"}}),
                           Pair("default_cert3.pem", Certificate{"PEM3", {"b.org"}})))
      << "a.org has the older Ingress's; without hosts, those of the rules";
  ASSERT_EQ(p.problems[a.key].size(), 2u);
  EXPECT_THAT(p.problems[a.key][0].message, HasSubstr("there is no Secret \"missing\""));
  EXPECT_THAT(p.problems[a.key][1].message, HasSubstr("holds no tls.crt and tls.key"));
}

TEST(IngressModel, ReadsApiObjects) {
  const IngressInfo got =
      ingress_info(*object(R"({"apiVersion":"networking.k8s.io/v1","kind":"Ingress",
    "metadata":{"namespace":"default","name":"web","creationTimestamp":"2026-01-01T00:00:00Z",
      "annotations":{"nginx.ingress.kubernetes.io/ssl-redirect":"true"}},
    "spec":{"ingressClassName":"atoll","defaultBackend":{"resource":{"kind":"Bucket","name":"x"}},
      "tls":[{"secretName":"cert","hosts":["A.org"]}],
      "rules":[{"host":"A.org","http":{"paths":[
          {"path":"/x","pathType":"Exact","backend":{"service":{"name":"web","port":{"number":80}}}},
          {"pathType":"ImplementationSpecific","backend":{"service":{"name":"web","port":{"name":"http"}}}}]}},
        {"host":"only-host.org"},{"host":"bad host\nx"}]}})"));
  EXPECT_EQ(got,
            (IngressInfo{.key = {"default", "web"},
                         .created = "2026-01-01T00:00:00Z",
                         .class_name = "atoll",
                         .hosts = {"a.org", "only-host.org"},
                         .paths = {{"a.org", true, "/x", {.service = "web", .port_number = 80}},
                                   {"a.org", false, "/", {.service = "web", .port_name = "http"}}},
                         .default_backend = BackendRef{.resource = true},
                         .tls = {{"cert", {"a.org"}}},
                         .to_https = true}));
  EXPECT_EQ(
      ingress_info(*object(R"({"apiVersion":"networking.k8s.io/v1","kind":"Ingress","metadata":
    {"namespace":"d","name":"w","annotations":{"kubernetes.io/ingress.class":"nginx"}}})"))
          .class_name,
      "nginx");
}

TEST(IngressModel, ReadsServicesAndSecrets) {
  const GatewayService service = gateway_service(
      *object(R"({"apiVersion":"v1","kind":"Service","metadata":{"namespace":"d","name":"s"},"spec":
        {"clusterIP":"None","ports":[{"name":"http","port":80},{"name":"u","port":53,"protocol":"UDP"}]}})"),
      {object(
          R"({"apiVersion":"discovery.k8s.io/v1","kind":"EndpointSlice","metadata":{"namespace":"d",
        "name":"s-1"},"addressType":"IPv4","ports":[{"name":"http","port":8080}],"endpoints":[
        {"addresses":["10.42.0.1"],"conditions":{"ready":false}},{"addresses":["10.42.0.9"]},
        {"addresses":["10.42.0.3"]}]})")});
  EXPECT_EQ(service.ports, (std::vector<GatewayServicePort>{{"http", 80}}));
  EXPECT_THAT(service.endpoints, ElementsAre(Pair("http", "10.42.0.3:8080")));
  const auto secret = [](const std::string& type, const std::string& crt, const std::string& key) {
    return gateway_secret(*object(fmt::format(
        R"({{"apiVersion":"v1","kind":"Secret","metadata":{{"namespace":"d","name":"s"}},"type":"{}",
        "data":{{"tls.crt":"{}","tls.key":"{}"}}}})",
        type, crypto::base64(crt), crypto::base64(key))));
  };
  const std::string crt = "-----BEGIN CERTIFICATE-----", key = "-----BEGIN PRIVATE KEY-----";
  EXPECT_EQ(secret("kubernetes.io/tls", crt, key).pem, crt + "\n" + key + "\n");
  EXPECT_EQ(secret("Opaque", crt, key).pem, "");
  EXPECT_EQ(secret("kubernetes.io/tls", crt, "nonsense").pem, "");
}

TEST(IngressModel, AnotherSetOfReadyPodsIsAnotherGeneration) {
  const auto generation = [](std::vector<std::string> endpoints) {
    std::string list;
    for (const std::string& each : endpoints) list += (list.empty() ? "" : ",") + each;
    return gateway_service(
               *object(
                   R"({"apiVersion":"v1","kind":"Service","metadata":{"namespace":"d","name":"s"},
                 "spec":{"clusterIP":"10.96.0.7","ports":[{"port":80}]}})"),
               {object(R"({"apiVersion":"discovery.k8s.io/v1","kind":"EndpointSlice","metadata":
                 {"namespace":"d","name":"s-1"},"addressType":"IPv4","endpoints":[)" +
                       list + "]}")})
        .generation;
  };
  const std::string a = R"({"addresses":["10.42.0.1"]})", b = R"({"addresses":["10.42.0.2"]})";
  const std::string leaving = R"({"addresses":["10.42.0.2"],"conditions":{"ready":false}})";
  EXPECT_EQ(generation({a, b}), generation({b, a}));
  EXPECT_NE(generation({a, b}), generation({a}));
  EXPECT_EQ(generation({a, leaving}), generation({a}));
  EXPECT_NE(generation({a}), generation({}));
}

TEST(GatewayService, EndpointsAreAddressesOfHostsAndNothingElse) {
  const auto peers = object(R"({"apiVersion":"v1","kind":"Service","metadata":{"namespace":"d",
    "name":"s"},"spec":{"clusterIP":"None","ports":[{"name":"http","port":80}]}})");
  const std::pair<const char*, const char*> cases[] = {
      {"10.42.0.7", "10.42.0.7:8080"},
      {"10.42.0.7:1:: \\nevil.org/ 127.0.0.1", ""},
      {"10.42.0.7;show info", ""},
      {"10.42.0.7\\u0000x", ""},
      {"010.42.0.7", ""},
      {"localhost", ""},
      {"127.0.0.1", ""},
      {"169.254.20.1", ""},
      {"0.0.0.0", ""},
      {"224.0.0.1", ""},
  };
  for (const auto& [address, want] : cases) {
    SCOPED_TRACE(address);
    const auto slice = object(R"({"apiVersion":"discovery.k8s.io/v1","kind":"EndpointSlice",
      "metadata":{"namespace":"d","name":"s-1"},"addressType":"IPv4","ports":[{"name":"http",
      "port":8080}],"endpoints":[{"addresses":[")" +
                              std::string(address) + R"("]}]})");
    const GatewayService read = gateway_service(*peers, {slice});
    const auto it = read.endpoints.find("http");
    EXPECT_EQ(it == read.endpoints.end() ? "" : it->second, want);
  }
  const auto odd = object(R"({"apiVersion":"v1","kind":"Service","metadata":{"namespace":"d",
    "name":"s"},"spec":{"clusterIP":"10.96.0.7 x","ports":[{"name":"http","port":80}]}})");
  EXPECT_EQ(gateway_service(*odd, {}).cluster_ip, "");
}

TEST(HaproxyConfig, ListensWhereItIsToldAndNowhereElse) {
  Options options;
  options.folder = "/g";
  options.addresses = {"127.0.0.1", "169.254.20.1"};
  options.http_port = 8080;
  const std::string config = haproxy_config(options);
  EXPECT_THAT(config, HasSubstr("bind 127.0.0.1:8080\n"));
  EXPECT_THAT(config, HasSubstr("bind 169.254.20.1:443 transparent ssl crt-list /g/default.list"));
  EXPECT_THAT(config, Not(HasSubstr("bind *")));
  EXPECT_THAT(config, Not(HasSubstr("bind :")));
}

}  // namespace
}  // namespace atl::gateway
