#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <vector>

#include "api/select/select.h"
#include "api/table/printers_impl.h"
#include "api/table/table.h"

namespace atl::api::printers {
namespace {

std::vector<Printer> all_sorted() {
  std::vector<Printer> all;
  for (const auto group :
       {common_printers(), pod_printers(), workload_printers(), network_printers(),
        cluster_printers(), policy_printers(), volume_printers(), storage_printers()}) {
    all.insert(all.end(), group.begin(), group.end());
  }
  std::sort(all.begin(), all.end(),
            [](const Printer& a, const Printer& b) { return a.name < b.name; });
  return all;
}

// Where a kind has its containers: pods, templates, templates of jobs.
const json::Array& containers_of(const json::Value& document) {
  for (const json::Path path :
       {json::Path{"spec", "template", "spec", "containers"},
        json::Path{"spec", "jobTemplate", "spec", "template", "spec", "containers"},
        json::Path{"template", "spec", "containers"}, json::Path{"spec", "containers"}}) {
    const json::Array& found = json::array_at(document, path);
    if (!found.empty()) return found;
  }
  return json::array_at(document, {"spec", "containers"});
}

json::Value member_of_containers(const json::Value& document, std::string_view member) {
  std::vector<std::string_view> values;
  for (const json::Value& container : containers_of(document))
    values.push_back(json::string_at(container, {member}));
  return text(fmt::format("{}", fmt::join(values, ",")));
}

json::Value selector(const json::Value& document, WallTime) {
  const json::Value* found = json::find(document, {"spec", "selector"});
  if (!found) found = json::find(document, {"spec", "jobTemplate", "spec", "selector"});
  if (!found || !found->is_object()) return text(kNone);
  const json::Object& object = found->get_object();
  // A map of labels (Service, ReplicationController), or a LabelSelector.
  const bool map = std::all_of(object.begin(), object.end(),
                               [](const auto& pair) { return pair.value().is_string(); });
  return text(map ? labels_text(object) : selector_text(found));
}

}  // namespace

Function find(std::string_view name) {
  static const std::vector<Printer> kAll = all_sorted();
  const auto it =
      std::lower_bound(kAll.begin(), kAll.end(), name,
                       [](const Printer& p, std::string_view wanted) { return p.name < wanted; });
  return it != kAll.end() && it->name == name ? it->function : nullptr;
}

std::span<const Printer> common_printers() {
  static constexpr Printer kPrinters[] = {
      {"age",
       [](const json::Value& d, WallTime now) {
         return text(age_of(json::string_at(d, {"metadata", "creationTimestamp"}), now));
       }},
      {"containers",
       [](const json::Value& d, WallTime) { return member_of_containers(d, "name"); }},
      {"images", [](const json::Value& d, WallTime) { return member_of_containers(d, "image"); }},
      {"selector", selector},
  };
  return kPrinters;
}

json::Value text(std::string_view value) {
  return json::Value(value);
}
json::Value text_or(std::string_view value, std::string_view otherwise) {
  return text(value.empty() ? otherwise : value);
}

std::string joined(const json::Array& strings, std::string_view separator) {
  std::string out;
  for (const json::Value& item : strings) {
    if (!item.is_string()) continue;
    if (!out.empty()) out += separator;
    out += std::string_view(item.get_string());
  }
  return out;
}

std::string number_text(const json::Value* value, std::string_view otherwise) {
  if (!value || value->is_null() || value->is_object() || value->is_array())
    return std::string(otherwise);
  if (value->is_string()) return std::string(value->get_string());
  return json::serialize(*value);
}

std::string age_of(std::string_view timestamp, WallTime now) {
  const auto time = parse_rfc3339(timestamp);
  return time ? human_duration(now - *time) : std::string(kUnknown);
}

std::string limited(std::span<const std::string> pieces, size_t max, std::string_view separator) {
  const size_t shown = std::min(pieces.size(), max);
  const std::string out = fmt::format("{}", fmt::join(pieces.first(shown), separator));
  return pieces.size() > max ? fmt::format("{} + {} more...", out, pieces.size() - max) : out;
}

std::string labels_text(const json::Object& map) {
  return map.empty() ? std::string(kNone) : LabelSelector::from_map(map).text();
}

std::string selector_text(const json::Value* selector) {
  const auto parsed = LabelSelector::from_document(selector ? *selector : json::Value());
  if (!parsed) return "<error>";
  const std::string out = parsed->text();
  return out.empty() ? std::string(kNone) : out;
}

std::string lower(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(),
                 [](unsigned char c) { return c < 0x80 ? char(std::tolower(c)) : char(c); });
  return out;
}

const json::Value* condition(const json::Value& document, std::string_view type) {
  for (const json::Value& item : json::array_at(document, {"status", "conditions"})) {
    if (json::string_at(item, {"type"}) == type) return &item;
  }
  return nullptr;
}

}  // namespace atl::api::printers
