// Many requests of one kind through a few HTTP/2 connections: requests a second, and how long each
// took. Beside h2load it tells percentiles, and takes less of the two cores that it shares with the
// server.
#include <algorithm>
#include <cstdio>
#include <fstream>
#include <sstream>

#include "load/options.h"

namespace {

using namespace bench;  // NOLINT: a program of one file

constexpr std::string_view kUsage =
    "usage: bench_requests --path PATH [--port 6443] [--pem FILE] [--requests 1000] [--connections "
    "1]\n"
    "                      [--streams 1] [--body FILE]\n"
    "Without a body the requests are GETs, with one POSTs. --streams: at a time, of each "
    "connection.\n"
    "FILE of --pem: the client's certificate and key.";

class Run {
 public:
  Run(const Options& options, std::string body)
      : path_(options.text("path")), body_(std::move(body)), total_(options.number("requests")) {
    for (size_t i = 0; i < std::max<size_t>(1, options.number("connections")); ++i)
      connections_.push_back(std::make_unique<Connection>(options.target()));
    const size_t streams = std::max<size_t>(1, options.number("streams"));
    for (const auto& connection : connections_) {
      for (size_t i = 0; i < streams; ++i)
        slots_.push_back(std::make_unique<Slot>(*this, *connection));
    }
  }

  void go() {
    const auto begun = Clock::now();
    for (const auto& slot : slots_) slot->next();
    run_until(connections_, [&] { return done_ == total_; }, path_);
    const double seconds = milliseconds(Clock::now() - begun) / 1000;
    std::sort(took_.begin(), took_.end());
    std::printf("%zu requests, %zu failed, %.0f/s, p50 %.2f ms, p99 %.2f ms, max %.2f ms\n", total_,
                failed_, static_cast<double>(total_) / seconds, percentile(took_, 0.5),
                percentile(took_, 0.99), took_.empty() ? 0.0 : took_.back());
  }

 private:
  // One request after the other.
  class Slot final : public Receiver {
   public:
    Slot(Run& run, Connection& connection) : run_(run), connection_(connection) {}
    void next() {
      if (run_.begun_ == run_.total_) return;
      ++run_.begun_;
      status_ = 0;
      at_ = Clock::now();
      connection_.send(
          {.method = run_.body_.empty() ? "GET" : "POST", .path = run_.path_, .body = run_.body_},
          *this);
    }
    void on_status(int status) override { status_ = status; }
    void on_end() override {
      run_.took_.push_back(milliseconds(Clock::now() - at_));
      ++run_.done_;
      if (status_ < 200 || status_ >= 300) ++run_.failed_;
      next();
    }

   private:
    Run& run_;
    Connection& connection_;
    int status_ = 0;
    Clock::time_point at_;
  };

  const std::string path_;
  const std::string body_;
  const size_t total_;
  size_t begun_ = 0, done_ = 0, failed_ = 0;
  std::vector<double> took_;
  std::vector<std::unique_ptr<Connection>> connections_;
  std::vector<std::unique_ptr<Slot>> slots_;
};

}  // namespace

int main(int argc, char** argv) {
  const Options options(argc, argv,
                        {{"path", ""},
                         {"port", "6443"},
                         {"pem", ""},
                         {"requests", "1000"},
                         {"connections", "1"},
                         {"streams", "1"},
                         {"body", ""}},
                        kUsage);
  if (options.text("path").empty()) die(kUsage);
  std::string body;
  if (!options.text("body").empty()) {
    std::ifstream file(options.text("body"));
    std::stringstream text;
    text << file.rdbuf();
    body = text.str();
    if (body.empty()) die(options.text("body") + " holds no body");
  }
  Run(options, std::move(body)).go();
}
