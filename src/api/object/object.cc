#include "api/object/object.h"

#include <algorithm>
#include <charconv>

#include "base/core/check.h"

namespace atl::api {
namespace {

Error wrong_type(std::string_view field, std::string_view wanted) {
  return Error(Code::kBadRequest, std::string(field) + ": must be " + std::string(wanted));
}

Result<std::string> text_field(const json::Value& document, json::Path path,
                               std::string_view name) {
  const json::Value* at = json::find(document, path);
  if (!at || at->is_null()) return std::string();
  if (!at->is_string()) return wrong_type(name, "a string");
  return std::string(at->get_string());
}

Result<Labels> read_labels(const json::Value& document) {
  Labels labels;
  const json::Value* at = json::find(document, {"metadata", "labels"});
  if (!at || at->is_null()) return labels;
  if (!at->is_object()) return wrong_type("metadata.labels", "an object");
  for (const auto& [key, value] : at->get_object()) {
    if (!value.is_string()) return wrong_type("metadata.labels", "a map of strings");
    labels.emplace_back(key, value.get_string());
  }
  std::sort(labels.begin(), labels.end());
  return labels;
}

Result<std::vector<OwnerRef>> read_owners(const json::Value& document) {
  std::vector<OwnerRef> owners;
  const json::Value* at = json::find(document, {"metadata", "ownerReferences"});
  if (!at || at->is_null()) return owners;
  if (!at->is_array()) return wrong_type("metadata.ownerReferences", "a list");
  for (const json::Value& item : at->get_array()) {
    if (!item.is_object()) return wrong_type("metadata.ownerReferences", "a list of objects");
    owners.push_back(
        {std::string(json::string_at(item, {"apiVersion"})),
         std::string(json::string_at(item, {"kind"})), std::string(json::string_at(item, {"name"})),
         std::string(json::string_at(item, {"uid"})), json::bool_at(item, {"controller"}),
         json::bool_at(item, {"blockOwnerDeletion"})});
  }
  return owners;
}

Result<Header> read_header(const json::Value& document) {
  if (!document.is_object()) return Error(Code::kBadRequest, "the document is not an object");
  Header header;
  TRY(const std::string api_version, text_field(document, {"apiVersion"}, "apiVersion"));
  TRY(header.gvk.kind, text_field(document, {"kind"}, "kind"));
  if (!api_version.empty()) {
    TRY(const GroupVersion gv, parse_group_version(api_version));
    header.gvk.group = gv.group;
    header.gvk.version = gv.version;
  }
  if (const json::Value* meta = json::find(document, {"metadata"});
      meta && !meta->is_object() && !meta->is_null()) {
    return wrong_type("metadata", "an object");
  }
  TRY(header.key.ns, text_field(document, {"metadata", "namespace"}, "metadata.namespace"));
  TRY(header.key.name, text_field(document, {"metadata", "name"}, "metadata.name"));
  TRY(header.uid, text_field(document, {"metadata", "uid"}, "metadata.uid"));
  header.generation = json::int_at(document, {"metadata", "generation"});
  const json::Value* deleted = json::find(document, {"metadata", "deletionTimestamp"});
  header.deleting = deleted && !deleted->is_null();
  TRY(header.labels, read_labels(document));
  TRY(header.owners, read_owners(document));
  return header;
}

Revision read_revision(const json::Value& document) {
  const std::string_view text = json::string_at(document, {"metadata", "resourceVersion"});
  Revision revision;
  std::from_chars(text.data(), text.data() + text.size(), revision.value);
  return revision;
}

}  // namespace

std::string_view label(const Labels& labels, std::string_view key) {
  const auto it =
      std::lower_bound(labels.begin(), labels.end(), key,
                       [](const auto& pair, std::string_view k) { return pair.first < k; });
  return it != labels.end() && it->first == key ? std::string_view(it->second) : std::string_view();
}

bool has_label(const Labels& labels, std::string_view key) {
  return std::any_of(labels.begin(), labels.end(),
                     [&](const auto& pair) { return pair.first == key; });
}

const OwnerRef* Header::controller() const {
  const auto it = std::find_if(owners.begin(), owners.end(),
                               [](const OwnerRef& owner) { return owner.controller; });
  return it == owners.end() ? nullptr : &*it;
}

Result<ObjectPtr> Object::from_document(json::Value document, Revision revision) {
  TRY(Header header, read_header(document));
  header.revision = revision;
  if (revision) {
    json::set(document, {"metadata", "resourceVersion"},
              json::Value(std::to_string(revision.value)));
  } else {
    json::erase(document, {"metadata", "resourceVersion"});
  }
  return ObjectPtr(new Object(std::move(header), share(json::serialize(document))));
}

Result<ObjectPtr> Object::from_text(std::string text) {
  json::Value document;
  return from_text(std::move(text), document);
}

Result<ObjectPtr> Object::from_text(std::string text, json::Value& document) {
  TRY(document, json::parse(text, {.max_bytes = 64 << 20}));
  TRY(Header header, header_of(document));
  return ObjectPtr(new Object(std::move(header), share(std::move(text))));
}

ObjectPtr Object::from_parts(Header header, std::string text) {
  return ObjectPtr(new Object(std::move(header), share(std::move(text))));
}

Result<Header> Object::header_of(const json::Value& document) {
  TRY(Header header, read_header(document));
  header.revision = read_revision(document);
  return header;
}

json::Value Object::parse() const {
  auto document = json::parse(*bytes_, {.max_bytes = 64 << 20});
  CHECK(document.has_value());  // the bytes were made from a document
  return *std::move(document);
}

}  // namespace atl::api
