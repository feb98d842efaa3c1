#include "kernel/apiserver/testing/case_file.h"

#include <fmt/format.h>

#include <charconv>

namespace atl::apiserver {
namespace {

std::string_view trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t' || text.back() == '\r'))
    text.remove_suffix(1);
  return text;
}

std::string_view word(std::string_view& text) {
  text = trim(text);
  const size_t end = std::min(text.find(' '), text.size());
  const std::string_view head = text.substr(0, end);
  text.remove_prefix(end);
  text = trim(text);
  return head;
}

int64_t number(std::string_view text) {
  int64_t value = -1;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

// One step of a path: "spec", "[0]", "[\"a.b/c\"]".
const json::Value* walk(const json::Value& from, std::string_view path) {
  const json::Value* at = &from;
  while (!path.empty() && at) {
    if (path.front() == '.') path.remove_prefix(1);
    if (path.starts_with('[')) {
      const size_t end = path.find(']');
      if (end == std::string_view::npos) return nullptr;
      std::string_view inner = path.substr(1, end - 1);
      path.remove_prefix(end + 1);
      if (inner.starts_with('"')) {
        at = json::find(*at, {inner.substr(1, inner.size() - 2)});
      } else {
        const int64_t index = number(inner);
        at = at->is_array() && index >= 0 && size_t(index) < at->get_array().size()
                 ? &at->get_array()[size_t(index)]
                 : nullptr;
      }
      continue;
    }
    const size_t end = std::min(path.find_first_of(".["), path.size());
    at = json::find(*at, {path.substr(0, end)});
    path.remove_prefix(end);
  }
  return at;
}

std::string text_of(const json::Value& value) {
  return value.is_string() ? std::string(value.get_string()) : json::serialize(value);
}

// %{repeat 3 ab}%, %{hex 00ff}%: what is too long or not text to be written out.
std::string macro(std::string_view call) {
  const std::string_view name = word(call);
  std::string out;
  if (name == "repeat") {
    const int64_t count = number(word(call));
    out.reserve(size_t(count) * call.size());
    for (int64_t i = 0; i < count; ++i) out += call;
  } else if (name == "numbered") {  // %{numbered 3 "k#":"v"}% joins with commas, # is the number
    const int64_t count = number(word(call));
    for (int64_t i = 0; i < count; ++i) {
      if (i > 0) out += ',';
      for (const char c : call) out += c == '#' ? std::to_string(i) : std::string(1, c);
    }
  } else if (name == "hex") {
    for (size_t i = 0; i + 1 < call.size(); i += 2) {
      int byte = 0;
      std::from_chars(call.data() + i, call.data() + i + 2, byte, 16);
      out += char(byte);
    }
  }
  return out;
}

class Parser {
 public:
  Result<std::vector<CaseStep>> parse(std::string_view text) {
    while (!text.empty()) {
      const size_t end = std::min(text.find('\n'), text.size());
      ++line_;
      TRY_OK(line(text.substr(0, end)));
      text.remove_prefix(std::min(end + 1, text.size()));
    }
    return std::move(steps_);
  }

 private:
  Result<> line(std::string_view text) {
    if (text.starts_with("> ")) return request(text.substr(2));
    if (in_body_ && !text.starts_with("<")) {
      if (!steps_.back().body.empty()) steps_.back().body += '\n';
      steps_.back().body += text;
      return Unit{};
    }
    text = trim(text);
    if (text.empty() || text.starts_with('#')) return Unit{};
    if (text.starts_with('<')) {
      in_body_ = false;
      steps_.back().status = int(number(trim(text.substr(1))));
      return Unit{};
    }
    std::string_view rest = text;
    const std::string_view first = word(rest);
    if (first == "case") {
      sentence_ = rest;
    } else if (first == "next" || first == "wait") {
      steps_.push_back({.line = line_, .what = sentence_});
      steps_.back().kind = first == "next" ? CaseStep::Do::kNext : CaseStep::Do::kWait;
      if (first == "next") steps_.back().stream = rest;
      if (first == "wait") steps_.back().wait = std::chrono::seconds(number(rest));
    } else if (steps_.empty()) {
      return Error(Code::kBadRequest, fmt::format("line {}: a check before any request", line_));
    } else {
      steps_.back().checks.emplace_back(text);
    }
    return Unit{};
  }

  Result<> request(std::string_view text) {
    const size_t colon = text.find(": ");
    const bool header = !text.empty() && text[0] >= 'a' && text[0] <= 'z' && colon < text.find(' ');
    if (header && !steps_.empty()) {
      steps_.back().headers.add(std::string(text.substr(0, colon)),
                                std::string(text.substr(colon + 2)));
      return Unit{};
    }
    if (in_body_)
      return Error(Code::kBadRequest,
                   fmt::format("line {}: the request before has no status", line_));
    CaseStep step{.line = line_, .what = sentence_};
    step.method = word(text);
    if (step.method == "OPEN") {
      step.kind = CaseStep::Do::kOpen;
      step.stream = word(text);
    }
    step.target = text;
    if (!step.target.starts_with('/') && !step.target.starts_with("${")) {
      return Error(Code::kBadRequest, fmt::format("line {}: no path", line_));
    }
    in_body_ = step.kind == CaseStep::Do::kRequest;
    steps_.push_back(std::move(step));
    return Unit{};
  }

  std::vector<CaseStep> steps_;
  std::string sentence_;
  size_t line_ = 0;
  bool in_body_ = false;
};

}  // namespace

Result<std::vector<CaseStep>> parse_cases(std::string_view text) {
  return Parser().parse(text);
}

void CaseRunner::fail(const CaseStep& step, const std::string& why) {
  failures_.push_back(fmt::format("line {} ({}): {}", step.line, step.what, why));
}

std::string CaseRunner::expand(std::string_view text) const {
  std::string out;
  while (!text.empty()) {
    const size_t at = text.find_first_of("$%");
    out += text.substr(0, at);
    if (at == std::string_view::npos) break;
    text.remove_prefix(at);
    size_t end = std::string_view::npos;
    if (text.starts_with("${")) end = text.find('}');
    if (text.starts_with("%{")) end = text.find("}%");
    if (end == std::string_view::npos) {
      out += text.front();
      text.remove_prefix(1);
      continue;
    }
    const std::string inner(text.substr(2, end - 2));
    if (text.front() == '%') {
      out += macro(inner);
      ++end;
    } else if (const auto known = variables_.find(inner); known != variables_.end()) {
      out += known->second;
    }
    text.remove_prefix(end + 1);
  }
  return out;
}

// path == JSON | path != JSON | path ~ text | absent path | count path N | header name ~ text |
// header name !~ text | body ~ text | name = path
void CaseRunner::check(const CaseStep& step, const std::string& raw, const FakeReply& reply,
                       const json::Value& document) {
  const std::string text = expand(raw);
  std::string_view rest = text;
  const std::string first(word(rest));
  const std::string shown = reply.body.substr(0, 400);
  if (first == "absent") {
    if (walk(document, rest)) fail(step, fmt::format("{} is there: {}", rest, shown));
    return;
  }
  if (first == "count") {
    const std::string path(word(rest));
    const json::Value* at = walk(document, path);
    const size_t size = at && at->is_array()    ? at->get_array().size()
                        : at && at->is_object() ? at->get_object().size()
                                                : 0;
    if (int64_t(size) != number(rest))
      fail(step, fmt::format("{} has {} items, not {}: {}", path, size, rest, shown));
    return;
  }
  if (first == "header" || first == "body") {
    const std::string name = first == "header" ? std::string(word(rest)) : "";
    const bool wanted = word(rest) != "!~";
    std::string value = reply.body;
    if (first == "header") {
      value.clear();
      for (const std::string_view item : reply.headers.all(name)) value += std::string(item) + "\n";
    }
    if ((value.find(rest) != std::string::npos) != wanted) {
      fail(step, fmt::format("{} {} {} {}: {}", first, name, wanted ? "lacks" : "has", rest,
                             value.substr(0, 400)));
    }
    return;
  }
  const std::string op(word(rest));
  if (op == "=") {
    const json::Value* at = walk(document, rest);
    if (!at) return fail(step, fmt::format("{} is missing: {}", rest, shown));
    variables_[first] = text_of(*at);
    return;
  }
  const json::Value* at = walk(document, first);
  if (!at) return fail(step, fmt::format("{} is missing: {}", first, shown));
  if (op == "~") {
    if (text_of(*at).find(rest) == std::string::npos)
      fail(step, fmt::format("{} lacks \"{}\": {}", first, rest, text_of(*at)));
    return;
  }
  const auto wanted = json::parse(rest);
  if (!wanted) return fail(step, fmt::format("the check \"{}\" is not understood", raw));
  if (json::equal(*at, *wanted) != (op == "==")) {
    fail(step, fmt::format("{} is {}, wanted {} {}", first, json::serialize(*at), op, rest));
  }
}

Async<void> CaseRunner::step(CaseStep step) {
  if (step.kind == CaseStep::Do::kWait) {
    const bool slept = co_await harness_.timer.sleep_for(step.wait);
    (void)slept;
    co_return;
  }
  for (std::pair<std::string, std::string> header : step.headers.items()) {
    step.headers.set(header.first, expand(header.second));
  }
  if (step.kind == CaseStep::Do::kOpen) {
    streams_[step.stream] = harness_.open(expand(step.target), step.headers);
    co_return;
  }
  auto reply = std::make_shared<FakeReply>();
  json::Value document;
  if (step.kind == CaseStep::Do::kNext) {
    document = co_await harness_.next_line(streams_[step.stream]);
    reply->body = json::serialize(document);
  } else {
    reply =
        co_await harness_.call(step.method, expand(step.target), expand(step.body), step.headers);
    const auto parsed = json::parse(reply->body, {.max_bytes = 64 << 20});
    if (parsed) document = *parsed;
    if (step.status != 0 && reply->status != step.status) {
      fail(step, fmt::format("answered {}, wanted {}: {}", reply->status, step.status,
                             reply->body.substr(0, 600)));
    }
  }
  for (const std::string& each : step.checks) check(step, each, *reply, document);
}

Async<std::vector<std::string>> CaseRunner::run(std::vector<CaseStep> steps) {
  for (const CaseStep& each : steps) co_await step(each);
  co_return failures_;
}

}  // namespace atl::apiserver
