#include "kernel/apiserver/registry/stored_object.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "base/text/json_writer.h"

namespace atl::apiserver {
namespace {

constexpr char kMagic[4] = {'A', 'O', '1', '\n'};
constexpr std::string_view kMetadata = "metadata";
constexpr std::string_view kRevisionField = "resourceVersion";

std::vector<const boost::json::key_value_pair*> sorted(const json::Object& object) {
  std::vector<const boost::json::key_value_pair*> pairs;
  pairs.reserve(object.size());
  for (const auto& pair : object) pairs.push_back(&pair);
  std::sort(pairs.begin(), pairs.end(), [](auto* a, auto* b) { return a->key() < b->key(); });
  return pairs;
}

void append_pair(std::string& out, const boost::json::key_value_pair& pair) {
  json::append_quoted(out, pair.key());
  out += ':';
  json::append(out, pair.value());
}

// Appends metadata without resourceVersion; returns the offset of the first key behind it, 0 if
// none.
size_t append_metadata(std::string& out, const json::Object& metadata) {
  size_t splice = 0;
  bool first = true;
  out += '{';
  for (const auto* pair : sorted(metadata)) {
    if (pair->key() == kRevisionField) continue;
    if (!first) out += ',';
    first = false;
    if (splice == 0 && std::string_view(pair->key()) > kRevisionField) splice = out.size();
    append_pair(out, *pair);
  }
  out += '}';
  return splice;
}

uint32_t read_u32(std::string_view bytes) {
  uint32_t value = 0;
  for (size_t i = 0; i < 4; ++i) value |= uint32_t(uint8_t(bytes[i])) << (8 * i);
  return value;
}

}  // namespace

Result<std::string> encode_stored(const json::Value& document) {
  std::string out(kStoredHeaderBytes, '\0');
  std::copy(std::begin(kMagic), std::end(kMagic), out.begin());
  size_t splice = 0;
  bool first = true;
  out += '{';
  for (const auto* pair : sorted(document.as_object())) {
    if (!first) out += ',';
    first = false;
    if (pair->key() != kMetadata || !pair->value().is_object()) {
      append_pair(out, *pair);
      continue;
    }
    out += "\"metadata\":";
    splice = append_metadata(out, pair->value().get_object());
  }
  out += '}';
  if (splice == 0) return Error(Code::kInternal, "an object without metadata.uid cannot be stored");
  if (out.size() > kStoredBytesMax) {
    return Error(Code::kTooLarge,
                 fmt::format("Request entity too large: the object takes {} bytes, limit is {}",
                             out.size() - kStoredHeaderBytes, kStoredBytesMax));
  }
  const auto offset = uint32_t(splice - kStoredHeaderBytes);
  for (size_t i = 0; i < 4; ++i) out[4 + i] = char(offset >> (8 * i));
  return out;
}

Result<std::string> decode_stored(std::string_view value, Revision revision) {
  const bool ours =
      value.size() > kStoredHeaderBytes && value.starts_with(std::string_view(kMagic, 4));
  const size_t offset = ours ? read_u32(value.substr(4)) : 0;
  if (!ours || offset == 0 || offset >= value.size() - kStoredHeaderBytes) {
    return Error(Code::kInternal, "a stored object has a header that does not fit");
  }
  const std::string_view text = stored_text(value);
  const std::string number = std::to_string(revision.value);
  std::string out;
  out.reserve(text.size() + number.size() + 22);
  out += text.substr(0, offset);
  out += "\"resourceVersion\":\"";
  out += number;
  out += "\",";
  out += text.substr(offset);
  return out;
}

std::string_view stored_text(std::string_view value) {
  return value.substr(std::min(value.size(), kStoredHeaderBytes));
}

}  // namespace atl::apiserver
