#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "api/table/table.h"
#include "base/core/result.h"
#include "base/net/http.h"

// What the Accept header wants.
namespace atl::apiserver {

// One media range: "application/json;as=Table;v=v1;g=meta.k8s.io".
struct MediaRange {
  std::string type;  // lower case, without parameters
  std::string as, group, version, stream;
  double quality = 1;
};
// In the order of preference; empty header: one range of everything.
std::vector<MediaRange> parse_accept(std::string_view header);

enum class Accepted : uint8_t { kJson, kYaml };
// For documents that have no other form (Status, discovery). JSON where nothing fits.
Accepted preferred_text(const net::Headers& headers);
bool wants_pretty(const net::Headers& headers, const net::Query& query);

enum class Shape : uint8_t { kObject, kTable, kPartial };
enum class Encoding : uint8_t { kJson, kYaml, kProtobuf };

// The form of an answer about stored objects.
struct View {
  Shape shape = Shape::kObject;
  Encoding encoding = Encoding::kJson;
  std::string table_version = "v1";
  api::IncludeObject include = api::IncludeObject::kMetadata;
  bool pretty = false;

  // Equal text, equal bytes of the same object.
  std::string id() const;
  std::string_view content_type() const;
};
// `list`: PartialObjectMetadataList is asked for instead of PartialObjectMetadata. `protobuf`: the
// kind has a protobuf form. kNotAcceptable where nothing fits.
enum class ProtobufForm : uint8_t { kNone, kKnown };
Result<View> choose_view(const net::Headers& headers, const net::Query& query,
                         ProtobufForm protobuf);

}  // namespace atl::apiserver
