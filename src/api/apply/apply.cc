#include "api/apply/apply.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "api/apply/managed_fields.h"
#include "api/apply/typed.h"

// Server-side apply, in five steps:
//   1. merge the configuration into the live object;
//   2. prune: what this manager applied before and leaves out now goes, unless somebody else owns
//   it;
//   3. compare with the live object: a change to what another manager owns is a conflict;
//   4. with force, or without conflicts, the others lose what changed;
//   5. the manager owns exactly what its configuration names.
namespace atl::api {
namespace {

using namespace fields;

constexpr std::string_view kLastApplied = "kubectl.kubernetes.io/last-applied-configuration";
constexpr size_t kAnnotationsMax = 256 * 1024;

struct Owner {
  ManagerEntry entry;  // its `fields` are not used
  FieldSet set;
};

struct Conflict {
  const ManagerEntry* manager;
  Path path;
};

Result<> check_config(const json::Value& config, const ManagerId& manager) {
  if (!config.is_object()) return Error(Code::kBadRequest, "the configuration must be an object");
  const std::string_view version = json::string_at(config, {"apiVersion"});
  if (version != manager.api_version) {
    return Error(
        Code::kBadRequest,
        fmt::format(
            "Incorrect version specified in apply patch. Specified patch version: {}, expected: {}",
            version, manager.api_version));
  }
  if (const json::Value* list = json::find(config, {"metadata", "managedFields"});
      list && !list->is_null()) {
    return Error(Code::kBadRequest, "metadata.managedFields must be nil");
  }
  return Unit();
}

// Owners of the live object. One that was never tracked has a single owner of all: a manager by the
// name of before-first-apply.
std::vector<Owner> owners_of(const Typed& type, const json::Value* live, const ManagerId& manager,
                             WallTime now) {
  std::vector<Owner> owners;
  const json::Value* list = live ? json::find(*live, {"metadata", "managedFields"}) : nullptr;
  if (auto managed = ManagedFields::decode(list, Trust::kStored)) {
    for (ManagerEntry& entry : managed->entries()) {
      auto set = from_json(entry.fields);
      entry.fields.clear();
      if (set) owners.push_back({std::move(entry), reconcile(type, *set)});
    }
  }
  if (!owners.empty() || !live) return owners;
  const ManagerEntry before{.manager = std::string(kBeforeFirstApply),
                            .operation = Operation::kUpdate,
                            .api_version = manager.api_version,
                            .subresource = manager.subresource,
                            .time = rfc3339(now),
                            .fields = {}};
  Changes all = compare(type, nullptr, live);
  if (!all.set.empty()) owners.push_back({before, std::move(all.set)});
  return owners;
}

// Step 2. `last` is what the manager owned before this apply, `owned` what anybody owns after it.
json::Value prune(const Typed& type, json::Value merged, const FieldSet& last,
                  const FieldSet& owned) {
  if (last.empty()) return merged;
  const FieldSet named_last = with_named_parents(type, last);
  const FieldSet all = with_named_parents(type, fields_of(type, merged));
  const auto fields_left = [&](const FieldSet& gone) {
    return with_named_parents(type, fields_of(type, without(type, merged, gone)));
  };
  // All that was applied before goes; then comes back what somebody owns; then what the manager
  // never had.
  const FieldSet left = fields_left(named_last);
  const FieldSet not_owned = subtract(all, unite(left, with_named_parents(type, owned)));
  const FieldSet kept = fields_left(not_owned);
  return without(type, std::move(merged), intersect(subtract(all, kept), named_last));
}

FieldSet union_of(const std::vector<Owner>& owners, const FieldSet& config) {
  FieldSet all = config;
  for (const Owner& owner : owners) all = unite(all, owner.set);
  return all;
}

std::vector<Conflict> conflicts_of(const std::vector<Owner>& owners, const ManagerEntry& self,
                                   const FieldSet& changed) {
  std::vector<Conflict> conflicts;
  for (const Owner& owner : owners) {
    if (owner.entry.same_manager(self)) continue;
    intersect(owner.set, changed).for_each([&](const Path& path) {
      conflicts.push_back({&owner.entry, path});
    });
  }
  std::sort(conflicts.begin(), conflicts.end(), [](const Conflict& a, const Conflict& b) {
    const auto key = [](const Conflict& c) {
      return std::tie(c.manager->manager, c.manager->operation, c.manager->api_version,
                      c.manager->subresource, c.path);
    };
    return key(a) < key(b);
  });
  return conflicts;
}

Error conflict_error(const std::vector<Conflict>& conflicts) {
  std::string message;
  if (conflicts.size() == 1) {
    message = fmt::format("Apply failed with 1 conflict: conflict with {}: {}",
                          conflicts[0].manager->text(), path_text(conflicts[0].path));
  } else {
    std::vector<std::string> lines;
    const ManagerEntry* last = nullptr;
    for (const Conflict& conflict : conflicts) {
      if (conflict.manager != last)
        lines.push_back(fmt::format("conflicts with {}:", conflict.manager->text()));
      lines.push_back("- " + path_text(conflict.path));
      last = conflict.manager;
    }
    message =
        fmt::format("Apply failed with {} conflicts: {}", conflicts.size(), fmt::join(lines, "\n"));
  }
  Error error(Code::kConflict, std::move(message));
  for (const Conflict& conflict : conflicts) {
    error = std::move(error).with_cause({"FieldManagerConflict",
                                         "conflict with " + conflict.manager->text(),
                                         path_text(conflict.path)});
  }
  return error;
}

// Fields that kubectl's client-side apply wrote and that still stand as it wrote them: kubectl may
// take them over, whoever is on record for them.
FieldSet client_side_fields(const Typed& type, const json::Value* live, const ManagerId& manager) {
  if (!live || manager.name != "kubectl") return {};
  const json::Value* annotation = json::find(*live, {"metadata", "annotations", kLastApplied});
  if (!annotation || !annotation->is_string()) return {};
  const auto applied = json::parse(annotation->get_string());
  if (!applied || json::string_at(*applied, {"apiVersion"}) != manager.api_version) return {};
  const Changes since = compare(type, &*applied, live);
  return subtract(subtract(fields_of(type, *applied), since.set), since.removed);
}

// kubectl keeps its annotation, where there is one, in step with what it applies server-side.
void update_last_applied(json::Value& document, const json::Value& config,
                         const ManagerId& manager) {
  json::Value* annotation = json::find(document, {"metadata", "annotations", kLastApplied});
  if (manager.name != "kubectl" || !annotation || !annotation->is_string() ||
      annotation->get_string().empty())
    return;
  json::Value plain = config;
  json::erase(plain, {"metadata", "annotations", kLastApplied});
  std::string text = json::serialize(plain) + "\n";
  if (text.size() > kAnnotationsMax) {
    json::erase(document, {"metadata", "annotations", kLastApplied});
  } else {
    *annotation = json::Value(text);
  }
}

json::Array encode(std::vector<Owner> owners) {
  ManagedFields managed;
  for (Owner& owner : owners) {
    owner.entry.fields = to_json(owner.set);
    if (!owner.set.empty()) managed.entries().push_back(std::move(owner.entry));
  }
  return std::move(managed).encode();
}

// Steps 4 and 5. True where somebody owns something else than before.
bool hand_over(std::vector<Owner>& owners, const ManagerEntry& self, FieldSet owned,
               const Changes& changes) {
  bool changed = false;
  for (Owner& owner : owners) {
    if (owner.entry.same_manager(self)) continue;
    FieldSet rest = subtract(subtract(owner.set, changes.set), changes.removed);
    changed = changed || rest != owner.set;
    owner.set = std::move(rest);
  }
  const auto mine = std::find_if(owners.begin(), owners.end(),
                                 [&](const Owner& o) { return o.entry.same_manager(self); });
  if (mine == owners.end()) {
    changed = changed || !owned.empty();
    owners.push_back({self, std::move(owned)});
  } else {
    changed = changed || mine->set != owned || mine->entry.api_version != self.api_version;
    mine->set = std::move(owned);
    mine->entry.api_version = self.api_version;
  }
  return changed;
}

}  // namespace

Result<Applied> apply(const Schema& schema, const json::Value* live, const json::Value& config,
                      const ManagerId& manager, bool force, WallTime now) {
  TRY_OK(check_config(config, manager));
  const Typed type = typed_root(schema);
  auto owned = owned_fields(type, config);
  if (!owned) return std::move(owned).error().during("failed to create typed patch object");
  const ManagerEntry self{.manager = manager.name.empty() ? "unknown" : manager.name,
                          .operation = Operation::kApply,
                          .api_version = manager.api_version,
                          .subresource = manager.subresource,
                          .time = {},
                          .fields = {}};
  std::vector<Owner> owners = owners_of(type, live, manager, now);
  const auto mine = std::find_if(owners.begin(), owners.end(),
                                 [&](const Owner& o) { return o.entry.same_manager(self); });
  const FieldSet last = mine == owners.end() ? FieldSet() : std::move(mine->set);
  if (mine != owners.end()) mine->set = FieldSet();

  json::Value base = live ? *live : json::Value(json::Object());
  json::erase(base, {"metadata", "managedFields"});
  json::Value document = prune(type, merge(type, base, config), last, union_of(owners, *owned));
  const Changes changes = compare(type, &base, &document);

  std::vector<Conflict> conflicts;
  if (!force) conflicts = conflicts_of(owners, self, changes.set);
  if (!conflicts.empty()) {
    const FieldSet allowed = client_side_fields(type, live, manager);
    std::erase_if(conflicts, [&](const Conflict& c) { return allowed.contains(c.path); });
  }
  if (!conflicts.empty()) return conflict_error(conflicts);

  if (mine != owners.end()) mine->set = last;
  const bool other_owners = hand_over(owners, self, subtract(*owned, unowned()), changes);
  update_last_applied(document, config, manager);
  const bool untracked = live && !json::find(*live, {"metadata", "managedFields"});
  const bool changed = other_owners || untracked || !json::equal(base, document);
  if (!changed && live) return Applied{*live, false};
  for (Owner& owner : owners) {
    if (owner.entry.same_manager(self)) owner.entry.time = rfc3339(now);
  }
  json::Array list = encode(std::move(owners));
  if (!list.empty()) json::set(document, {"metadata", "managedFields"}, std::move(list));
  return Applied{std::move(document), true};
}

}  // namespace atl::api
