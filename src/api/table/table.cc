#include "api/table/table.h"

#include <algorithm>

#include "api/table/printers_impl.h"
#include "base/text/jsonpath.h"

namespace atl::api {
namespace {

// The columns of a kind as they are shown: a custom kind always starts with Name, and shows its age
// where its definition says nothing.
std::vector<Column> shown_columns(const Kind& kind) {
  const Column name{.name = "Name",
                    .type = "string",
                    .format = "name",
                    .description = "Name, unique within its namespace and kind.",
                    .json_path = ".metadata.name",
                    .printer = {}};
  std::vector<Column> columns = kind.columns;
  if (kind.custom) {
    if (columns.empty()) {
      columns.push_back({.name = "Age",
                         .type = "date",
                         .format = {},
                         .description = "Time since creation.",
                         .json_path = ".metadata.creationTimestamp",
                         .printer = {}});
    }
    if (columns[0].format != "name") columns.insert(columns.begin(), name);
  } else if (columns.empty()) {
    columns = {name,
               {.name = "Created At",
                .type = "date",
                .format = {},
                .description = "Time of creation.",
                .json_path = ".metadata.creationTimestamp",
                .printer = {}}};
  }
  return columns;
}

// What an absent value of a built-in kind prints as: the zero of its type.
json::Value zero_of(const Kind& kind, std::string_view path) {
  const Schema* schema = kind.schema;
  while (schema && !path.empty()) {
    if (path.starts_with('.')) path.remove_prefix(1);
    const size_t dot = path.find('.');
    const Property* property = schema->property(path.substr(0, dot));
    schema = property ? property->schema : nullptr;
    path = dot == path.npos ? std::string_view() : path.substr(dot);
  }
  if (schema && schema->type == SchemaType::kInteger) return 0;
  if (schema && schema->type == SchemaType::kBoolean) return false;
  return printers::text("");
}

json::Value builtin_cell(const Kind& kind, const Column& column, const json::Value* value) {
  if (!value || value->is_null()) return zero_of(kind, column.json_path);
  if (value->is_object() || value->is_array()) return printers::text(json::serialize(*value));
  return *value;
}

// A custom column: the value must be of the column's type, or the cell is empty.
json::Value custom_cell(const Column& column, const json::Value* value, WallTime now) {
  if (!value || value->is_null()) return nullptr;
  if (column.type == "string") {
    return value->is_string() ? *value : printers::text(json::serialize(*value));
  }
  if (column.type == "boolean") return value->is_bool() ? *value : json::Value();
  if (column.type == "date") {
    if (!value->is_string()) return nullptr;
    const auto time = parse_rfc3339(value->get_string());
    return printers::text(time ? human_duration(now - *time) : "<invalid>");
  }
  if (!value->is_number()) return nullptr;
  if (column.type == "integer" && value->is_double())
    return int64_t(std::clamp(value->get_double(), -9e18, 9e18));
  return *value;
}

// Columns with their paths parsed: once for each list, not for each row.
struct Cells {
  Cells(const Kind& of, WallTime at) : kind(of), now(at) {
    for (Column& column : shown_columns(of)) {
      auto path = JsonPath::parse(column.json_path);
      const printers::Function printer = printers::find(column.printer);
      columns.push_back(
          {std::move(column), path ? std::optional(*std::move(path)) : std::nullopt, printer});
    }
  }

  json::Array row(const json::Value& document) const {
    json::Array cells;
    cells.reserve(columns.size());
    for (const Shown& shown : columns) {
      if (shown.printer) {
        cells.push_back(shown.printer(document, now));
        continue;
      }
      const json::Value* value = shown.path ? shown.path->first(document) : nullptr;
      cells.push_back(kind.custom ? custom_cell(shown.column, value, now)
                                  : builtin_cell(kind, shown.column, value));
    }
    return cells;
  }

  struct Shown {
    Column column;
    std::optional<JsonPath> path;
    printers::Function printer;
  };
  const Kind& kind;
  WallTime now;
  std::vector<Shown> columns;
};

json::Value included(const json::Value& document, IncludeObject include) {
  switch (include) {
    case IncludeObject::kNone:
      return nullptr;
    case IncludeObject::kMetadata:
      return partial_metadata(document);
    case IncludeObject::kObject:
      return document;
  }
  return nullptr;
}

json::Value make_row(const Cells& cells, const json::Value& document, IncludeObject include) {
  json::Object row{{"cells", cells.row(document)}, {"object", included(document, include)}};
  const bool pod = cells.kind.gvk.group.empty() && cells.kind.gvk.kind == "Pod";
  const std::string_view phase =
      pod ? json::string_at(document, {"status", "phase"}) : std::string_view();
  if (phase == "Succeeded" || phase == "Failed") {
    row["conditions"] = json::Array{
        json::Object{{"type", "Completed"},
                     {"status", "True"},
                     {"reason", phase},
                     {"message", phase == "Failed" ? "The pod failed."
                                                   : "The pod has completed successfully."}}};
  }
  return row;
}

}  // namespace

json::Value table_columns(const Kind& kind) {
  json::Array out;
  for (const Column& column : shown_columns(kind)) {
    out.push_back(json::Object{{"name", column.name},
                               {"type", column.type},
                               {"format", column.format},
                               {"description", column.description},
                               {"priority", column.priority}});
  }
  return out;
}

json::Value table_row(const Kind& kind, const json::Value& document, WallTime now,
                      IncludeObject include) {
  return make_row(Cells(kind, now), document, include);
}

json::Value table_of(json::Value columns, json::Array rows, Revision revision,
                     std::string_view continue_token) {
  json::Object metadata{{"resourceVersion", std::to_string(revision.value)}};
  if (!continue_token.empty()) metadata["continue"] = continue_token;
  return json::Object{
      {"kind", "Table"},
      {"apiVersion", "meta.k8s.io/v1"},
      {"metadata", std::move(metadata)},
      {"columnDefinitions", columns.is_null() ? json::Value(json::Array()) : std::move(columns)},
      {"rows", std::move(rows)}};
}

json::Value table(const Kind& kind, std::span<const ObjectPtr> objects, Revision revision,
                  std::string_view continue_token, WallTime now, IncludeObject include) {
  const Cells cells(kind, now);
  json::Array rows;
  rows.reserve(objects.size());
  for (const ObjectPtr& object : objects) rows.push_back(make_row(cells, object->parse(), include));
  return table_of(table_columns(kind), std::move(rows), revision, continue_token);
}

json::Value partial_metadata(const json::Value& document) {
  const json::Value* metadata = json::find(document, {"metadata"});
  return json::Object{{"kind", "PartialObjectMetadata"},
                      {"apiVersion", "meta.k8s.io/v1"},
                      {"metadata", metadata ? *metadata : json::Value(json::Object())}};
}

std::vector<std::string> missing_printers(const KindSet& kinds) {
  std::vector<std::string> missing;
  for (const KindPtr& kind : kinds.all()) {
    for (const Column& column : kind->columns) {
      if (!column.printer.empty() && !printers::find(column.printer))
        missing.push_back(kind->gvk.kind + ": " + column.printer);
    }
  }
  return missing;
}

}  // namespace atl::api
