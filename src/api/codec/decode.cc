#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cmath>

#include "api/codec/codec.h"
#include "api/codec/duration_impl.h"
#include "api/codec/wire_impl.h"
#include "base/core/clock.h"
#include "base/text/base64.h"
#include "base/text/utf8.h"

// Kubernetes protobuf to JSON, by schema. The result is what Go's JSON encoder would print of the
// same object: gogo's encoder sends every field that is not a pointer, zero or not, so empty values
// of fields marked omit_empty are dropped again. Fields without a property are skipped, as protobuf
// asks.
namespace atl::api {
namespace {

constexpr std::string_view kMagic("k8s\0", 4);
constexpr size_t kDepthMax = 200;

Error broken(std::string what) {
  return Error(Code::kBadRequest, "protobuf: " + std::move(what));
}

Result<json::Value> text_value(std::string_view bytes) {
  if (!valid_utf8(bytes)) return broken("a string is not valid UTF-8");
  return json::Value(json::String(bytes));
}

struct Envelope {
  Gvk gvk;
  std::string_view raw;
  std::string content_type;
};

Result<std::string> text_field(const wire::Field& field) {
  if (field.type != wire::Type::kBytes) return broken("a text was expected");
  return std::string(field.bytes);
}

Result<Envelope> read_envelope(std::string_view body) {
  if (!body.starts_with(kMagic))
    return broken("the body does not begin with the magic number of Kubernetes protobuf");
  Envelope out;
  std::string api_version;
  wire::Reader reader(body.substr(kMagic.size()));
  while (!reader.done()) {
    TRY(const wire::Field field, reader.next());
    if (field.number == 1) {
      wire::Reader type(field.bytes);
      while (!type.done()) {
        TRY(const wire::Field part, type.next());
        if (part.number == 1) {
          TRY(api_version, text_field(part));
        } else if (part.number == 2) {
          TRY(out.gvk.kind, text_field(part));
        }
      }
    } else if (field.number == 2) {
      out.raw = field.bytes;
    } else if (field.number == 3 && !field.bytes.empty()) {
      return broken("an encoding inside the envelope is not supported");
    } else if (field.number == 4) {
      TRY(out.content_type, text_field(field));
    }
  }
  const auto gv = parse_group_version(api_version);
  if (gv) {
    out.gvk.group = gv->group;
    out.gvk.version = gv->version;
  }
  if (out.gvk.kind.empty() || out.gvk.version.empty())
    return broken("the envelope does not name apiVersion and kind");
  return out;
}

class Decoder {
 public:
  explicit Decoder(const SchemaLookup& schema_of) : schema_of_(schema_of) {}

  Result<json::Value> document(std::string_view body, size_t depth) {
    TRY(const Envelope envelope, read_envelope(body));
    json::Value out;
    if (envelope.content_type == "application/json") {
      TRY(out, json::parse(envelope.raw));
    } else {
      const Schema* schema = schema_of_(envelope.gvk);
      if (!schema) {
        return broken(fmt::format("no kind \"{}\" is registered for version \"{}\"",
                                  envelope.gvk.kind, envelope.gvk.group_version().text()));
      }
      out.emplace_object();
      TRY_OK(message(*schema, envelope.raw, out.get_object(), depth));
    }
    if (!out.is_object()) return broken("the body is not an object");
    TRY(json::Value kind, text_value(envelope.gvk.kind));
    TRY(json::Value api_version, text_value(envelope.gvk.group_version().text()));
    out.get_object()["apiVersion"] = std::move(api_version);
    out.get_object()["kind"] = std::move(kind);
    return out;
  }

 private:
  Result<> message(const Schema& schema, std::string_view bytes, json::Object& out, size_t depth) {
    if (depth > kDepthMax)
      return broken(fmt::format("messages are nested deeper than {} levels", kDepthMax));
    wire::Reader reader(bytes);
    while (!reader.done()) {
      TRY(const wire::Field field, reader.next());
      if (const Numbered* numbered = find(schema, field.number)) {
        TRY_OK(property(*numbered, field, out, depth));
      } else if (const Schema* inlined = find_inlined(schema, field.number)) {
        if (field.type != wire::Type::kBytes)
          return broken(fmt::format("field {} is not a message", field.number));
        TRY_OK(message(*inlined, field.bytes, out, depth + 1));
      }
    }
    return Unit{};
  }

  static const Numbered* find(const Schema& schema, uint32_t number) {
    const auto it =
        std::lower_bound(schema.numbered.begin(), schema.numbered.end(), number,
                         [](const Numbered& n, uint32_t wanted) { return n.number < wanted; });
    return it != schema.numbered.end() && it->number == number ? &*it : nullptr;
  }

  static const Schema* find_inlined(const Schema& schema, uint32_t number) {
    for (const Inlined& inlined : schema.inlined) {
      if (inlined.number == number) return inlined.schema;
    }
    return nullptr;
  }

  Result<> property(const Numbered& numbered, const wire::Field& field, json::Object& out,
                    size_t depth) {
    const Schema& schema = *numbered.property->schema;
    const std::string& name = *numbered.name;
    Result<> done = Unit{};
    if (schema.wire == WireType::kMap) {
      json::Value& map = out[name];
      if (!map.is_object()) map.emplace_object();
      done = entry(*schema.additional, field, map.get_object(), depth);
    } else if (schema.type == SchemaType::kArray && schema.wire != WireType::kVerbMap) {
      json::Value& list = out[name];
      if (!list.is_array()) list.emplace_array();
      done = item(*schema.items, field, list.get_array(), depth);
    } else {
      done = single(numbered, field, out, depth);
    }
    if (!done) return std::move(done).error().during(name);
    return Unit{};
  }

  Result<> single(const Numbered& numbered, const wire::Field& field, json::Object& out,
                  size_t depth) {
    const Schema& schema = *numbered.property->schema;
    if (schema.wire == WireType::kMessage) {
      if (field.type != wire::Type::kBytes) return broken("a message was expected");
      json::Value& inner = out[*numbered.name];
      if (!inner.is_object()) inner.emplace_object();
      return message(schema, field.bytes, inner.get_object(), depth + 1);
    }
    TRY(json::Value value, scalar(schema, field, depth));
    if (value.is_null() || (numbered.property->omit_empty && zero(value))) {
      out.erase(*numbered.name);
    } else {
      out[*numbered.name] = std::move(value);
    }
    return Unit{};
  }

  static bool zero(const json::Value& value) {
    if (value.is_string()) return value.get_string().empty();
    if (value.is_bool()) return !value.get_bool();
    if (value.is_array()) return value.get_array().empty();
    return value.is_number() && value.to_number<double>() == 0;
  }

  Result<> item(const Schema& schema, const wire::Field& field, json::Array& out, size_t depth) {
    const bool number = schema.wire == WireType::kInt32 || schema.wire == WireType::kInt64 ||
                        schema.wire == WireType::kBool;
    if (number && field.type == wire::Type::kBytes) {  // packed
      std::string_view rest = field.bytes;
      while (!rest.empty()) {
        TRY(const uint64_t value, wire::packed_varint(rest));
        TRY(json::Value decoded,
            scalar(schema, {.number = field.number, .type = wire::Type::kVarint, .value = value},
                   depth));
        out.push_back(std::move(decoded));
      }
      return Unit{};
    }
    TRY(json::Value value, element(schema, field, depth));
    out.push_back(std::move(value));
    return Unit{};
  }

  // A value that stands alone: an item of a list, the value of a map.
  Result<json::Value> element(const Schema& schema, const wire::Field& field, size_t depth) {
    if (schema.wire != WireType::kMessage) return scalar(schema, field, depth);
    if (field.type != wire::Type::kBytes) return broken("a message was expected");
    json::Object out;
    TRY_OK(message(schema, field.bytes, out, depth + 1));
    return json::Value(std::move(out));
  }

  // message {key = 1, value = 2}
  Result<> entry(const Schema& values, const wire::Field& field, json::Object& out, size_t depth) {
    if (field.type != wire::Type::kBytes) return broken("a map entry was expected");
    std::string key;
    std::optional<wire::Field> value;
    wire::Reader reader(field.bytes);
    while (!reader.done()) {
      TRY(const wire::Field part, reader.next());
      if (part.number == 1) {
        TRY(key, text_field(part));
      } else if (part.number == 2) {
        value = part;
      }
    }
    if (!valid_utf8(key)) return broken("a key is not valid UTF-8");
    // An absent value is the empty one of its type.
    const bool varint = values.wire == WireType::kInt32 || values.wire == WireType::kInt64 ||
                        values.wire == WireType::kBool;
    if (!value)
      value = wire::Field{.number = 2, .type = varint ? wire::Type::kVarint : wire::Type::kBytes};
    TRY(json::Value decoded, element(values, *value, depth));
    out[key] = std::move(decoded);
    return Unit{};
  }

  Result<json::Value> scalar(const Schema& schema, const wire::Field& field, size_t depth) {
    switch (schema.wire) {
      case WireType::kBool:
      case WireType::kInt32:
      case WireType::kInt64:
      case WireType::kUint32:
      case WireType::kUint64:
        return integer(schema.wire, field);
      case WireType::kDouble:
      case WireType::kFloat:
        return floating(field);
      default:
        break;
    }
    if (field.type != wire::Type::kBytes) return broken("bytes were expected");
    switch (schema.wire) {
      case WireType::kString:
        return text_value(field.bytes);
      case WireType::kBytes:
        return json::Value(json::String(base64_encode(field.bytes)));
      case WireType::kQuantity:
        return quantity(field.bytes);
      case WireType::kIntOrString:
        return int_or_string(field.bytes);
      case WireType::kTime:
      case WireType::kMicroTime:
        return time(schema.wire, field.bytes);
      case WireType::kDuration:
        return duration(field.bytes);
      case WireType::kRawExtension:
      case WireType::kFieldsV1:
      case WireType::kJson:
        return raw(field.bytes, depth);
      case WireType::kVerbMap:
        return texts(field.bytes);
      case WireType::kSchemaOrArray:
      case WireType::kSchemaOrBool:
      case WireType::kSchemaOrStrings:
        return schema_or(schema, field.bytes, depth);
      default:
        return Error(Code::kInternal, fmt::format("protobuf: {} cannot travel", schema.name));
    }
  }

  static Result<json::Value> integer(WireType wire, const wire::Field& field) {
    if (field.type != wire::Type::kVarint) return broken("a number was expected");
    switch (wire) {
      case WireType::kBool:
        return json::Value(field.value != 0);
      case WireType::kInt32:
        return json::Value(int64_t(int32_t(field.value)));
      case WireType::kUint32:
        return json::Value(uint64_t(uint32_t(field.value)));
      case WireType::kUint64:
        return json::Value(field.value);
      default:
        return json::Value(int64_t(field.value));
    }
  }

  static Result<json::Value> floating(const wire::Field& field) {
    double number = 0;
    if (field.type == wire::Type::kFixed64)
      number = std::bit_cast<double>(field.value);
    else if (field.type == wire::Type::kFixed32)
      number = double(std::bit_cast<float>(uint32_t(field.value)));
    else
      return broken("a floating-point number was expected");
    if (!std::isfinite(number)) return broken("JSON has no such number");
    return json::Value(number);
  }

  // message {string = 1}; none is 0.
  static Result<json::Value> quantity(std::string_view bytes) {
    std::string text;
    wire::Reader reader(bytes);
    while (!reader.done()) {
      TRY(const wire::Field field, reader.next());
      if (field.number == 1) {
        TRY(text, text_field(field));
      }
    }
    return text_value(text.empty() ? "0" : text);
  }

  // message {type = 1: 0 number, 1 text; number = 2; text = 3}
  static Result<json::Value> int_or_string(std::string_view bytes) {
    uint64_t type = 0, number = 0;
    std::string_view text;
    wire::Reader reader(bytes);
    while (!reader.done()) {
      TRY(const wire::Field field, reader.next());
      if (field.number == 1) type = field.value;
      if (field.number == 2) number = field.value;
      if (field.number == 3) text = field.bytes;
    }
    if (type > 1) return broken("neither a number nor a text");
    if (type == 1) return text_value(text);
    return json::Value(int64_t(int32_t(number)));
  }

  // message {seconds = 1, nanos = 2}; an empty one is no time.
  static Result<json::Value> time(WireType wire, std::string_view bytes) {
    if (bytes.empty()) return json::Value();
    uint64_t seconds = 0, nanos = 0;
    wire::Reader reader(bytes);
    while (!reader.done()) {
      TRY(const wire::Field field, reader.next());
      if (field.number == 1) seconds = field.value;
      if (field.number == 2) nanos = field.value;
    }
    constexpr int64_t kSecondsMax = 9'200'000'000;  // the year 2261
    if (int64_t(seconds) > kSecondsMax || int64_t(seconds) < -kSecondsMax || nanos >= 1'000'000'000)
      return broken("a time is out of range");
    const WallTime at(std::chrono::seconds(int64_t(seconds)) +
                      std::chrono::nanoseconds(int64_t(nanos)));
    const std::string text = wire == WireType::kTime ? rfc3339(at) : rfc3339_micro(at);
    return json::Value(json::String(text));
  }

  static Result<json::Value> duration(std::string_view bytes) {
    uint64_t nanoseconds = 0;
    wire::Reader reader(bytes);
    while (!reader.done()) {
      TRY(const wire::Field field, reader.next());
      if (field.number == 1) nanoseconds = field.value;
    }
    return json::Value(json::String(duration_text(int64_t(nanoseconds))));
  }

  // message {raw = 1}: JSON, or another object in its envelope.
  Result<json::Value> raw(std::string_view bytes, size_t depth) {
    std::string_view content;
    wire::Reader reader(bytes);
    while (!reader.done()) {
      TRY(const wire::Field field, reader.next());
      if (field.number == 1) content = field.bytes;
    }
    if (content.empty()) return json::Value();
    if (content.starts_with(kMagic)) {
      if (depth > kDepthMax)
        return broken(fmt::format("messages are nested deeper than {} levels", kDepthMax));
      return document(content, depth + 1);
    }
    return json::parse(content);
  }

  static Result<json::Value> texts(std::string_view bytes) {
    json::Array out;
    wire::Reader reader(bytes);
    while (!reader.done()) {
      TRY(const wire::Field field, reader.next());
      if (field.number != 1) continue;
      TRY(json::Value text, text_value(field.bytes));
      out.push_back(std::move(text));
    }
    return json::Value(std::move(out));
  }

  // OrArray {schema = 1, list = 2}; OrBool {allows = 1, schema = 2}; OrStrings {schema = 1, texts =
  // 2}
  Result<json::Value> schema_or(const Schema& schema, std::string_view bytes, size_t depth) {
    const uint32_t schema_number = schema.wire == WireType::kSchemaOrBool ? 2 : 1;
    std::optional<json::Value> one;
    json::Array list;
    bool allows = false;
    wire::Reader reader(bytes);
    while (!reader.done()) {
      TRY(const wire::Field field, reader.next());
      if (field.number == schema_number && schema.items) {
        TRY(one, element(*schema.items, field, depth));
      } else if (field.number == 1) {
        allows = field.value != 0;
      } else if (field.number == 2 && schema.wire == WireType::kSchemaOrStrings) {
        TRY(json::Value text, text_value(field.bytes));
        list.push_back(std::move(text));
      } else if (field.number == 2 && schema.items) {
        TRY(json::Value item, element(*schema.items, field, depth));
        list.push_back(std::move(item));
      }
    }
    if (schema.wire != WireType::kSchemaOrBool && !list.empty())
      return json::Value(std::move(list));
    if (one) return *std::move(one);
    return schema.wire == WireType::kSchemaOrBool ? json::Value(allows) : json::Value();
  }

  const SchemaLookup& schema_of_;
};

}  // namespace

Result<json::Value> decode_protobuf(std::string_view body, const SchemaLookup& schema_of) {
  return Decoder(schema_of).document(body, 0);
}

}  // namespace atl::api
