#pragma once

#include <cstdint>
#include <functional>
#include <initializer_list>
#include <string>
#include <string_view>

#include "base/core/result.h"

// Log lines: a constant message and fields. Levels: error = a person must act, warn = we retry,
// info = state changed, debug. Secrets never enter a field.
namespace atl::log {

enum class Level : uint8_t { kDebug, kInfo, kWarn, kError };

struct Field {
  Field(std::string_view k, std::string_view v) : key(k), value(v) {}
  Field(std::string_view k, const char* v) : key(k), value(v) {}
  Field(std::string_view k, const std::string& v) : key(k), value(v) {}
  Field(std::string_view k, const Error& v) : key(k), value(v.message()) {}
  template <class T>
    requires std::is_arithmetic_v<T>
  Field(std::string_view k, T v) : key(k), value(std::to_string(v)) {}
  std::string_view key;
  std::string value;
};
using Fields = std::initializer_list<Field>;

// The process's sink; main() sets it before anything runs. Default: one line of logfmt on stderr.
using Sink = std::function<void(Level, std::string_view message, Fields fields)>;
void set_sink(Sink sink);
void set_level(Level level);
// "debug", "info", "warn" or "error"; kInvalid for another word.
Result<Level> parse_level(std::string_view word);

void debug(std::string_view message, Fields fields = {});
void info(std::string_view message, Fields fields = {});
void warn(std::string_view message, Fields fields = {});
void error(std::string_view message, Fields fields = {});

}  // namespace atl::log
