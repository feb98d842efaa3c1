#include "kernel/apiserver/pipeline/decode.h"

#include <fmt/format.h>

#include "api/codec/codec.h"

namespace atl::apiserver {
namespace {

Error unsupported_patch() {
  return Error(Code::kUnsupportedMedia,
               "the body of the request was in an unknown format - accepted media types include: "
               "application/json-patch+json, application/merge-patch+json, "
               "application/strategic-merge-patch+json, "
               "application/apply-patch+yaml");
}

std::string_view media(const net::Headers& headers) {
  std::string_view type = headers.get("content-type");
  type = type.substr(0, type.find(';'));
  while (type.ends_with(' ')) type.remove_suffix(1);
  return type;
}

}  // namespace

Task<std::string> read_body(Exchange& exchange) {
  auto text = co_await exchange.http.body->read_all(kBodyBytesMax);
  if (!text && text.error().code() == Code::kTooLarge) {
    co_return Error(Code::kTooLarge,
                    fmt::format("Request entity too large: limit is {}", kBodyBytesMax));
  }
  co_return std::move(text);
}

Result<Body> decode_body(const net::Headers& headers, std::string_view text,
                         const api::KindSet& kinds) {
  const std::string_view content_type = headers.get("content-type");
  api::MediaType type = api::MediaType::kJson;
  if (!content_type.empty()) {
    TRY(type, api::media_type(content_type));
  }
  if (text.empty()) return Error(Code::kBadRequest, "the request has no body");
  Body body;
  if (type == api::MediaType::kProtobuf) {
    TRY(body.document,
        api::decode_protobuf(text, [&](const api::Gvk& gvk) { return kinds.schema_of(gvk); }));
  } else {
    TRY(body.document, api::decode_text(type, text, body.strictness));
  }
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
      return patch;
    }
    const bool apply = type == api::PatchType::kApply;
    const api::MediaType form = apply ? api::MediaType::kYaml : api::MediaType::kJson;
    TRY(patch.body.document, api::decode_text(form, text, patch.body.strictness));
    return patch;
  }
  return unsupported_patch();
}

Result<json::Value> decode_delete_options(const net::Headers& headers, std::string_view text,
                                          const api::KindSet& kinds) {
  if (text.empty()) return json::Value();
  api::MediaType type = api::MediaType::kJson;
  if (!headers.get("content-type").empty()) {
    TRY(type, api::media_type(headers.get("content-type")));
  }
  json::Value document;
  if (type == api::MediaType::kProtobuf) {
    TRY(document,
        api::decode_protobuf(text, [&](const api::Gvk& gvk) { return kinds.schema_of(gvk); }));
  } else {
    api::Strictness strictness;
    TRY(document, api::decode_text(type, text, strictness));
  }
  if (!document.is_object() && !document.is_null()) {
    return Error(Code::kBadRequest, "the body of the request is not a DeleteOptions object");
  }
  const std::string_view kind = json::string_at(document, {"kind"});
  if (!kind.empty() && kind != "DeleteOptions") {
    return Error(
        Code::kBadRequest,
        fmt::format("no kind \"{}\" is registered for deletions: expected DeleteOptions", kind));
  }
  return document;
}

}  // namespace atl::apiserver
