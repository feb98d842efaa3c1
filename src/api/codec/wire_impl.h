#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/core/result.h"

// The protobuf wire format: tags, varints and length-delimited pieces.
namespace atl::api::wire {

enum class Type : uint8_t { kVarint = 0, kFixed64 = 1, kBytes = 2, kFixed32 = 5 };

struct Field {
  uint32_t number = 0;
  Type type = Type::kVarint;
  uint64_t value = 0;      // of varints and fixed numbers
  std::string_view bytes;  // of length-delimited fields; borrows from the input
};

// Reads the fields of one message. Never reads past the end; groups and broken lengths are
// kBadRequest.
class Reader {
 public:
  explicit Reader(std::string_view message) : rest_(message) {}
  bool done() const { return rest_.empty(); }
  Result<Field> next();

 private:
  Result<uint64_t> varint();
  Result<uint64_t> fixed(size_t bytes);
  std::string_view rest_;
};

// The numbers of a packed list.
Result<uint64_t> packed_varint(std::string_view& rest);

void put_varint(std::string& out, uint64_t value);
void put_number(std::string& out, uint32_t number, uint64_t value);         // tag and varint
void put_bytes(std::string& out, uint32_t number, std::string_view bytes);  // tag, length, bytes
void put_fixed64(std::string& out, uint32_t number, uint64_t value);
void put_fixed32(std::string& out, uint32_t number, uint32_t value);

}  // namespace atl::api::wire
