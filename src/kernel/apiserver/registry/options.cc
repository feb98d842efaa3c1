#include "kernel/apiserver/registry/options.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "base/text/utf8.h"

namespace atl::apiserver {
namespace {

constexpr Duration kWatchTimeoutMax = std::chrono::hours(24);

Error invalid_options(std::string_view type, std::string_view field, std::string_view reason,
                      std::string message) {
  return Error(Code::kInvalid,
               fmt::format("{}.meta.k8s.io \"\" is invalid: {}: {}", type, field, message))
      .with_cause({std::string(reason), message, std::string(field)});
}

Error forbidden_option(std::string_view field, std::string_view why) {
  return invalid_options("ListOptions", field, "FieldValueForbidden",
                         fmt::format("Forbidden: {}", why));
}

Result<int64_t> number(std::string_view name, std::string_view text) {
  int64_t value = 0;
  const auto end = std::from_chars(text.data(), text.data() + text.size(), value);
  if (end.ec != std::errc() || end.ptr != text.data() + text.size()) {
    return Error(Code::kBadRequest, fmt::format("{}: \"{}\" is not a number", name, text));
  }
  return value;
}

Result<std::optional<Revision>> revision_of(std::string_view text) {
  if (text.empty()) return std::optional<Revision>();
  Revision revision;
  const auto end = std::from_chars(text.data(), text.data() + text.size(), revision.value);
  if (end.ec != std::errc() || end.ptr != text.data() + text.size()) {
    return invalid_options(
        "ListOptions", "resourceVersion", "FieldValueInvalid",
        fmt::format("Invalid value: \"{}\": must be a non-negative number", text));
  }
  return std::optional<Revision>(revision);
}

// What the parameters of a verb are called where they are wrong.
std::string_view options_type(std::string_view verb) {
  if (verb == "create") return "CreateOptions";
  if (verb == "update") return "UpdateOptions";
  return verb == "patch" ? "PatchOptions" : "DeleteOptions";
}

Result<FieldValidation> validation_of(std::string_view text, std::string_view verb) {
  if (text.empty() || text == "Warn") return FieldValidation::kWarn;
  if (text == "Ignore") return FieldValidation::kIgnore;
  if (text == "Strict") return FieldValidation::kStrict;
  return invalid_options(
      options_type(verb), "fieldValidation", "FieldValueNotSupported",
      fmt::format(
          "Unsupported value: \"{}\": supported values: \"\", \"Ignore\", \"Strict\", \"Warn\"",
          text));
}

Result<bool> dry_run_of(const std::vector<std::string_view>& values, std::string_view verb) {
  json::Array given;
  bool known = true;
  for (const std::string_view value : values) {
    if (value.empty()) continue;
    given.emplace_back(value);
    known = known && value == "All";
  }
  if (known) return !given.empty();
  return invalid_options(
      options_type(verb), "dryRun", "FieldValueNotSupported",
      fmt::format("Unsupported value: {}: supported values: \"All\"", json::serialize(given)));
}

// Bytes that no name of a manager holds: managedFields are read by people.
bool printable(std::string_view text) {
  const auto control = [](unsigned char c) { return c < 0x20 || c == 0x7f; };
  return valid_utf8(text) && std::ranges::none_of(text, control);
}

Result<> check_manager(std::string_view name, std::string_view verb) {
  if (name.size() > kManagerBytesMax) {
    return invalid_options(
        options_type(verb), "fieldManager", "FieldValueTooLong",
        fmt::format("Too long: may not be more than {} bytes", kManagerBytesMax));
  }
  if (printable(name)) return Unit{};
  return invalid_options(
      options_type(verb), "fieldManager", "FieldValueInvalid",
      fmt::format("Invalid value: {}: invalid character", json::serialize(json::Value(name))));
}

Result<uint64_t> limit_of(const net::Query& query) {
  if (query.get("limit").empty()) return 0;
  TRY(const int64_t limit, number("limit", query.get("limit")));
  // As upstream: a limit below one is no limit.
  return limit > 0 ? uint64_t(limit) : 0;
}

Result<> read_selectors(const net::Query& query, const api::Kind& kind, api::LabelSelector& labels,
                        api::FieldSelector& fields) {
  auto by_label = api::LabelSelector::parse(query.get("labelSelector"));
  if (!by_label) return Error(Code::kBadRequest, by_label.error().message());
  labels = *std::move(by_label);
  auto by_field = api::FieldSelector::parse(query.get("fieldSelector"));
  if (!by_field) return Error(Code::kBadRequest, by_field.error().message());
  fields = *std::move(by_field);
  for (const auto& term : fields.terms()) {
    const auto& known = kind.selectable_fields;
    if (term.field == "metadata.name" || term.field == "metadata.namespace") continue;
    if (std::find(known.begin(), known.end(), term.field) == known.end()) {
      if (known.empty()) {
        return Error(Code::kBadRequest,
                     fmt::format("\"{}\" is not a known field selector: only \"metadata.name\", "
                                 "\"metadata.namespace\"",
                                 term.field));
      }
      return Error(Code::kBadRequest, fmt::format("field label not supported: {}", term.field));
    }
  }
  return Unit{};
}

}  // namespace

Result<WriteOptions> read_write(const net::Query& query, std::string_view verb) {
  WriteOptions out;
  const bool writes = verb == "create" || verb == "update" || verb == "patch";
  if (!writes && !verb.starts_with("delete")) return out;
  TRY(out.dry_run, dry_run_of(query.all("dryRun"), verb));
  if (!writes) return out;
  TRY(out.validation, validation_of(query.get("fieldValidation"), verb));
  out.manager = query.get("fieldManager");
  TRY_OK(check_manager(out.manager, verb));
  return out;
}

Result<ListQuery> read_list(const net::Query& query, const api::Kind& kind) {
  ListQuery list;
  TRY_OK(read_selectors(query, kind, list.labels, list.fields));
  TRY(list.limit, limit_of(query));
  list.continue_token = query.get("continue");
  const std::string_view match = query.get("resourceVersionMatch");
  TRY(const auto revision, revision_of(query.get("resourceVersion")));
  if (query.has("sendInitialEvents")) {
    return forbidden_option("sendInitialEvents", "sendInitialEvents is forbidden for list");
  }
  if (!match.empty()) {
    if (!revision) {
      return forbidden_option(
          "resourceVersionMatch",
          "resourceVersionMatch is forbidden unless resourceVersion is provided");
    }
    if (!list.continue_token.empty()) {
      return forbidden_option("resourceVersionMatch",
                              "resourceVersionMatch is forbidden when continue is provided");
    }
    if (match != "Exact" && match != "NotOlderThan") {
      return invalid_options(
          "ListOptions", "resourceVersionMatch", "FieldValueNotSupported",
          fmt::format("Unsupported value: \"{}\": supported values: \"Exact\", \"NotOlderThan\"",
                      match));
    }
    if (match == "Exact" && !*revision) {
      return forbidden_option(
          "resourceVersionMatch",
          "resourceVersionMatch \"exact\" is forbidden for resourceVersion \"0\"");
    }
  }
  if (!list.continue_token.empty() && revision && *revision) {
    return Error(Code::kBadRequest,
                 "specifying resource version is not allowed when using continue");
  }
  list.revision = revision.value_or(Revision{});
  // A page of a given revision without a match is that revision's state, as upstream serves it.
  const bool exact = match == "Exact" || (match.empty() && list.limit > 0 && list.revision);
  if (list.revision) list.freshness = exact ? Freshness::kExact : Freshness::kNotOlderThan;
  return list;
}

Result<WatchQuery> read_watch(const net::Query& query, const api::Kind& kind,
                              Duration default_timeout) {
  WatchQuery watch;
  TRY_OK(read_selectors(query, kind, watch.labels, watch.fields));
  TRY_OK(limit_of(query));  // no watch has one, but its form is checked
  TRY(const auto revision, revision_of(query.get("resourceVersion")));
  if (revision && *revision) watch.from = revision;
  watch.bookmarks = query.flag("allowWatchBookmarks");
  watch.timeout = default_timeout;
  if (!query.get("timeoutSeconds").empty()) {
    TRY(const int64_t seconds, number("timeoutSeconds", query.get("timeoutSeconds")));
    if (seconds > 0) {
      watch.timeout = seconds < kWatchTimeoutMax / std::chrono::seconds(1)
                          ? Duration(std::chrono::seconds(seconds))
                          : kWatchTimeoutMax;
    }
  }
  const std::string_view match = query.get("resourceVersionMatch");
  if (query.has("sendInitialEvents")) {
    if (match != "NotOlderThan") {
      return forbidden_option(
          "resourceVersionMatch",
          "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan");
    }
    watch.initial_events = query.flag("sendInitialEvents");
    watch.from_now = !watch.initial_events && !watch.from;
  } else if (!match.empty()) {
    return forbidden_option(
        "resourceVersionMatch",
        "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided");
  }
  return watch;
}

Result<bool> delete_is_dry_run(const json::Value& options) {
  std::vector<std::string_view> values;
  for (const json::Value& value : json::array_at(options, {"dryRun"})) {
    values.push_back(value.is_string() ? std::string_view(value.get_string()) : "null");
  }
  return dry_run_of(values, "delete");
}

Result<DeleteQuery> read_delete(const net::Query& query, const json::Value& options) {
  DeleteQuery out;
  if (const json::Value* grace = json::find(options, {"gracePeriodSeconds"});
      grace && !grace->is_null()) {
    if (!grace->is_int64())
      return Error(Code::kBadRequest, "gracePeriodSeconds: must be an integer");
    out.grace_seconds = grace->get_int64();
  } else if (!query.get("gracePeriodSeconds").empty()) {
    TRY(out.grace_seconds, number("gracePeriodSeconds", query.get("gracePeriodSeconds")));
  }
  out.propagation = json::string_at(options, {"propagationPolicy"}, query.get("propagationPolicy"));
  out.uid = json::string_at(options, {"preconditions", "uid"});
  out.resource_version = json::string_at(options, {"preconditions", "resourceVersion"});
  if (const json::Value* orphan = json::find(options, {"orphanDependents"});
      orphan && orphan->is_bool()) {
    out.orphan_dependents = orphan->get_bool();
  } else if (query.has("orphanDependents")) {
    out.orphan_dependents = query.flag("orphanDependents");
  }
  return out;
}

Result<Revision> read_revision(const net::Query& query) {
  TRY(const auto revision, revision_of(query.get("resourceVersion")));
  return revision.value_or(Revision{});
}

}  // namespace atl::apiserver
