// Accept headers of strangers.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "kernel/apiserver/pipeline/negotiate.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace atl;
  const std::string text(reinterpret_cast<const char*>(data), size);
  const auto ranges = apiserver::parse_accept(text);
  if (ranges.empty()) return 0;  // everything was refused by q=0
  for (size_t i = 1; i < ranges.size(); ++i) {
    if (ranges[i - 1].quality < ranges[i].quality) std::abort();
  }
  const auto view = apiserver::choose_view({{"accept", text}}, {}, apiserver::ProtobufForm::kKnown);
  if (view && view->content_type().empty()) std::abort();
  return 0;
}
