#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/core/check.h"
#include "base/net/http1_parser_impl.h"

// The first byte chooses requests or responses; the rest is a connection's bytes. However they are
// cut, the parser must agree with itself: a message that passes in one piece passes byte by byte,
// and equally.
namespace {

using atl::net::Http1Parser;

struct Outcome {
  bool good = true;
  bool done = false;
  size_t used = 0;
  std::string body;
  std::string head;
};

Outcome parse(std::string_view bytes, Http1Parser::Role role, size_t step) {
  const auto parser = Http1Parser::make(role, 4096);
  Outcome out;
  std::string pending;
  size_t at = 0;
  while (at < bytes.size() && out.good && !parser->done()) {
    pending.append(bytes.substr(at, step));
    at += std::min(step, bytes.size() - at);
    const auto used = parser->feed(pending);
    out.good = used.has_value();
    if (!used) break;
    CHECK(*used <= pending.size());
    out.used += *used;
    pending.erase(0, *used);
    out.body += parser->take_body();
  }
  out.done = parser->done();
  out.head = parser->head().method + " " + parser->head().target + " " +
             std::to_string(parser->head().status);
  for (const auto& [name, value] : parser->head().headers.items())
    out.head += "\n" + name + ": " + value;
  return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  constexpr Http1Parser::Role kRoles[] = {Http1Parser::Role::kRequest, Http1Parser::Role::kResponse,
                                          Http1Parser::Role::kResponseToHead};
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  const Outcome whole = parse(bytes, kRoles[data[0] % 3], bytes.size() + 1);
  const Outcome cut = parse(bytes, kRoles[data[0] % 3], 1);
  if (whole.good && cut.good && whole.done) {
    CHECK(cut.done && cut.used == whole.used);
    CHECK(cut.body == whole.body);
    CHECK(cut.head == whole.head);
  }
  return 0;
}
