#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "api/object/names.h"
#include "base/core/bytes.h"
#include "base/core/revision.h"
#include "base/text/json.h"

namespace atl::api {

struct OwnerRef {
  std::string api_version;
  std::string kind;
  std::string name;
  std::string uid;
  bool controller = false;
  bool block_owner_deletion = false;
  bool operator==(const OwnerRef&) const = default;
};

// Sorted by key, no duplicates.
using Labels = std::vector<std::pair<std::string, std::string>>;
std::string_view label(const Labels& labels, std::string_view key);  // empty where missing
bool has_label(const Labels& labels, std::string_view key);

// What readers need without parsing the document.
struct Header {
  Gvk gvk;
  ObjectKey key;
  std::string uid;
  Revision revision;
  int64_t generation = 0;
  bool deleting = false;  // metadata.deletionTimestamp is set
  Labels labels;
  std::vector<OwnerRef> owners;
  // The owner with controller: true, if any.
  const OwnerRef* controller() const;
};

class Object;
// Shared by cache, events, informers and responses; immutable, so free to cross executors.
using ObjectPtr = std::shared_ptr<const Object>;

// One revision of one object: canonical JSON bytes and the header extracted from them. Immutable.
class Object {
 public:
  // Reads the header out of the document. kInvalid where apiVersion, kind or metadata have wrong
  // types. The revision is written into metadata.resourceVersion (removed where it is 0).
  static Result<ObjectPtr> from_document(json::Value document, Revision revision);
  // From bytes that already hold their resourceVersion (a server's answer).
  static Result<ObjectPtr> from_text(std::string text);
  // The same, and hands out the tree that was parsed on the way.
  static Result<ObjectPtr> from_text(std::string text, json::Value& document_out);
  // From a header and the bytes that it was read from, where somebody has both; nothing is checked.
  static ObjectPtr from_parts(Header header, std::string text);
  // The header of a document, revision included where it stands there. Errors as above.
  static Result<Header> header_of(const json::Value& document);

  const Header& header() const { return header_; }
  const ObjectKey& key() const { return header_.key; }
  const std::string& name() const { return header_.key.name; }
  const std::string& ns() const { return header_.key.ns; }
  const std::string& uid() const { return header_.uid; }
  Revision revision() const { return header_.revision; }

  // Canonical JSON, resourceVersion included.
  const std::string& text() const { return *bytes_; }
  SharedBytes bytes() const { return bytes_; }

  // A fresh tree of the document: about a microsecond for each KB. Keep it no longer than the
  // request.
  json::Value parse() const;

 private:
  Object(Header header, SharedBytes bytes) : header_(std::move(header)), bytes_(std::move(bytes)) {}
  Header header_;
  SharedBytes bytes_;
};

}  // namespace atl::api
