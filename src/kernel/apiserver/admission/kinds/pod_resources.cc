#include <fmt/format.h>

#include "base/text/quantity.h"
#include "kernel/apiserver/admission/kinds/pod_rules.h"
#include "kernel/apiserver/contract/findings.h"

namespace atl::apiserver {
namespace {

bool standard_resource(std::string_view name) {
  return name == "cpu" || name == "memory" || name == "ephemeral-storage" ||
         name.starts_with("hugepages-");
}

// Resources of devices: "vendor.com/gpu". Counted in whole ones and never overcommitted.
bool extended_resource(std::string_view name) {
  return name.find('/') != std::string_view::npos &&
         name.find("kubernetes.io/") == std::string_view::npos;
}

std::optional<Quantity> read_amount(const json::Value& value, const std::string& path,
                                    api::Findings& out) {
  // YAML writers leave plain numbers unquoted.
  const std::string text =
      value.is_string() ? std::string(value.as_string()) : json::serialize(value);
  auto amount = Quantity::parse(text);
  if (!amount) {
    out.push_back(invalid_value(path, value,
                                "quantities must match the regular expression "
                                "'^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"));
    return std::nullopt;
  }
  if (amount->negative())
    out.push_back(invalid_value(path, value, "must be greater than or equal to 0"));
  return *amount;
}

void check_list(const json::Value& resources, std::string_view list, const std::string& path,
                api::Findings& out) {
  for (const auto& [name, value] : json::object_at(resources, {list})) {
    const std::string here = at(under(path, list), std::string_view(name));
    if (!standard_resource(name) && name.find('/') == json::String::npos) {
      out.push_back(
          invalid_value(here, json::Value(name), "must be a standard resource for containers"));
      continue;
    }
    const auto amount = read_amount(value, here, out);
    if (amount && extended_resource(name) && !amount->whole()) {
      out.push_back(invalid_value(here, value, "must be an integer"));
    }
  }
}

}  // namespace

void check_resources(const json::Value& resources, const std::string& path, api::Findings& out) {
  check_list(resources, "limits", path, out);
  check_list(resources, "requests", path, out);
  for (const auto& [name, value] : json::object_at(resources, {"requests"})) {
    const json::Value* limit_value = json::find(resources, {"limits", name});
    const std::string requests = under(path, "requests");
    if (limit_value == nullptr) {
      if (extended_resource(name))
        out.push_back(required_value(under(path, "limits"),
                                     "Limit must be set for non overcommitable resources"));
      continue;
    }
    api::Findings known;  // said already
    const auto request = read_amount(value, path, known);
    const auto limit = read_amount(*limit_value, path, known);
    if (!request || !limit) continue;
    if (extended_resource(name) && *request != *limit) {
      out.push_back(invalid_value(
          requests, json::Value(request->text()),
          fmt::format("must be equal to {} limit of {}", std::string_view(name), limit->text())));
    } else if (*request > *limit) {
      out.push_back(invalid_value(requests, json::Value(request->text()),
                                  fmt::format("must be less than or equal to {} limit of {}",
                                              std::string_view(name), limit->text())));
    }
  }
}

}  // namespace atl::apiserver
