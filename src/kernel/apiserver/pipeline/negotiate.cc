#include "kernel/apiserver/pipeline/negotiate.h"

#include <algorithm>
#include <charconv>

namespace atl::apiserver {
namespace {

constexpr std::string_view kJson = "application/json";
constexpr std::string_view kYaml = "application/yaml";
constexpr std::string_view kProtobuf = "application/vnd.kubernetes.protobuf";
constexpr size_t kRangesMax = 64;

std::string_view trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = c >= 'A' && c <= 'Z' ? char(c + 32) : c;
  return out;
}

std::string_view cut(std::string_view& text, char at) {
  const size_t end = std::min(text.find(at), text.size());
  const std::string_view head = text.substr(0, end);
  text.remove_prefix(std::min(end + 1, text.size()));
  return trim(head);
}

MediaRange parse_range(std::string_view text) {
  MediaRange range;
  range.type = lower(cut(text, ';'));
  while (!text.empty()) {
    std::string_view value = cut(text, ';');
    const std::string name = lower(cut(value, '='));
    value = trim(value);
    if (name == "as") range.as = value;
    if (name == "g") range.group = value;
    if (name == "v") range.version = value;
    if (name == "stream") range.stream = value;
    if (name == "q") std::from_chars(value.data(), value.data() + value.size(), range.quality);
  }
  return range;
}

bool is_json(const MediaRange& range) {
  return range.type == kJson || range.type == "application/*" || range.type == "*/*";
}

bool is_meta(const MediaRange& range, std::string_view as) {
  return range.as == as && range.group == "meta.k8s.io" &&
         (range.version == "v1" || range.version == "v1beta1");
}

// The shape that a range asks for; nothing where the server has none of that name.
std::optional<Shape> shape_of(const MediaRange& range) {
  if (range.as.empty()) return Shape::kObject;
  if (is_meta(range, "Table")) return Shape::kTable;
  if (is_meta(range, "PartialObjectMetadata") || is_meta(range, "PartialObjectMetadataList"))
    return Shape::kPartial;
  return std::nullopt;
}

api::IncludeObject include_of(std::string_view text) {
  if (text == "None") return api::IncludeObject::kNone;
  if (text == "Object") return api::IncludeObject::kObject;
  return api::IncludeObject::kMetadata;
}

}  // namespace

std::vector<MediaRange> parse_accept(std::string_view header) {
  std::vector<MediaRange> ranges;
  if (trim(header).empty()) ranges.push_back({.type = "*/*"});
  const auto before = [](const MediaRange& a, const MediaRange& b) {
    return a.quality > b.quality;
  };
  while (!header.empty() && ranges.size() < kRangesMax) {
    const std::string_view item = cut(header, ',');
    if (item.empty()) continue;
    MediaRange range = parse_range(item);
    if (!(range.quality > 0)) continue;
    // Behind those of the same quality: their order is the client's.
    ranges.insert(std::upper_bound(ranges.begin(), ranges.end(), range, before), range);
  }
  return ranges;
}

Accepted preferred_text(const net::Headers& headers) {
  for (const MediaRange& range : parse_accept(headers.get("accept"))) {
    if (is_json(range)) return Accepted::kJson;
    if (range.type == kYaml) return Accepted::kYaml;
  }
  return Accepted::kJson;
}

bool wants_pretty(const net::Headers& headers, const net::Query& query) {
  if (query.has("pretty")) {
    const std::string wish = lower(query.get("pretty"));
    return wish.empty() || wish == "1" || wish == "t" || wish == "true";
  }
  const std::string_view agent = headers.get("user-agent");
  return agent.starts_with("curl") || agent.starts_with("Wget") || agent.starts_with("Mozilla/5.0");
}

std::string View::id() const {
  std::string id = encoding == Encoding::kProtobuf ? "pb" : "json";
  if (shape == Shape::kTable)
    id += ";table=" + table_version + ";include=" + std::to_string(int(include));
  if (shape == Shape::kPartial) id += ";partial";
  return id;
}

std::string_view View::content_type() const {
  switch (encoding) {
    case Encoding::kJson:
      return kJson;
    case Encoding::kYaml:
      return kYaml;
    case Encoding::kProtobuf:
      return kProtobuf;
  }
  return kJson;
}

Result<View> choose_view(const net::Headers& headers, const net::Query& query,
                         ProtobufForm protobuf) {
  std::optional<View> binary;
  for (const MediaRange& range : parse_accept(headers.get("accept"))) {
    const auto shape = shape_of(range);
    if (!shape) continue;
    View view{.shape = *shape, .include = include_of(query.get("includeObject"))};
    if (*shape == Shape::kTable) view.table_version = range.version;
    view.pretty = wants_pretty(headers, query);
    if (is_json(range)) return view;
    if (range.type == kYaml) {
      view.encoding = Encoding::kYaml;
      return view;
    }
    // Typed clients put protobuf first and take JSON too: JSON is what is stored, and needs no
    // encoding.
    const bool known = protobuf == ProtobufForm::kKnown && *shape == Shape::kObject;
    if (range.type != kProtobuf || !known || binary) continue;
    view.encoding = Encoding::kProtobuf;
    binary = view;
  }
  if (binary) return *binary;
  std::string offered = "application/json, application/yaml";
  if (protobuf == ProtobufForm::kKnown) offered += ", application/vnd.kubernetes.protobuf";
  return Error(Code::kNotAcceptable,
               "only the following media types are accepted: " + std::move(offered));
}

}  // namespace atl::apiserver
