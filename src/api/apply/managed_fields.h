#pragma once

#include <string>
#include <vector>

#include "api/apply/field_set.h"
#include "base/core/clock.h"

// metadata.managedFields of one object, decoded. docs/formats/managed-fields.md describes the
// bytes.
namespace atl::api::fields {

enum class Operation : uint8_t { kApply, kUpdate };

struct ManagerEntry {
  std::string manager;
  Operation operation = Operation::kUpdate;
  std::string api_version;
  std::string subresource;
  std::string time;     // RFC 3339, empty where the entry has none
  json::Object fields;  // fieldsV1, canonical

  // Entries of one manager: for Apply the version does not count.
  bool same_manager(const ManagerEntry& other) const;
  // `"m" with subresource "status" using apps/v1`, as conflicts name it.
  std::string text() const;
};

enum class Trust : uint8_t {
  kStored,  // our own bytes: elements are canonical
  kClient,  // anybody's: elements are brought into canonical text
};

class ManagedFields {
 public:
  // kInvalid where an entry is malformed; an absent list is an empty one.
  static Result<ManagedFields> decode(const json::Value* list, Trust trust);
  // The same on a stored list that is not needed any more: fieldsV1 is moved out, not copied.
  static Result<ManagedFields> take(json::Value list);
  // Sorted as the field sorts them: Apply first, then by time, manager, version, subresource.
  json::Array encode() &&;

  std::vector<ManagerEntry>& entries() { return entries_; }
  const std::vector<ManagerEntry>& entries() const { return entries_; }
  bool empty() const { return entries_.empty(); }
  ManagerEntry* find(const ManagerEntry& like);
  ManagerEntry& get(const ManagerEntry& like);  // made where missing

  void drop_empty();
  // At most kUpdateManagersMax managers that update: the oldest merge, by version, into one named
  // "ancient-changes".
  void cap();

 private:
  std::vector<ManagerEntry> entries_;
};

inline constexpr size_t kUpdateManagersMax = 10;
inline constexpr std::string_view kAncientManager = "ancient-changes";
inline constexpr std::string_view kBeforeFirstApply = "before-first-apply";

}  // namespace atl::api::fields
