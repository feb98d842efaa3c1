// Keeps the programs of one instance running where there is no systemd; kernel/keeper/supervisor.h.
//
//   atoll-supervise [--home DIR]              runs in the foreground
//   atoll-supervise [--home DIR] LINE…        one control line to the running one: status, stop,
//   detach,
//                                             restart NAME, reload NAME

#include <pwd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <string>

#include "base/core/clock.h"
#include "base/io/files.h"
#include "base/io/layout.h"
#include "kernel/keeper/supervisor.h"

namespace {

using atl::io::Layout;

int fail(const atl::Error& error) {
  std::fprintf(stderr, "atoll-supervise: %s\n", error.message().c_str());
  return 1;
}

int control(const Layout& layout, const std::string& line) {
  const atl::io::UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  layout.supervise_socket().copy(address.sun_path, sizeof address.sun_path - 1);
  if (::connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) < 0) {
    std::fprintf(stderr, "atoll-supervise: nothing answers on %s; ./up starts it\n",
                 layout.supervise_socket().c_str());
    return 1;
  }
  const std::string text = line + "\n";
  if (::write(fd.get(), text.data(), text.size()) < 0) return 1;
  std::string out;
  char buffer[1024];
  for (ssize_t n = 0; (n = ::read(fd.get(), buffer, sizeof buffer)) > 0;)
    out.append(buffer, size_t(n));
  std::fputs(out.c_str(), stdout);
  return out.starts_with("error") ? 1 : 0;
}

atl::keeper::ServiceSpec service(const Layout& layout, const std::string& name) {
  atl::keeper::ServiceSpec s;
  s.name = name;
  s.argv = {layout.lib + "/atoll-" + name};
  if (!layout.home.empty()) s.argv.insert(s.argv.end(), {"--home", layout.home});
  s.log_file = layout.log_folder() + "/" + name + ".log";
  s.pid_file = layout.run + "/" + name + ".pid";
  return s;
}

std::vector<atl::keeper::ServiceSpec> services(const Layout& layout,
                                               const atl::io::Config& config) {
  atl::keeper::ServiceSpec server = service(layout, "server");
  server.user = config.get("SERVER_USER");
  atl::keeper::ServiceSpec haproxy = service(layout, "haproxy");
  haproxy.wait_for_file = layout.gateway_data() + "/haproxy.cfg";  // the gateway's driver writes it
  haproxy.argv = {"/usr/sbin/haproxy", "-W", "-db", "-f", haproxy.wait_for_file};
  haproxy.user = config.get("GATEWAY_USER");
  haproxy.low_ports = true;
  haproxy.reload_signal = SIGUSR2;
  return {service(layout, "keeper"), server, service(layout, "agent"), haproxy};
}

}  // namespace

int main(int argc, char** argv) {
  std::string home;
  std::string line;
  for (int i = 1; i < argc; ++i) {
    if (std::string(argv[i]) == "--home" && i + 1 < argc) {
      home = argv[++i];
    } else {
      line += (line.empty() ? "" : " ") + std::string(argv[i]);
    }
  }
  const Layout layout = Layout::of(home);
  if (!line.empty()) return control(layout, line);
  if (::geteuid() != 0) return fail(atl::Error(atl::Code::kForbidden, "must run as root"));
  auto config = atl::io::Config::load(layout.config_file());
  if (!config) return fail(config.error());
  if (auto made = atl::io::make_folders(layout.run, 0755); !made) return fail(made.error());
  if (auto made = atl::io::make_folders(layout.log_folder(), 0750); !made)
    return fail(made.error());
  atl::keeper::SupervisorOptions options;
  options.lock_file = layout.run + "/supervise.lock";
  options.control_socket = layout.supervise_socket();
  options.keeper_socket = layout.keeper_socket();
  options.services = services(layout, *config);
  if (const passwd* user = ::getpwnam(config->get("SERVER_USER").c_str()))
    options.control_uid = user->pw_uid;
  options.control_may = "haproxy";
  const atl::SystemClock clock;
  auto supervisor = atl::keeper::Supervisor::open(options, clock);
  if (!supervisor) return fail(supervisor.error());
  if (auto done = (*supervisor)->run(); !done) return fail(done.error());
  return 0;
}
