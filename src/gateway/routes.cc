#include "gateway/routes.h"

#include <fmt/format.h>

#include <algorithm>

namespace atl::gateway {
namespace {

constexpr std::string_view kNone = "none";  // 404
constexpr std::string_view kGone = "gone";  // 503: the Service is missing
constexpr std::string_view kDown = "down";  // 503: nobody is ready

struct Target {
  std::string value;  // of the map
  std::string problem;
};

const GatewayServicePort* find_port(const GatewayService& service, const BackendRef& backend) {
  const auto it = std::ranges::find_if(service.ports, [&](const GatewayServicePort& p) {
    return backend.port_name.empty() ? p.number == backend.port_number
                                     : p.name == backend.port_name;
  });
  return it == service.ports.end() ? nullptr : &*it;
}

Target gone(std::string problem) {
  return {std::string(kGone), std::move(problem)};
}

Target target_of(const World& world, const IngressInfo& ingress, const BackendRef& backend) {
  if (backend.resource) {
    return gone("a backend must be a Service: resource backends are not supported");
  }
  const auto it = world.services.find({ingress.key.ns, backend.service});
  if (it == world.services.end()) {
    return gone(
        fmt::format("there is no Service \"{}\" in namespace {}", backend.service, ingress.key.ns));
  }
  const GatewayService& service = it->second;
  if (service.external) {
    return gone(
        fmt::format("Service \"{}\" is of type ExternalName, which leads out of the cluster; "
                    "name one that has pods",
                    backend.service));
  }
  const GatewayServicePort* port = find_port(service, backend);
  if (port == nullptr) {
    return gone(fmt::format("Service \"{}\" has no port {}", backend.service,
                            backend.port_name.empty() ? std::to_string(backend.port_number)
                                                      : "\"" + backend.port_name + "\""));
  }
  std::string flags;
  if (ingress.to_https) flags += 'r';
  if (port->http2) flags += 'h';
  if (!service.cluster_ip.empty()) {
    return {fmt::format("{}:{}:{}:{}", service.cluster_ip, port->number, flags, service.generation),
            ""};
  }
  const auto endpoint = service.endpoints.find(port->name);
  if (endpoint == service.endpoints.end()) return {std::string(kDown), ""};
  return {fmt::format("{}:{}:{}", endpoint->second, flags, service.generation), ""};
}

// What HAProxy's maps and its command line can hold. The API allows more.
bool routable(std::string_view path) {
  return path.starts_with('/') && std::ranges::all_of(path, [](char c) {
           return c > ' ' && c < 127 && c != ';' && c != '\\' && c != '"';
         });
}

std::string map_host(const std::string& host) {
  return host.empty() ? "-" : host;
}

// "/foo/" and "/foo" are the same prefix.
std::string prefix_key(const std::string& host, std::string path) {
  while (!path.empty() && path.back() == '/') path.pop_back();
  return map_host(host) + path + "/";
}

class Planner {
 public:
  explicit Planner(World world) : world_(std::move(world)) {
    std::ranges::sort(world_.ingresses, {},
                      [](const IngressInfo& i) { return std::tie(i.created, i.key); });
  }

  Plan run() {
    for (const IngressInfo& ingress : world_.ingresses) add_paths(ingress);
    // After all paths, so that nobody's default hides another's "/".
    for (const IngressInfo& ingress : world_.ingresses) add_default(ingress);
    for (const IngressInfo& ingress : world_.ingresses) {
      for (const std::string& host : ingress.hosts) {
        if (!host.empty()) out_.prefix.try_emplace(prefix_key(host, ""), kNone);
      }
    }
    for (const IngressInfo& ingress : world_.ingresses) add_certificates(ingress);
    return std::move(out_);
  }

 private:
  void problem(const IngressInfo& ingress, std::string reason, std::string message) {
    auto& all = out_.problems[ingress.key];
    const Problem problem{std::move(reason), std::move(message)};
    if (std::ranges::find(all, problem) == all.end()) all.push_back(problem);
  }

  Target target(const IngressInfo& ingress, const BackendRef& backend) {
    Target out = target_of(world_, ingress, backend);
    if (!out.problem.empty()) problem(ingress, "BackendNotFound", out.problem);
    return out;
  }

  void add_paths(const IngressInfo& ingress) {
    for (const IngressPath& path : ingress.paths) {
      if (!routable(path.path)) {
        problem(ingress, "PathNotRoutable",
                fmt::format("the path \"{}\" cannot be served: it must start with / and hold no "
                            "space, semicolon, quote or backslash",
                            path.path));
        continue;
      }
      const std::string key =
          path.exact ? map_host(path.host) + path.path : prefix_key(path.host, path.path);
      auto& map = path.exact ? out_.exact : out_.prefix;
      const auto [owner, fresh] = owners_.try_emplace((path.exact ? "=" : "^") + key, ingress.key);
      if (!fresh) {
        problem(ingress, "Conflict",
                fmt::format("{}{} belongs to the older Ingress {}", path.host, path.path,
                            owner->second.text()));
        continue;
      }
      map[key] = target(ingress, path.backend).value;
    }
  }

  // spec.defaultBackend takes what is left of the Ingress's own hosts; of everything, where it has
  // no rules.
  void add_default(const IngressInfo& ingress) {
    if (!ingress.default_backend) return;
    std::set<std::string> hosts = ingress.hosts;
    if (hosts.empty()) hosts.insert("");
    const Target to = target(ingress, *ingress.default_backend);
    for (const std::string& host : hosts) out_.prefix.try_emplace(prefix_key(host, ""), to.value);
  }

  void add_certificates(const IngressInfo& ingress) {
    for (const IngressTls& tls : ingress.tls) {
      if (tls.secret.empty()) continue;  // the default certificate
      const api::ObjectKey key{ingress.key.ns, tls.secret};
      const auto secret = world_.secrets.find(key);
      if (secret == world_.secrets.end() || secret->second.pem.empty()) {
        problem(ingress, "CertificateNotFound",
                fmt::format("{} Secret \"{}\" {}; the default certificate is shown",
                            secret == world_.secrets.end() ? "there is no" : "the", tls.secret,
                            secret == world_.secrets.end() ? fmt::format("in namespace {}", key.ns)
                                                           : "holds no tls.crt and tls.key"));
        continue;
      }
      Certificate& certificate = out_.certificates[certificate_name(key)];
      certificate.pem = secret->second.pem;
      std::set<std::string> hosts(tls.hosts.begin(), tls.hosts.end());
      if (hosts.empty()) hosts = ingress.hosts;
      for (const std::string& host : hosts) {
        if (host.empty()) continue;
        const auto [owner, fresh] = certified_.try_emplace(host, key);
        if (fresh || owner->second == key) certificate.hosts.insert(host);
      }
    }
    // A certificate all of whose hosts have another by now would answer for the names it holds
    // itself.
    std::erase_if(out_.certificates, [](const auto& c) { return c.second.hosts.empty(); });
  }

  World world_;
  Plan out_;
  std::map<std::string, api::ObjectKey> owners_;     // of keys, "=" exact, "^" prefix
  std::map<std::string, api::ObjectKey> certified_;  // host → Secret
};

}  // namespace

Plan plan(World world) {
  return Planner(std::move(world)).run();
}

std::string certificate_name(const api::ObjectKey& secret) {
  return secret.ns + "_" + secret.name + ".pem";  // neither may hold an underscore
}

}  // namespace atl::gateway
