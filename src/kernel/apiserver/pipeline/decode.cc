#include "kernel/apiserver/pipeline/decode.h"

#include <fmt/format.h>

#include <cmath>

#include "api/codec/codec.h"
#include "api/validate/validate.h"

namespace atl::apiserver {
namespace {

Error unsupported_patch() {
  return Error(Code::kUnsupportedMedia,
               "the body of the request was in an unknown format - accepted media types include: "
               "application/json-patch+json, application/merge-patch+json, "
               "application/strategic-merge-patch+json, "
               "application/apply-patch+yaml");
}

Error text_only() {
  return Error(Code::kUnsupportedMedia,
               "the body of the request was in an unknown format - accepted media types include: "
               "application/json, application/yaml");
}

api::SchemaLookup schemas_of(const api::KindSet& kinds) {
  return [&kinds](const api::Gvk& gvk) { return kinds.schema_of(gvk); };
}

// How a body begins, for people: text where it is an object, hexadecimal where it is anything else.
std::string beginning(std::string_view body) {
  constexpr size_t kShown = 30;
  if (body.empty()) return "<empty>";
  const std::string_view more = body.size() > kShown ? " ..." : "";
  const std::string_view head = body.substr(0, kShown);
  if (body.front() == '{') return fmt::format("{}{}", head, more);
  std::string out;
  for (const char c : head) out += fmt::format("{:02x}", uint8_t(c));
  return out.append(more);
}

Error unrecognized(std::string_view kind, Error why, std::string_view body) {
  if (why.code() != Code::kBadRequest) return why;
  return Error(Code::kBadRequest,
               fmt::format("the object provided is unrecognized (must be of type {}): {} ({})",
                           kind, why.message(), beginning(body)));
}

// Patches are merged before their types are known, and 1.0 is as good as 1 in them.
void write_whole(json::Value& value) {
  constexpr double kIntegersTo = 9.2e18;
  if (json::Object* object = value.if_object()) {
    for (auto& pair : *object) write_whole(pair.value());
  } else if (json::Array* array = value.if_array()) {
    for (json::Value& item : *array) write_whole(item);
  } else if (const double* number = value.if_double()) {
    if (std::floor(*number) == *number && std::fabs(*number) < kIntegersTo)
      value = int64_t(*number);
  }
}

std::string_view media(const net::Headers& headers) {
  std::string_view type = headers.get("content-type");
  type = type.substr(0, type.find(';'));
  while (type.ends_with(' ')) type.remove_suffix(1);
  return type;
}

// A body that has arrived.
class HeldBody final : public net::BodyReader {
 public:
  explicit HeldBody(std::string text) : text_(std::move(text)) {}
  Task<std::string> read_some() override { co_return std::exchange(text_, {}); }

 private:
  std::string text_;
};

}  // namespace

Task<> receive_body(Exchange& exchange) {
  CO_TRY(std::string text, co_await read_body(exchange));
  exchange.http.body = std::make_shared<HeldBody>(std::move(text));
  co_return Unit{};
}

Task<std::string> read_body(Exchange& exchange) {
  auto text = co_await exchange.http.body->read_all(kBodyBytesMax);
  if (!text && text.error().code() == Code::kTooLarge) {
    co_return Error(Code::kTooLarge,
                    fmt::format("Request entity too large: limit is {}", kBodyBytesMax));
  }
  co_return std::move(text);
}

Result<Body> decode_body(const net::Headers& headers, std::string_view text,
                         const api::KindSet& kinds, const BodyType& wanted) {
  TRY(const api::MediaType type, api::media_type(headers.get("content-type")));
  const bool binary = type == api::MediaType::kProtobuf;
  if (binary && wanted.protobuf == ProtobufForm::kNone) return text_only();
  Body body;
  auto document = binary ? api::decode_protobuf(text, schemas_of(kinds))
                         : api::decode_text(type, text, body.strictness);
  if (!document) return unrecognized(wanted.kind, std::move(document).error(), text);
  body.document = *std::move(document);
  return body;
}

Result<PatchBody> decode_patch(const net::Headers& headers, std::string_view text) {
  static constexpr std::pair<std::string_view, api::PatchType> kTypes[] = {
      {"application/json-patch+json", api::PatchType::kJson},
      {"application/merge-patch+json", api::PatchType::kMerge},
      {"application/strategic-merge-patch+json", api::PatchType::kStrategic},
      {"application/apply-patch+yaml", api::PatchType::kApply}};
  for (const auto& [name, type] : kTypes) {
    if (name != media(headers)) continue;
    if (text.empty()) return Error(Code::kBadRequest, "the patch is empty");
    PatchBody patch{.type = type};
    if (type == api::PatchType::kJson) {
      TRY(patch.body.document, json::parse(text));  // a list of operations
      write_whole(patch.body.document);
      return patch;
    }
    const bool apply = type == api::PatchType::kApply;
    const api::MediaType form = apply ? api::MediaType::kYaml : api::MediaType::kJson;
    TRY(patch.body.document, api::decode_text(form, text, patch.body.strictness));
    write_whole(patch.body.document);
    return patch;
  }
  return unsupported_patch();
}

Result<json::Value> decode_delete_options(const net::Headers& headers, std::string_view text,
                                          const api::KindSet& kinds) {
  if (text.empty()) return json::Value();
  const std::string expected = "DeleteOptions";
  TRY(Body body, decode_body(headers, text, kinds, {.kind = expected}));
  const json::Value* kind = json::find(body.document, {"kind"});
  if (kind && *kind != json::Value(expected)) {
    return Error(Code::kBadRequest,
                 fmt::format("no kind {} is registered for deletions: expected {}",
                             json::serialize(*kind), expected));
  }
  const api::Schema* schema = kinds.schema_of({"", "v1", expected});
  if (!schema) return Error(Code::kInternal, "the kind DeleteOptions has no schema");
  for (const Cause& finding : api::check_schema(*schema, body.document)) {
    if (finding.reason != "FieldValueTypeInvalid") continue;
    return Error(Code::kBadRequest,
                 fmt::format("{0} in version \"v1\" cannot be handled as a {0}: {1}: {2}", expected,
                             finding.field, finding.message));
  }
  return std::move(body.document);
}

}  // namespace atl::apiserver
