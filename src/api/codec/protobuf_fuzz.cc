#include <cstdint>
#include <cstdlib>

#include "api/codec/codec.h"

// Any bytes as the body of a request. What decodes can be encoded, and decodes to the same again.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const atl::api::KindSet kinds = *atl::api::KindSet::builtin();
  const atl::api::SchemaLookup lookup = [](const atl::api::Gvk& gvk) {
    return kinds.schema_of(gvk);
  };
  const auto value = atl::api::decode_protobuf({reinterpret_cast<const char*>(data), size}, lookup);
  if (!value) return 0;
  const auto gv = atl::api::parse_group_version(atl::json::string_at(*value, {"apiVersion"}));
  const atl::api::Schema* schema =
      gv ? lookup({gv->group, gv->version, std::string(atl::json::string_at(*value, {"kind"}))})
         : nullptr;
  if (!schema) return 0;
  const auto encoded = atl::api::encode_protobuf(*value, *schema);
  if (!encoded) return 0;  // JSON in the envelope may not fit the schema
  const auto again = atl::api::decode_protobuf(*encoded, lookup);
  if (!again) std::abort();
  return 0;
}
