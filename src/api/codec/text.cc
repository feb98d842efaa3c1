#include <fmt/format.h>

#include <algorithm>

#include "api/codec/codec.h"
#include "base/text/yaml.h"

namespace atl::api {
namespace {

std::string_view trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

}  // namespace

Result<MediaType> media_type(std::string_view content_type) {
  std::string essence(trim(content_type.substr(0, content_type.find(';'))));
  std::transform(essence.begin(), essence.end(), essence.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? char(c | 0x20) : c; });
  if (content_type.empty() || essence == "application/json") return MediaType::kJson;
  if (essence == "application/yaml") return MediaType::kYaml;
  if (essence == "application/vnd.kubernetes.protobuf") return MediaType::kProtobuf;
  return Error(Code::kUnsupportedMedia,
               "the body of the request was in an unknown format - accepted media types include: "
               "application/json, "
               "application/yaml, application/vnd.kubernetes.protobuf");
}

Result<json::Value> decode_text(MediaType type, std::string_view body, Strictness& strictness) {
  if (type == MediaType::kYaml) {
    yaml::ParseOptions options;
    options.duplicate_keys = &strictness.duplicate_fields;
    TRY(json::Value value, yaml::parse(body, options));
    if (!value.is_object())
      return Error(Code::kBadRequest, "the body must be an object, in YAML a mapping");
    return value;
  }
  if (type != MediaType::kJson) return Error(Code::kInternal, "decode_text: not a text format");
  if (body.empty()) return Error(Code::kBadRequest, "JSON: unexpected end of the document");
  json::ParseOptions options;
  options.duplicate_keys = &strictness.duplicate_fields;
  TRY(json::Value value, json::parse(body, options));
  if (!value.is_object()) return Error(Code::kBadRequest, "the body must be a JSON object");
  return value;
}

}  // namespace atl::api
