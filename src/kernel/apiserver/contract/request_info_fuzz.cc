// Paths and queries of strangers: read or refused, and what is read names no path of its own.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "kernel/apiserver/contract/request_info.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace atl;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const size_t mark = text.find('?');
  const auto query = net::Query::parse(mark == std::string_view::npos ? std::string_view()
                                                                      : text.substr(mark + 1));
  if (!query) return 0;
  for (const char* method : {"GET", "POST", "DELETE", "PATCH", "X"}) {
    const auto info = apiserver::read_request_info(method, text.substr(0, mark), *query);
    if (!info) continue;
    if (info->name.find('/') != std::string::npos || info->name == "..") std::abort();
    if (info->is_resource && info->resource.empty()) std::abort();
  }
  return 0;
}
