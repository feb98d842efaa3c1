#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>

#include "base/io/files.h"
#include "base/net/test_peers.h"

// Programs that know nothing of Atoll talk to its server: curl, nghttp, h2load. Skipped where they
// are not installed.
namespace atl::net {
namespace {

class OutsidePeers : public NetTest {
 protected:
  OutsidePeers() {
    char pattern[] = "/tmp/atoll-peers-XXXXXX";
    folder_ = ::mkdtemp(pattern);
    ca_ = folder_ + "/ca.pem";
    EXPECT_TRUE(io::write_file_atomic(ca_, certificates_.authority->certificate_pem(), 0600));
  }
  ~OutsidePeers() override { std::filesystem::remove_all(folder_); }

  static bool installed(const std::string& program) {
    return std::filesystem::exists("/usr/bin/" + program);
  }

  // What the program printed, while this process serves it.
  Async<std::string> output_of(std::vector<std::string> words) {
    const std::string out = folder_ + "/out";
    words.front() = "/usr/bin/" + words.front();
    std::vector<char*> arguments;
    for (std::string& word : words) arguments.push_back(word.data());
    arguments.push_back(nullptr);
    posix_spawn_file_actions_t actions;
    ::posix_spawn_file_actions_init(&actions);
    ::posix_spawn_file_actions_addopen(&actions, 1, out.c_str(), O_CREAT | O_TRUNC | O_WRONLY,
                                       0600);
    ::posix_spawn_file_actions_adddup2(&actions, 1, 2);
    pid_t pid = 0;
    EXPECT_EQ(::posix_spawn(&pid, arguments[0], &actions, nullptr, arguments.data(), environ), 0);
    ::posix_spawn_file_actions_destroy(&actions);
    const bool exited =
        co_await eventually([&] { return ::waitpid(pid, nullptr, WNOHANG) == pid; });
    if (!exited) {
      ::kill(pid, SIGKILL);
      ::waitpid(pid, nullptr, 0);
    }
    const auto text = io::read_file(out);
    co_return text ? *text : text.error().message();
  }

  std::string folder_;
  std::string ca_;
};

TEST_F(OutsidePeers, CurlOverEveryVersion) {
  if (!installed("curl")) GTEST_SKIP() << "curl is not installed";
  const uint16_t clear = serve_paths();
  const uint16_t tls = serve_paths({.tls = certificates_.server_identity()});
  const std::string body(300'000, 'c');
  ASSERT_TRUE(io::write_file_atomic(folder_ + "/body", body, 0600));
  const std::string insecure = "http://127.0.0.1:" + std::to_string(clear);
  const std::string secure = "https://localhost:" + std::to_string(tls);
  const std::vector<std::vector<std::string>> ways = {
      {"--http1.0", insecure}, {"--http1.1", insecure}, {"--http2-prior-knowledge", insecure},
      {"--http2", insecure},   {"--http1.1", secure},   {"--http2", secure},
  };
  go([&]() -> Task<> {
    for (const auto& way : ways) {
      SCOPED_TRACE(way[0] + " " + way[1]);
      const std::vector<std::string> common{"curl",     "-sS", "--noproxy", "*",
                                            "--cacert", ca_,   way[0]};
      const auto with = [&](std::vector<std::string> more) {
        std::vector<std::string> words = common;
        words.insert(words.end(), more.begin(), more.end());
        return words;
      };
      const std::string hello = co_await output_of(with({way[1] + "/hello"}));
      EXPECT_EQ(hello, "hello");
      const std::string lines = co_await output_of(with({way[1] + "/lines?n=2"}));
      EXPECT_EQ(lines, "line 0\nline 1\n");
      const std::string echoed =
          co_await output_of(with({"--data-binary", "@" + folder_ + "/body", way[1] + "/echo"}));
      EXPECT_TRUE(echoed == body) << echoed.substr(0, 200);
      const std::string head = co_await output_of(
          with({"-I", "-w", "%{http_code}", "-o", "/dev/null", way[1] + "/hello"}));
      EXPECT_EQ(head, "200");
    }
    co_return Unit{};
  });
}

TEST_F(OutsidePeers, NghttpSeesTrailers) {
  if (!installed("nghttp")) GTEST_SKIP() << "nghttp is not installed";
  const uint16_t clear = serve_paths();
  go([&]() -> Task<> {
    const std::string text = co_await output_of(
        {"nghttp", "-nv", "http://127.0.0.1:" + std::to_string(clear) + "/lines?n=2"});
    EXPECT_NE(text.find("x-lines: 2"), std::string::npos) << text;
    EXPECT_NE(text.find("error_code=NO_ERROR"), std::string::npos) << text;
    co_return Unit{};
  });
}

TEST_F(OutsidePeers, H2loadLosesNothing) {
  if (!installed("h2load")) GTEST_SKIP() << "h2load is not installed";
  const uint16_t clear = serve_paths();
  const uint16_t tls = serve_paths({.tls = certificates_.server_identity()});
  go([&]() -> Task<> {
    for (const std::string& url : {"http://127.0.0.1:" + std::to_string(clear),
                                   "https://127.0.0.1:" + std::to_string(tls)}) {
      for (const char* way : {"-ph2c", "--h1"}) {
        SCOPED_TRACE(url + " " + way);
        const std::string text =
            co_await output_of({"h2load", "-n2000", "-c4", "-m20", way, url + "/hello"});
        EXPECT_NE(text.find("2000 succeeded, 0 failed, 0 errored, 0 timeout"), std::string::npos)
            << text;
      }
    }
    co_return Unit{};
  });
}

}  // namespace
}  // namespace atl::net
