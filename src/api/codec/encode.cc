#include <fmt/format.h>

#include <bit>

#include "api/codec/codec.h"
#include "api/codec/duration_impl.h"
#include "api/codec/wire_impl.h"
#include "base/core/clock.h"
#include "base/text/base64.h"

// JSON to Kubernetes protobuf, by schema: the inverse of decode.cc for documents that fit their
// schema.
namespace atl::api {
namespace {

constexpr std::string_view kMagic("k8s\0", 4);

Error misfit(std::string_view what) {
  return Error(Code::kInvalid, fmt::format("cannot be written as protobuf: {}", what));
}

Result<std::string> message_of(const Schema& schema, const json::Object& from);

Result<std::string_view> text_of(const json::Value& value) {
  const json::String* text = value.if_string();
  if (!text) return misfit("a text was expected");
  return std::string_view(*text);
}

Result<int64_t> whole_of(const json::Value& value) {
  if (value.is_uint64()) return int64_t(value.get_uint64());
  if (value.is_double() && double(int64_t(value.get_double())) == value.get_double())
    return int64_t(value.get_double());
  if (!value.is_int64()) return misfit("a whole number was expected");
  return value.get_int64();
}

Result<std::string> time_of(const json::Value& value) {
  if (value.is_null()) return std::string();
  TRY(const std::string_view text, text_of(value));
  const auto time = parse_rfc3339(text);
  if (!time) return misfit("a time was expected");
  const int64_t nanos = time->time_since_epoch().count();
  const int64_t seconds =
      nanos >= 0 ? nanos / 1'000'000'000 : -((-nanos + 999'999'999) / 1'000'000'000);
  std::string out;
  wire::put_number(out, 1, uint64_t(seconds));
  wire::put_number(out, 2, uint64_t(nanos - seconds * 1'000'000'000));
  return out;
}

Result<std::string> int_or_string_of(const json::Value& value) {
  std::string out;
  if (value.is_string()) {
    wire::put_number(out, 1, 1);
    wire::put_number(out, 2, 0);
    wire::put_bytes(out, 3, std::string_view(value.get_string()));
  } else {
    TRY(const int64_t number, whole_of(value));
    wire::put_number(out, 1, 0);
    wire::put_number(out, 2, uint64_t(number));
    wire::put_bytes(out, 3, {});
  }
  return out;
}

Result<std::string> quantity_of(const json::Value& value) {
  std::string out;
  wire::put_bytes(out, 1,
                  value.is_string() ? std::string(value.get_string()) : json::serialize(value));
  return out;
}

Result<std::string> texts_of(const json::Value& value) {
  std::string out;
  if (!value.is_array()) return misfit("a list of texts was expected");
  for (const json::Value& item : value.get_array()) {
    TRY(const std::string_view text, text_of(item));
    wire::put_bytes(out, 1, text);
  }
  return out;
}

Result<std::string> schema_or_of(const Schema& schema, const json::Value& value) {
  std::string out;
  const bool flag = schema.wire == WireType::kSchemaOrBool;
  if (value.is_bool() && flag) {
    wire::put_number(out, 1, value.get_bool());
  } else if (value.is_object() && schema.items) {
    TRY(const std::string inner, message_of(*schema.items, value.get_object()));
    if (flag) wire::put_number(out, 1, 1);
    wire::put_bytes(out, flag ? 2 : 1, inner);
  } else if (value.is_array() && !flag && schema.items) {
    for (const json::Value& item : value.get_array()) {
      if (item.is_string()) {
        wire::put_bytes(out, 2, std::string_view(item.get_string()));
      } else if (item.is_object()) {
        TRY(const std::string inner, message_of(*schema.items, item.get_object()));
        wire::put_bytes(out, 2, inner);
      }
    }
  } else {
    return misfit("a schema was expected");
  }
  return out;
}

// The bytes of a length-delimited value.
Result<std::string> bytes_of(const Schema& schema, const json::Value& value) {
  switch (schema.wire) {
    case WireType::kMessage:
      if (!value.is_object()) return misfit("an object was expected");
      return message_of(schema, value.get_object());
    case WireType::kString: {
      TRY(const std::string_view text, text_of(value));
      return std::string(text);
    }
    case WireType::kBytes: {
      TRY(const std::string_view text, text_of(value));
      auto bytes = base64_decode(text);
      if (!bytes) return misfit("base64 was expected");
      return *std::move(bytes);
    }
    case WireType::kTime:
    case WireType::kMicroTime:
      return time_of(value);
    case WireType::kIntOrString:
      return int_or_string_of(value);
    case WireType::kQuantity:
      return quantity_of(value);
    case WireType::kVerbMap:
      return texts_of(value);
    case WireType::kRawExtension:
    case WireType::kFieldsV1:
    case WireType::kJson: {
      std::string out;
      wire::put_bytes(out, 1, json::serialize(value));
      return out;
    }
    case WireType::kDuration: {
      TRY(const std::string_view text, text_of(value));
      const auto duration = parse_duration(text);
      if (!duration) return misfit("a duration was expected");
      std::string out;
      wire::put_number(out, 1, uint64_t(*duration));
      return out;
    }
    case WireType::kSchemaOrArray:
    case WireType::kSchemaOrBool:
    case WireType::kSchemaOrStrings:
      return schema_or_of(schema, value);
    default:
      return misfit(fmt::format("{} has no protobuf form", schema.name));
  }
}

Result<> put_one(std::string& out, uint32_t number, const Schema& schema,
                 const json::Value& value) {
  switch (schema.wire) {
    case WireType::kBool:
      if (!value.is_bool()) return misfit("true or false was expected");
      wire::put_number(out, number, value.get_bool());
      return Unit{};
    case WireType::kInt32:
    case WireType::kInt64:
    case WireType::kUint32:
    case WireType::kUint64: {
      TRY(const int64_t whole, whole_of(value));
      wire::put_number(out, number, uint64_t(whole));
      return Unit{};
    }
    case WireType::kDouble:
      if (!value.is_number()) return misfit("a number was expected");
      wire::put_fixed64(out, number, std::bit_cast<uint64_t>(value.to_number<double>()));
      return Unit{};
    case WireType::kFloat:
      if (!value.is_number()) return misfit("a number was expected");
      wire::put_fixed32(out, number, std::bit_cast<uint32_t>(float(value.to_number<double>())));
      return Unit{};
    default:
      break;
  }
  TRY(const std::string bytes, bytes_of(schema, value));
  wire::put_bytes(out, number, bytes);
  return Unit{};
}

Result<> put_property(std::string& out, const Numbered& numbered, const json::Value& value) {
  const Schema& schema = *numbered.property->schema;
  if (value.is_null()) return Unit{};
  if (schema.wire == WireType::kMap) {
    if (!value.is_object()) return misfit("an object was expected");
    for (const auto& pair : value.get_object()) {
      std::string entry;
      wire::put_bytes(entry, 1, std::string_view(pair.key()));
      TRY_OK(put_one(entry, 2, *schema.additional, pair.value()));
      wire::put_bytes(out, numbered.number, entry);
    }
    return Unit{};
  }
  if (schema.type == SchemaType::kArray && schema.wire != WireType::kVerbMap) {
    if (!value.is_array()) return misfit("a list was expected");
    for (const json::Value& item : value.get_array())
      TRY_OK(put_one(out, numbered.number, *schema.items, item));
    return Unit{};
  }
  return put_one(out, numbered.number, schema, value);
}

Result<std::string> message_of(const Schema& schema, const json::Object& from) {
  std::string out;
  for (const Numbered& numbered : schema.numbered) {
    const json::Value* value = from.if_contains(*numbered.name);
    if (!value) continue;
    auto done = put_property(out, numbered, *value);
    if (!done) return std::move(done).error().during(*numbered.name);
  }
  for (const Inlined& inlined : schema.inlined) {
    TRY(const std::string inner, message_of(*inlined.schema, from));
    wire::put_bytes(out, inlined.number, inner);
  }
  return out;
}

}  // namespace

Result<std::string> encode_protobuf(const json::Value& document, const Schema& schema) {
  if (!document.is_object()) return misfit("an object was expected");
  TRY(const std::string raw, message_of(schema, document.get_object()));
  std::string type;
  wire::put_bytes(type, 1, json::string_at(document, {"apiVersion"}));
  wire::put_bytes(type, 2, json::string_at(document, {"kind"}));
  std::string out(kMagic);
  wire::put_bytes(out, 1, type);
  wire::put_bytes(out, 2, raw);
  wire::put_bytes(out, 3, {});
  wire::put_bytes(out, 4, {});
  return out;
}

}  // namespace atl::api
