#include <fmt/format.h>

#include "api/codec/wire_impl.h"

namespace atl::api::wire {
namespace {

constexpr uint64_t kNumberMax = (1u << 29) - 1;

Error broken(std::string_view what) {
  return Error(Code::kBadRequest, fmt::format("protobuf: {}", what));
}

void put_tag(std::string& out, uint32_t number, Type type) {
  put_varint(out, uint64_t(number) << 3 | uint64_t(type));
}

}  // namespace

Result<uint64_t> packed_varint(std::string_view& rest) {
  uint64_t value = 0;
  for (size_t i = 0; i < 10; ++i) {
    if (i >= rest.size()) return broken("unexpected end of a number");
    const auto byte = uint8_t(rest[i]);
    value |= uint64_t(byte & 0x7f) << (7 * i);
    if (byte < 0x80) {
      if (i == 9 && byte > 1) return broken("a number has more than 64 bits");
      rest.remove_prefix(i + 1);
      return value;
    }
  }
  return broken("a number has more than 64 bits");
}

Result<uint64_t> Reader::varint() {
  return packed_varint(rest_);
}

Result<uint64_t> Reader::fixed(size_t bytes) {
  if (rest_.size() < bytes) return broken("unexpected end of a number");
  uint64_t value = 0;
  for (size_t i = 0; i < bytes; ++i) value |= uint64_t(uint8_t(rest_[i])) << (8 * i);
  rest_.remove_prefix(bytes);
  return value;
}

Result<Field> Reader::next() {
  TRY(const uint64_t tag, varint());
  if (tag >> 3 == 0 || tag >> 3 > kNumberMax) return broken("illegal field number");
  Field field{.number = uint32_t(tag >> 3), .type = Type(tag & 7)};
  switch (field.type) {
    case Type::kVarint: {
      TRY(field.value, varint());
      return field;
    }
    case Type::kFixed64: {
      TRY(field.value, fixed(8));
      return field;
    }
    case Type::kFixed32: {
      TRY(field.value, fixed(4));
      return field;
    }
    case Type::kBytes: {
      TRY(const uint64_t length, varint());
      if (length > rest_.size())
        return broken(fmt::format("field {} is longer than its message", field.number));
      field.bytes = rest_.substr(0, length);
      rest_.remove_prefix(length);
      return field;
    }
  }
  return broken(fmt::format("field {} has an illegal wire type {}", field.number, tag & 7));
}

void put_varint(std::string& out, uint64_t value) {
  for (; value >= 0x80; value >>= 7) out += char(value | 0x80);
  out += char(value);
}

void put_number(std::string& out, uint32_t number, uint64_t value) {
  put_tag(out, number, Type::kVarint);
  put_varint(out, value);
}

void put_bytes(std::string& out, uint32_t number, std::string_view bytes) {
  put_tag(out, number, Type::kBytes);
  put_varint(out, bytes.size());
  out += bytes;
}

void put_fixed64(std::string& out, uint32_t number, uint64_t value) {
  put_tag(out, number, Type::kFixed64);
  for (int i = 0; i < 8; ++i) out += char(value >> (8 * i));
}

void put_fixed32(std::string& out, uint32_t number, uint32_t value) {
  put_tag(out, number, Type::kFixed32);
  for (int i = 0; i < 4; ++i) out += char(value >> (8 * i));
}

}  // namespace atl::api::wire
