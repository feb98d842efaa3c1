#include "api/client/wire.h"

#include <charconv>
#include <string>

#include "api/client/status_error.h"

namespace atl::api {
namespace {

// 0 where it is missing or no number.
Revision revision_in(const json::Value& document) {
  const std::string_view text = json::string_at(document, {"metadata", "resourceVersion"});
  Revision out;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out.value);
  return error == std::errc() && end == text.data() + text.size() ? out : Revision{};
}

Result<ObjectPtr> object_of(json::Value document) {
  const Revision revision = revision_in(document);
  return Object::from_document(std::move(document), revision);
}

}  // namespace

Result<json::Value> document_from_answer(std::string_view body) {
  auto parsed = json::parse(body, {.max_bytes = kAnswerMax});
  if (!parsed) return std::move(parsed).error().during("read the server's answer");
  return parsed;
}

Result<ObjectPtr> object_from_answer(std::string_view body) {
  TRY(json::Value document, document_from_answer(body));
  return object_of(std::move(document));
}

Result<ObjectList> list_from_answer(std::string_view body) {
  TRY(json::Value document, document_from_answer(body));
  ObjectList out;
  out.revision = revision_in(document);
  out.continue_token = json::string_at(document, {"metadata", "continue"});
  // Items of a list stand without apiVersion and kind: the list's own say what they are.
  const std::string version(json::string_at(document, {"apiVersion"}));
  std::string kind(json::string_at(document, {"kind"}));
  if (kind.ends_with("List")) kind.resize(kind.size() - 4);
  json::Value* items = json::find(document, {"items"});
  if (!items || !items->is_array()) return out;
  for (json::Value& item : items->get_array()) {
    if (!item.is_object())
      return Error(Code::kInternal, "the server's list holds something that is no object");
    item.get_object().emplace("apiVersion", version);
    item.get_object().emplace("kind", kind);
    TRY(out.items.emplace_back(), object_of(std::move(item)));
  }
  return out;
}

Result<WatchEvent> event_from_line(std::string_view text) {
  TRY(json::Value line, json::parse(text, {.max_bytes = kEventMax}));
  const std::string type(json::string_at(line, {"type"}));
  json::Value* object = json::find(line, {"object"});
  if (!object) return Error(Code::kInternal, "a watch event without an object");
  if (type == "ERROR") return error_from_status(int(json::int_at(*object, {"code"})), *object);
  const Revision revision = revision_in(*object);
  if (type == "BOOKMARK") return WatchEvent{EventType::kBookmark, nullptr, revision};
  TRY(const ObjectPtr read, object_of(std::move(*object)));
  if (type == "ADDED") return WatchEvent{EventType::kAdded, read, revision};
  if (type == "MODIFIED") return WatchEvent{EventType::kModified, read, revision};
  if (type == "DELETED") return WatchEvent{EventType::kDeleted, read, revision};
  return Error(Code::kInternal, "a watch event of unknown type " + type);
}

}  // namespace atl::api
