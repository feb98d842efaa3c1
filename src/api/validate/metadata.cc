#include <fmt/format.h>

#include <algorithm>

#include "api/validate/findings.h"
#include "api/validate/names.h"
#include "api/validate/validate.h"

namespace atl::api {
namespace {

constexpr size_t kAnnotationBytesMax = 256 * 1024;  // keys and values together
constexpr size_t kManagerBytesMax = 128;
constexpr size_t kSubresourceBytesMax = 256;

json::Value text_value(std::string_view text) {
  return json::Value(json::String(text));
}

void complain(Findings& out, const std::string& path, std::string_view value,
              const Complaints& complaints) {
  for (const std::string& complaint : complaints)
    out.push_back(invalid_value(path, text_value(value), complaint));
}

void check_name(const Kind& kind, const json::Value& document, Findings& out) {
  const std::string_view prefix = json::string_at(document, {"metadata", "generateName"});
  const std::string_view name = json::string_at(document, {"metadata", "name"});
  if (!prefix.empty())
    complain(out, "metadata.generateName", prefix,
             object_name(kind.name_rule, prefix, NamePart::kPrefix));
  if (name.empty()) {
    out.push_back(required_value("metadata.name", "name or generateName is required"));
    return;
  }
  complain(out, "metadata.name", name, object_name(kind.name_rule, name, NamePart::kWhole));
  if (kind.name_max_length != 0 && name.size() > kind.name_max_length) {
    out.push_back(
        invalid_value("metadata.name", text_value(name),
                      fmt::format("must be no more than {} characters", kind.name_max_length)));
  }
}

void check_namespace(const Kind& kind, const json::Value& document, Findings& out) {
  const std::string_view ns = json::string_at(document, {"metadata", "namespace"});
  if (!kind.namespaced) {
    if (!ns.empty())
      out.push_back(forbidden_value("metadata.namespace", "not allowed on this type"));
  } else if (ns.empty()) {
    out.push_back(required_value("metadata.namespace"));
  } else {
    complain(out, "metadata.namespace", ns, dns_label(ns));
  }
}

void check_labels(const json::Value& document, Findings& out) {
  for (const auto& pair : json::object_at(document, {"metadata", "labels"})) {
    complain(out, "metadata.labels", pair.key(), label_key(pair.key()));
    if (const json::String* text = pair.value().if_string())
      complain(out, "metadata.labels", *text, label_value(*text));
  }
}

void check_annotations(const json::Value& document, Findings& out) {
  size_t total = 0;
  for (const auto& pair : json::object_at(document, {"metadata", "annotations"})) {
    std::string key(pair.key());
    std::transform(key.begin(), key.end(), key.begin(),
                   [](char c) { return c >= 'A' && c <= 'Z' ? char(c | 0x20) : c; });
    for (const std::string& complaint : label_key(key)) {
      out.push_back(invalid_value("metadata.annotations", text_value(pair.key()), complaint));
    }
    total += pair.key().size();
    if (const json::String* text = pair.value().if_string()) total += text->size();
  }
  if (total > kAnnotationBytesMax)
    out.push_back(too_long("metadata.annotations", kAnnotationBytesMax));
}

void check_owner(const json::Value& owner, Findings& out) {
  const std::string path = "metadata.ownerReferences";
  const std::string_view api_version = json::string_at(owner, {"apiVersion"});
  const auto need = [&](std::string_view field, std::string_view complaint) {
    const std::string_view text = json::string_at(owner, {field});
    if (text.empty())
      out.push_back(invalid_value(fmt::format("{}.{}", path, field), text_value(text), complaint));
  };
  const auto gv = parse_group_version(api_version);
  if (!gv || gv->version.empty()) {
    out.push_back(
        invalid_value(path + ".apiVersion", text_value(api_version), "version must not be empty"));
  }
  need("kind", "must not be empty");
  need("name", "must not be empty");
  need("uid", "must not be empty");
  if (api_version == "v1" && json::string_at(owner, {"kind"}) == "Event") {
    out.push_back(invalid_value(path, owner, "/v1, Kind=Event is disallowed from being an owner"));
  }
}

void check_owners(const json::Value& document, Findings& out) {
  const json::Array& owners = json::array_at(document, {"metadata", "ownerReferences"});
  std::string first;
  for (const json::Value& owner : owners) {
    check_owner(owner, out);
    if (!json::bool_at(owner, {"controller"})) continue;
    const std::string name =
        fmt::format("{}/{}", json::string_at(owner, {"kind"}), json::string_at(owner, {"name"}));
    if (!first.empty()) {
      out.push_back(invalid_value("metadata.ownerReferences", json::Value(owners),
                                  fmt::format("Only one reference can have Controller set to true. "
                                              "Found \"true\" in references for {} and {}",
                                              first, name)));
    } else {
      first = name;
    }
  }
}

void check_finalizers(const json::Value& document, Findings& out) {
  const json::Array& finalizers = json::array_at(document, {"metadata", "finalizers"});
  bool orphan = false, foreground = false;
  for (const json::Value& item : finalizers) {
    const json::String* text = item.if_string();
    if (!text) continue;
    complain(out, "metadata.finalizers", *text, label_key(*text));
    orphan |= *text == "orphan";
    foreground |= *text == "foregroundDeletion";
  }
  if (orphan && foreground) {
    out.push_back(invalid_value("metadata.finalizers", json::Value(finalizers),
                                "finalizer orphan and foregroundDeletion cannot be both set"));
  }
}

void check_managers(const json::Value& document, Findings& out) {
  const json::Array& entries = json::array_at(document, {"metadata", "managedFields"});
  for (size_t i = 0; i < entries.size(); ++i) {
    const std::string path = fmt::format("metadata.managedFields[{}]", i);
    const std::string_view operation = json::string_at(entries[i], {"operation"});
    if (operation != "Apply" && operation != "Update") {
      out.push_back(
          invalid_value(path + ".operation", text_value(operation), "must be `Apply` or `Update`"));
    }
    const std::string_view type = json::string_at(entries[i], {"fieldsType"});
    if (!type.empty() && type != "FieldsV1")
      out.push_back(invalid_value(path + ".fieldsType", text_value(type), "must be `FieldsV1`"));
    if (json::string_at(entries[i], {"manager"}).size() > kManagerBytesMax)
      out.push_back(too_long(path + ".manager", kManagerBytesMax));
    if (json::string_at(entries[i], {"subresource"}).size() > kSubresourceBytesMax) {
      out.push_back(too_long(path + ".subresource", kSubresourceBytesMax));
    }
  }
}

// What holds on create and update alike.
void check_common(const json::Value& document, Findings& out) {
  check_labels(document, out);
  check_annotations(document, out);
  check_owners(document, out);
  check_managers(document, out);
}

}  // namespace

Findings check_metadata(const Kind& kind, const json::Value& document) {
  Findings out;
  check_name(kind, document, out);
  check_namespace(kind, document, out);
  if (const int64_t generation = json::int_at(document, {"metadata", "generation"});
      generation < 0) {
    out.push_back(invalid_value("metadata.generation", json::Value(generation),
                                "must be greater than or equal to 0"));
  }
  check_common(document, out);
  check_finalizers(document, out);
  return out;
}

Findings check_metadata_update(const json::Value& before, const json::Value& after) {
  Findings out;
  if (json::find(before, {"metadata", "deletionTimestamp"})) {
    const json::Array& old = json::array_at(before, {"metadata", "finalizers"});
    std::vector<std::string> fresh;
    for (const json::Value& item : json::array_at(after, {"metadata", "finalizers"})) {
      if (item.is_string() && std::find(old.begin(), old.end(), item) == old.end())
        fresh.push_back(quoted(item.get_string()));
    }
    std::sort(fresh.begin(), fresh.end());
    if (!fresh.empty()) {
      out.push_back(forbidden_value(
          "metadata.finalizers", fmt::format("no new finalizers can be added if the object is "
                                             "being deleted, found new finalizers []string{{{}}}",
                                             fmt::join(fresh, ", "))));
    }
  }
  if (json::string_at(after, {"metadata", "resourceVersion"}).empty()) {
    out.push_back(invalid_value("metadata.resourceVersion", text_value(""),
                                "must be specified for an update"));
  }
  const int64_t generation = json::int_at(after, {"metadata", "generation"});
  if (generation < json::int_at(before, {"metadata", "generation"})) {
    out.push_back(
        invalid_value("metadata.generation", json::Value(generation), "must not be decremented"));
  }
  for (const std::string_view field : {"name", "namespace", "uid", "creationTimestamp",
                                       "deletionTimestamp", "deletionGracePeriodSeconds"}) {
    const json::Value* old = json::find(before, {"metadata", field});
    const json::Value* now = json::find(after, {"metadata", field});
    const json::Value none;
    if (!json::equal(old ? *old : none, now ? *now : none))
      out.push_back(immutable_value(fmt::format("metadata.{}", field), now ? *now : none));
  }
  check_common(after, out);
  return out;
}

}  // namespace atl::api
