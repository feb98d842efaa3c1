#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/core/result.h"
#include "base/text/json.h"

// YAML as the Kubernetes tools read and write it: YAML 1.1 scalars (yes, on, 0777 ...) turned into
// JSON.
namespace atl::yaml {

struct ParseOptions {
  size_t max_depth = 256;              // deeper documents are refused
  size_t max_bytes = 3 * 1024 * 1024;  // larger inputs are refused
  size_t max_documents = 10'000;
  // What aliases may add to the input, all together: values and bytes of text.
  size_t max_alias_values = 200'000;
  size_t max_alias_bytes = 16 * 1024 * 1024;
  // Where not null: receives the dotted path of every key that stands twice in its mapping.
  std::vector<std::string>* duplicate_keys = nullptr;
};

// One document; an empty input is null. kBadRequest with the line where known ("yaml: line 3:
// ..."). More than one document, tags beyond the YAML 1.1 core, keys that JSON cannot hold, NaN and
// infinities are refused.
Result<json::Value> parse(std::string_view text, const ParseOptions& options = {});
// Every document that is not empty.
Result<std::vector<json::Value>> parse_all(std::string_view text, const ParseOptions& options = {});

// As `kubectl -o yaml` prints: keys sorted, two spaces, sequences not indented, a newline at the
// end.
std::string to_yaml(const json::Value& value);

}  // namespace atl::yaml
