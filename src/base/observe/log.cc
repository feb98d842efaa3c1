#include "base/observe/log.h"

#include <unistd.h>

#include <atomic>
#include <string>

#include "base/core/clock.h"

namespace atl::log {
namespace {

std::atomic<Level> g_level{Level::kInfo};

std::string_view level_name(Level level) {
  switch (level) {
    case Level::kDebug:
      return "debug";
    case Level::kInfo:
      return "info";
    case Level::kWarn:
      return "warn";
    case Level::kError:
      return "error";
  }
  return "?";
}

// Quotes a value where it needs it; control characters never reach the terminal.
void append_value(std::string& line, std::string_view value) {
  if (!value.empty() && value.find_first_of(" \"=\\\n\r\t") == std::string_view::npos) {
    line += value;
    return;
  }
  line += '"';
  for (const char c : value) {
    if (c == '"' || c == '\\') line += '\\';
    line += uint8_t(c) < 0x20 ? ' ' : c;
  }
  line += '"';
}

void write_stderr(Level level, std::string_view message, Fields fields) {
  std::string line = rfc3339_micro(SystemClock().now());
  line += ' ';
  line += level_name(level);
  line += " msg=";
  append_value(line, message);
  for (const Field& field : fields) {
    line += ' ';
    line += field.key;
    line += '=';
    append_value(line, field.value);
  }
  line += '\n';
  [[maybe_unused]] const ssize_t written = ::write(STDERR_FILENO, line.data(), line.size());
}

Sink& sink() {
  static Sink instance = write_stderr;
  return instance;
}

void emit(Level level, std::string_view message, Fields fields) {
  if (level >= g_level.load(std::memory_order_relaxed)) sink()(level, message, fields);
}

}  // namespace

void set_sink(Sink replacement) {
  sink() = std::move(replacement);
}
Result<Level> parse_level(std::string_view word) {
  for (const Level level : {Level::kDebug, Level::kInfo, Level::kWarn, Level::kError}) {
    if (word == level_name(level)) return level;
  }
  return Error(Code::kInvalid,
               "the log level is one of debug, info, warn and error, not " + std::string(word));
}
void set_level(Level level) {
  g_level = level;
}
void debug(std::string_view message, Fields fields) {
  emit(Level::kDebug, message, fields);
}
void info(std::string_view message, Fields fields) {
  emit(Level::kInfo, message, fields);
}
void warn(std::string_view message, Fields fields) {
  emit(Level::kWarn, message, fields);
}
void error(std::string_view message, Fields fields) {
  emit(Level::kError, message, fields);
}

}  // namespace atl::log
