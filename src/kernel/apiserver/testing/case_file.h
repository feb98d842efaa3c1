#pragma once

#include <map>
#include <string>
#include <vector>

#include "base/core/result.h"
#include "kernel/apiserver/testing/harness.h"

// Text cases: requests and what must come back (tests/api/README.md). One file is one server.
namespace atl::apiserver {

struct CaseStep {
  size_t line = 0;
  std::string what;  // the sentence of the case it belongs to
  enum class Do : uint8_t { kRequest, kOpen, kNext, kWait } kind = Do::kRequest;
  std::string method, target, stream;  // stream: name of an open watch
  net::Headers headers;
  std::string body;
  Duration wait{};
  int status = 0;                   // 0: any
  std::vector<std::string> checks;  // "metadata.name == \"a\"" ...
};

// kBadRequest with the line where a file is not well-formed.
Result<std::vector<CaseStep>> parse_cases(std::string_view text);

// Runs the steps in order against a server; one sentence for each check that failed.
class CaseRunner {
 public:
  explicit CaseRunner(Harness& harness) : harness_(harness) {}
  Async<std::vector<std::string>> run(std::vector<CaseStep> steps);

 private:
  Async<void> step(CaseStep step);
  void check(const CaseStep& step, const std::string& check, const FakeReply& reply,
             const json::Value& document);
  void fail(const CaseStep& step, const std::string& why);
  std::string expand(std::string_view text) const;

  Harness& harness_;
  std::map<std::string, std::string> variables_;
  std::map<std::string, Harness::ReplyPtr> streams_;
  std::vector<std::string> failures_;
};

}  // namespace atl::apiserver
