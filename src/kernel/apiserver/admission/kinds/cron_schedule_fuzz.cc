#include <cstddef>
#include <cstdint>
#include <string_view>

#include "kernel/apiserver/admission/kinds/cron_schedule.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  (void)atl::apiserver::check_cron_schedule({reinterpret_cast<const char*>(data), size});
  return 0;
}
