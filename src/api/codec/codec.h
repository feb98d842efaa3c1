#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "api/schema/kind.h"
#include "base/text/json.h"

namespace atl::api {

enum class MediaType : uint8_t { kJson, kYaml, kProtobuf };
// By Content-Type; parameters are ignored. kUnsupportedMedia otherwise (message lists what is
// supported).
Result<MediaType> media_type(std::string_view content_type);

// What decoding noticed; whether it is an error, a warning or nothing is the caller's
// fieldValidation.
struct Strictness {
  std::vector<std::string> duplicate_fields;
  std::vector<std::string> unknown_fields;  // filled by prune(), kept together for one message
};

// JSON or YAML (one document) to a tree. kBadRequest with the decoder's words.
Result<json::Value> decode_text(MediaType type, std::string_view body, Strictness& strictness);

// Kubernetes protobuf: 4 magic bytes and runtime.Unknown. Reads apiVersion and kind from the
// envelope, looks the schema up (`schema_of`), and gives the JSON form with apiVersion and kind
// filled in.
using SchemaLookup = std::function<const Schema*(const Gvk&)>;
Result<json::Value> decode_protobuf(std::string_view body, const SchemaLookup& schema_of);
Result<std::string> encode_protobuf(const json::Value& document, const Schema& schema);

}  // namespace atl::api
