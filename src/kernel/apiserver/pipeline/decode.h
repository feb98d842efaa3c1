#pragma once

#include "base/async/task.h"
#include "kernel/apiserver/pipeline/exchange.h"
#include "kernel/apiserver/pipeline/negotiate.h"
#include "kernel/apiserver/registry/call.h"

namespace atl::apiserver {

inline constexpr size_t kBodyBytesMax = 3 * 1024 * 1024;

// Reads the request's body to its end. kTooLarge past kBodyBytesMax.
Task<std::string> read_body(Exchange& exchange);
// Waits until the body is there as a whole; read_body() gives it without waiting from then on.
Task<> receive_body(Exchange& exchange);
// What a body has to be.
struct BodyType {
  std::string kind;
  ProtobufForm protobuf = ProtobufForm::kKnown;
};
// A body as a document, by its Content-Type: JSON, YAML or Kubernetes protobuf. `kinds` give the
// schema of a protobuf body. kBadRequest, kUnsupportedMedia.
Result<Body> decode_body(const net::Headers& headers, std::string_view text,
                         const api::KindSet& kinds, const BodyType& wanted);
// The same for a patch; the Content-Type says which. Empty content types are refused.
Result<PatchBody> decode_patch(const net::Headers& headers, std::string_view text);
// DeleteOptions; an empty body is null.
Result<json::Value> decode_delete_options(const net::Headers& headers, std::string_view text,
                                          const api::KindSet& kinds);

}  // namespace atl::apiserver
