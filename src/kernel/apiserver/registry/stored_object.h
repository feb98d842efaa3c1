#pragma once

#include <string>
#include <string_view>

#include "base/core/result.h"
#include "base/core/revision.h"
#include "base/text/json.h"

// The value of an object's key (docs/formats/stored-object.md): eight bytes of header, then
// canonical JSON without metadata.resourceVersion. The header holds the offset at which it is
// spliced in, because the store assigns the revision after the bytes are made.
namespace atl::apiserver {

inline constexpr size_t kStoredHeaderBytes = 8;
// As etcd's limit: an object larger than this is refused (kTooLarge).
inline constexpr size_t kStoredBytesMax = 1'572'864;

// metadata.uid must be there. A resourceVersion in the document is left out.
Result<std::string> encode_stored(const json::Value& document);
// The JSON with its resourceVersion. kInternal where the header does not fit the value.
Result<std::string> decode_stored(std::string_view value, Revision revision);
// The JSON as stored.
std::string_view stored_text(std::string_view value);

}  // namespace atl::apiserver
