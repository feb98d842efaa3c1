#pragma once

#include <string>
#include <vector>

#include "base/text/json.h"
#include "cli/options.h"

namespace atl::cli {

// Columns padded to their widest cell, two spaces between.
std::string layout(const std::vector<std::vector<std::string>>& rows);
// A meta.k8s.io/v1 Table. `wide` shows columns of lower priority; `ns_column` puts NAMESPACE first.
struct TableStyle {
  bool wide = false;
  bool ns_column = false;
  bool heads = true;
  std::string name_prefix;  // "deployment.apps/" where several types are listed
};
std::string print_table(const json::Value& table, const TableStyle& style);
// Objects as a program reads them: names, one document, or several as a v1 List.
std::string print_objects(json::Array items, Output output);
std::string print_document(const json::Value& document, Output output);

}  // namespace atl::cli
