// Answers of a server that may be anybody: read without a crash, and what is read is consistent.
#include <cstdlib>

#include "api/client/status_error.h"
#include "api/client/wire.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace atl;  // NOLINT
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto event = api::event_from_line(text);
  if (event && event->type != api::EventType::kBookmark && !event->object) std::abort();
  const auto list = api::list_from_answer(text);
  if (list) {
    for (const api::ObjectPtr& item : list->items) {
      if (!item) std::abort();
    }
  }
  const auto object = api::object_from_answer(text);
  if (object && !api::object_from_answer((*object)->text())) std::abort();
  const auto document = json::parse(text);
  if (document) (void)api::error_from_status(500, *document);
  return 0;
}
