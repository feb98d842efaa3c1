// One event to many watchers: how long until each of them, and until the last, has it, and what a
// watcher costs in the server's memory. Client and server share the machine.
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <memory>

#include "load/etcd_peer.h"
#include "load/options.h"

namespace {

using namespace bench;  // NOLINT: a program of one file

constexpr std::string_view kUsage =
    "usage: bench_watch_fanout [--port 6443] [--pem FILE] [--pid SERVER] [--watchers 1000]\n"
    "                          [--streams 1000] [--events 20] [--bytes 3000] [--etcd PORT]\n"
    "Makes a namespace of its own and removes it. --streams: of one connection. FILE of --pem: "
    "the\n"
    "client's certificate and key. --pid: whose resident memory is compared. --etcd: the same "
    "with\n"
    "the etcd that serves gRPC in clear on that port of loopback.";

const std::string kNamespace = "bench-watch-fanout-" + std::to_string(::getpid());
constexpr double kTargetMilliseconds = 30;  // p99 at kTargetWatchers
constexpr size_t kTargetWatchers = 4'000;
constexpr double kTargetKib = 10;

double resident_kib(const std::string& pid) {
  std::ifstream file("/proc/" + pid + "/status");
  std::string word;
  while (file >> word) {
    double kib = 0;
    if (word == "VmRSS:" && file >> kib) return kib;
  }
  die("there is no process " + pid);
}

std::string_view verdict(bool met) {
  return met ? "met" : "not met";
}

// Counts the lines of one watch stream: an event is a line.
class Lines final : public Receiver {
 public:
  explicit Lines(Deliveries& deliveries) : deliveries_(deliveries) {}
  void on_status(int status) override {
    if (status != 200) die("a watch was answered with " + std::to_string(status));
    deliveries_.ready();
  }
  void on_data(std::string_view piece) override {
    size_t lines = 0;
    // find() is memchr: std::count looks at one byte after the other, a third of the client's time.
    for (size_t at = 0; (at = piece.find('\n', at)) != std::string_view::npos; ++at) ++lines;
    if (lines > 0) deliveries_.arrived(lines);
  }
  void on_end() override {
    if (!deliveries_.over) die("the server ended a watch");
  }

 private:
  Deliveries& deliveries_;
};

class Fanout {
 public:
  explicit Fanout(const Options& options)
      : options_(options), watchers_(options.number("watchers")), deliveries_(watchers_) {
    connections_.push_back(std::make_unique<Connection>(options.target()));  // of the writer
    make_namespace();
  }
  ~Fanout() {
    deliveries_.over = true;
    ask(connections_, 0, {.method = "DELETE", .path = "/api/v1/namespaces/" + kNamespace});
  }
  Fanout(const Fanout&) = delete;
  Fanout& operator=(const Fanout&) = delete;

  void open() {
    const std::string from = put("begin");
    const std::string pid = options_.text("pid");
    const double before = pid.empty() ? 0 : resident_kib(pid);
    const std::string path = configmaps() + "?watch=true&resourceVersion=" + from;
    const size_t streams = std::max<size_t>(1, options_.number("streams"));
    for (size_t i = 0; i < watchers_; ++i) {
      if (i % streams == 0) connections_.push_back(std::make_unique<Connection>(options_.target()));
      lines_.push_back(std::make_unique<Lines>(deliveries_));
      connections_.back()->send({.path = path}, *lines_.back());
    }
    run_until(connections_, [&] { return deliveries_.all_ready(); }, "watches to open");
    if (!pid.empty()) {
      const double each = (resident_kib(pid) - before) / static_cast<double>(watchers_);
      std::printf("%-52s %14.1f KiB   target %.0f KiB: %s\n", "  resident memory for each watcher",
                  each, kTargetKib, verdict(each <= kTargetKib).data());
    }
  }

  void events() {
    for (size_t i = 0; i < options_.number("events"); ++i) {
      deliveries_.expect();
      put(std::to_string(i));
      run_until(connections_, [&] { return deliveries_.complete(); }, "an event");
    }
  }

  Deliveries& deliveries() { return deliveries_; }

 private:
  static std::string configmaps() { return "/api/v1/namespaces/" + kNamespace + "/configmaps"; }

  // The namespace, its first object, and what controllers put into each namespace: all there before
  // the watches begin.
  void make_namespace() {
    const std::string ns = R"({"metadata":{"name":")" + kNamespace + R"("}})";
    ask(connections_, 0, {.method = "POST", .path = "/api/v1/namespaces", .body = ns});
    const std::string event = R"({"metadata":{"name":"event"}})";
    ask(connections_, 0, {.method = "POST", .path = configmaps(), .body = event});
    const auto end = Clock::now() + std::chrono::seconds(10);
    while (ask(connections_, 0, {.path = configmaps()}).find("kube-root-ca.crt") ==
           std::string::npos) {
      if (Clock::now() > end) die("the namespace's own objects do not come");
    }
  }

  // Changes the object; its revision.
  std::string put(const std::string& mark) {
    body_ = R"({"metadata":{"name":"event"},"data":{"mark":")" + mark + R"(","value":")" +
            std::string(options_.number("bytes"), 'x') + R"("}})";
    const std::string answer =
        ask(connections_, 0, {.method = "PUT", .path = configmaps() + "/event", .body = body_});
    const std::string field = R"("resourceVersion":")";
    const size_t at = answer.find(field) + field.size();
    return answer.substr(at, answer.find('"', at) - at);
  }

  const Options& options_;
  const size_t watchers_;
  Deliveries deliveries_;
  std::string body_;
  std::vector<std::unique_ptr<Connection>> connections_;
  std::vector<std::unique_ptr<Lines>> lines_;
};

void print(std::string_view what, Deliveries& deliveries, bool judged) {
  const Deliveries::Summary s = deliveries.summary();
  std::printf("%-52s %14s   ", std::string(what).c_str(), "");
  std::printf("each p50 %.1f ms, p99 %.1f ms; last p50 %.1f ms, p99 %.1f ms", s.each_p50,
              s.each_p99, s.last_p50, s.last_p99);
  if (judged) {
    std::printf("   target p99 %.0f ms at %zu: %s", kTargetMilliseconds, kTargetWatchers,
                verdict(s.each_p99 <= kTargetMilliseconds).data());
  }
  std::printf("\n");
}

}  // namespace

int main(int argc, char** argv) {
  const Options options(argc, argv,
                        {{"port", "6443"},
                         {"pem", ""},
                         {"pid", ""},
                         {"watchers", "1000"},
                         {"streams", "1000"},
                         {"events", "20"},
                         {"bytes", "3000"},
                         {"etcd", ""}},
                        kUsage);
  const std::string title = "one event of " + options.text("bytes") + " bytes to " +
                            options.text("watchers") + " watchers";
  Fanout fanout(options);
  std::printf("%s\n", title.c_str());
  fanout.open();
  fanout.events();
  print("  from sending the write to having the event", fanout.deliveries(), true);
  if (!options.text("etcd").empty()) {
    EtcdPeer peer(options);
    peer.run();
    print("  etcd: the same without TLS", peer.deliveries(), false);
  }
}
