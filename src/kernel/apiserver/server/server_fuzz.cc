// Whole requests: "METHOD target\ncontent-type\nbody". Each gets an answer, none of them a 5xx that
// says the server broke, and the server still works after it.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "kernel/apiserver/testing/harness.h"

namespace {

std::string cut(std::string_view& text, char at) {
  const size_t end = std::min(text.find(at), text.size());
  std::string head(text.substr(0, end));
  text.remove_prefix(std::min(end + 1, text.size()));
  return head;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace atl;
  using namespace atl::apiserver;
  std::string_view text(reinterpret_cast<const char*>(data), size);
  const std::string method = cut(text, ' ');
  const std::string target = "/" + cut(text, '\n');
  const std::string type = cut(text, '\n');
  const std::string body(text);
  if (target.find("watch") != std::string::npos) return 0;  // a stream has no end to wait for
  Harness harness;
  harness.run([&]() -> Task<> {
    const auto reply = co_await harness.call(method, target, body, {{"content-type", type}});
    if (reply->status == 0 || reply->status == 500) std::abort();
    const auto health = co_await harness.call("GET", "/readyz");
    if (health->status != 200) std::abort();
    co_return Unit{};
  });
  return 0;
}
