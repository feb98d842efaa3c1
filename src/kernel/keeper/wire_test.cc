#include "kernel/keeper/wire.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

namespace atl::keeper {
namespace {

CreateArguments sample() {
  return {"id",  kStdin,      "/usr/bin/crun", "/run/crun", "/b",
          "net", "/b/rootfs", "/b/up",         "/b/work",   {"/l2", "/l1"}};
}

TEST(Wire, CreateSurvivesTheTrip) {
  int pair[2];
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
  const io::UniqueFd a(pair[0]);
  const io::UniqueFd b(pair[1]);
  auto bytes = encode(sample(), 42);
  ASSERT_TRUE(bytes);
  ASSERT_TRUE(send(a.get(), *bytes));
  auto packet = receive(b.get());
  ASSERT_TRUE(packet && *packet);
  EXPECT_EQ((*packet)->header().request, 42u);
  auto back = decode_create(**packet);
  ASSERT_TRUE(back) << back.error().message();
  EXPECT_EQ(back->overlay_lowers, (std::vector<std::string>{"/l2", "/l1"}));
  EXPECT_EQ(back->netns_key, "net");
  EXPECT_EQ(back->flags, kStdin);
}

TEST(Wire, FilePassesAndIsCloseOnExec) {
  int pair[2];
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
  const io::UniqueFd a(pair[0]);
  io::UniqueFd b(pair[1]);
  Request request;
  request.header.type = Type::kHold;
  const int zero = 0;
  ASSERT_TRUE(send_struct(a.get(), request, {&zero, 1}));
  auto packet = receive(b.get());
  ASSERT_TRUE(packet && *packet);
  ASSERT_EQ((*packet)->fds.size(), 1u);
  EXPECT_EQ(::fcntl((*packet)->fds[0].get(), F_GETFD), FD_CLOEXEC);
  b.reset();
  EXPECT_FALSE(send_struct(a.get(), request)) << "the peer is gone; no SIGPIPE";
}

TEST(Wire, RefusesWhatIsNotOurs) {
  struct Row {
    const char* sentence;
    std::string bytes;
  };
  std::string other = *encode(sample(), 1);
  other[4] = 9;
  const Row rows[] = {{"too short for a header", "abc"},
                      {"another magic", std::string(64, 'x')},
                      {"another version", other}};
  for (const Row& row : rows) {
    SCOPED_TRACE(row.sentence);
    EXPECT_FALSE(check_packet(Packet{row.bytes, {}}));
  }
}

TEST(Wire, RefusesBadCreates) {
  const std::string good = *encode(sample(), 1);
  struct Row {
    const char* sentence;
    std::string bytes;
  };
  std::string slash = *encode(
      [] {
        auto a = sample();
        a.id = "a/b";
        return a;
      }(),
      1);
  std::string no_lower = *encode(
      [] {
        auto a = sample();
        a.overlay_lowers.clear();
        return a;
      }(),
      1);
  const Row rows[] = {{"a string without end", good.substr(0, good.size() - 1)},
                      {"a string too few", good.substr(0, good.size() - 4)},
                      {"an id with a slash", slash},
                      {"an overlay without layers", no_lower},
                      {"only the fixed part", good.substr(0, sizeof(CreateRequest))}};
  for (const Row& row : rows) {
    SCOPED_TRACE(row.sentence);
    EXPECT_FALSE(decode_create(Packet{row.bytes, {}}));
  }
  CreateArguments many = sample();
  for (int i = 0; i < 5'000; ++i) many.overlay_lowers.push_back("/a/rather/long/path");
  EXPECT_FALSE(encode(many, 1)) << "does not fit one packet";
}

}  // namespace
}  // namespace atl::keeper
