#pragma once

#include <cstddef>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include <boost/json/value.hpp>

#include "base/core/result.h"

// JSON trees (Boost.JSON) with the bounds and the canonical text that the API needs.
namespace atl::json {

using Value = boost::json::value;
using Object = boost::json::object;
using Array = boost::json::array;
using String = boost::json::string;

struct ParseOptions {
  size_t max_depth = 512;              // deeper documents are refused
  size_t max_bytes = 3 * 1024 * 1024;  // larger documents are refused
  // Where not null: receives the dotted path of every key that stands twice in its object.
  std::vector<std::string>* duplicate_keys = nullptr;
};

// How many duplicate keys are told, and how much of the path of each: a document may hold many.
inline constexpr size_t kDuplicatesMax = 100;
inline constexpr size_t kPathBytesMax = 1024;
std::string short_path(std::string path);

// kBadRequest with line-free text that says what is wrong and at which byte. Invalid UTF-8 is
// refused.
Result<Value> parse(std::string_view text, const ParseOptions& options = {});

// Canonical text: keys in byte order, no white space, shortest numbers. Equal trees give equal
// bytes.
std::string serialize(const Value& value);
// The same, indented by two spaces, keys in byte order.
std::string pretty(const Value& value);

// Walks objects by keys; null pointer where a step is missing or not an object.
using Path = std::initializer_list<std::string_view>;
const Value* find(const Value& root, Path path);
Value* find(Value& root, Path path);

// Reads through missing steps and wrong types: the fallback then.
std::string_view string_at(const Value& root, Path path, std::string_view fallback = {});
int64_t int_at(const Value& root, Path path, int64_t fallback = 0);
bool bool_at(const Value& root, Path path, bool fallback = false);
const Object& object_at(const Value& root, Path path);  // an empty object where missing
const Array& array_at(const Value& root, Path path);    // an empty array where missing

// Makes every step an object where missing (a step of another type is replaced) and returns the
// last.
Value& ensure(Value& root, Path path);
// Sets root[path...] = value, making steps as ensure() does.
void set(Value& root, Path path, Value value);
// Removes root[path...]; keeps the order of the other keys. True when it was there.
bool erase(Value& root, Path path);

// Deep equality where 1, 1u and 1.0 are the same number and the order of keys does not matter.
bool equal(const Value& a, const Value& b);

}  // namespace atl::json
