#include "cli/printing.h"

#include <algorithm>

#include "base/text/yaml.h"

namespace atl::cli {
namespace {

std::string upper(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(),
                 [](unsigned char c) { return char(std::toupper(c)); });
  return out;
}

std::string cell_text(const json::Value& cell) {
  if (cell.is_string()) return std::string(cell.get_string());
  if (cell.is_null()) return "<none>";
  return json::serialize(cell);
}

// UTF-8 code points: close enough to columns for names and states.
size_t width(std::string_view text) {
  return size_t(
      std::count_if(text.begin(), text.end(), [](char c) { return (uint8_t(c) & 0xc0) != 0x80; }));
}

}  // namespace

std::string layout(const std::vector<std::vector<std::string>>& rows) {
  std::vector<size_t> widths;
  for (const auto& row : rows) {
    widths.resize(std::max(widths.size(), row.size()));
    for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], width(row[i]));
  }
  std::string out;
  for (const auto& row : rows) {
    for (size_t i = 0; i < row.size(); ++i) {
      out += row[i];
      if (i + 1 < row.size()) out.append(widths[i] - width(row[i]) + 3, ' ');
    }
    out += '\n';
  }
  return out;
}

std::string print_table(const json::Value& table, const TableStyle& style) {
  std::vector<size_t> shown;
  std::vector<std::vector<std::string>> rows;
  std::vector<std::string> heads;
  if (style.ns_column) heads.push_back("NAMESPACE");
  const json::Array& columns = json::array_at(table, {"columnDefinitions"});
  for (size_t i = 0; i < columns.size(); ++i) {
    if (json::int_at(columns[i], {"priority"}) > 0 && !style.wide) continue;
    shown.push_back(i);
    heads.push_back(upper(json::string_at(columns[i], {"name"})));
  }
  if (style.heads) rows.push_back(std::move(heads));
  for (const json::Value& row : json::array_at(table, {"rows"})) {
    std::vector<std::string> cells;
    if (style.ns_column)
      cells.emplace_back(json::string_at(row, {"object", "metadata", "namespace"}));
    const json::Array& all = json::array_at(row, {"cells"});
    for (size_t n = 0; n < shown.size(); ++n) {
      std::string text = shown[n] < all.size() ? cell_text(all[shown[n]]) : "";
      cells.push_back(n == 0 ? style.name_prefix + text : std::move(text));
    }
    rows.push_back(std::move(cells));
  }
  return layout(rows);
}

std::string print_objects(json::Array items, Output output) {
  if (output == Output::kName) {
    std::string out;
    for (const json::Value& item : items) {
      out += std::string(json::string_at(item, {"kind"})) + "/" +
             std::string(json::string_at(item, {"metadata", "name"})) + "\n";
    }
    return out;
  }
  if (items.size() == 1) return print_document(items[0], output);
  return print_document(
      json::Object{{"apiVersion", "v1"}, {"kind", "List"}, {"items", std::move(items)}}, output);
}

std::string print_document(const json::Value& document, Output output) {
  return output == Output::kYaml ? yaml::to_yaml(document) : json::pretty(document) + "\n";
}

}  // namespace atl::cli
