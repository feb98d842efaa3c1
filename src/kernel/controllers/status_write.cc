#include "kernel/controllers/status_write.h"

namespace atl::controllers {

Task<> write_changed_status(Deps deps, api::Gvr resource, api::ObjectKey key, json::Value document,
                            json::Object status) {
  const json::Value* old = json::find(document, {"status"});
  if (old && json::equal(*old, status)) co_return Unit{};
  document.as_object()["status"] = std::move(status);
  api::WriteOptions options;
  options.subresource = "status";
  const Result<api::ObjectPtr> written =
      co_await deps.client.update(resource, key, std::move(document), options);
  if (!written && written.error().code() != Code::kNotFound) co_return written.error();
  co_return Unit{};
}

}  // namespace atl::controllers
