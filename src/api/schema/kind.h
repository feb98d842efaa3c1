#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "api/object/names.h"
#include "api/schema/schema.h"

namespace atl::api {

struct Column {
  std::string name;    // "Ready"
  std::string type;    // string, integer, number, boolean, date
  std::string format;  // "name" for the Name column
  std::string description;
  std::string json_path;  // ".status.phase"; empty where `printer` computes it
  std::string printer;    // name of a cell function in api/table, "pod.ready"
  int priority = 0;       // 1: only with -o wide
};

struct Subresource {
  std::string name;                // "status", "scale", "log"
  Gvk kind;                        // of what is read and written there
  const Schema* schema = nullptr;  // null where it has no body schema (log, exec, proxy)
  std::vector<std::string> verbs;
};

// Which names objects of a kind may have.
enum class NameRule : uint8_t {
  kSubdomain,    // DNS-1123 subdomain, at most 253 characters
  kLabel,        // DNS-1123 label, at most 63
  kPathSegment,  // anything without / and %, not . or ..
  kIp,           // an IP address in canonical form
  kAny,
};

// A resource in one version: everything the server knows about it, as data.
struct Kind {
  Gvk gvk;
  Gvr gvr;
  std::string list_kind;
  std::string singular;
  std::vector<std::string> short_names;
  std::vector<std::string> categories;
  bool namespaced = false;
  bool custom = false;      // from a CustomResourceDefinition
  bool storage = true;      // the version that is stored
  std::string deprecation;  // what callers are told with each answer; empty: current
  std::vector<std::string> verbs;
  std::vector<Subresource> subresources;
  std::vector<Column> columns;                 // without the leading Name where the kind has none
  std::vector<std::string> selectable_fields;  // "spec.nodeName"; metadata.name/namespace always
  const Schema* schema = nullptr;
  std::shared_ptr<SchemaSet> schemas;  // owner of `schema`

  bool unconditional_update = true;  // a PUT without resourceVersion is allowed
  bool create_on_update = false;     // a PUT of a missing object creates it
  bool has_generation = false;       // metadata.generation follows the spec
  NameRule name_rule = NameRule::kSubdomain;
  uint32_t name_max_length = 0;  // where smaller than the rule's
  std::string scale_spec_path, scale_status_path, scale_selector_path;  // ".spec.replicas"

  const Subresource* subresource(std::string_view sub) const;
  bool has_status() const { return subresource("status") != nullptr; }
};
using KindPtr = std::shared_ptr<const Kind>;

// All kinds of a server: the built-in ones and, at run time, custom ones. One executor.
class KindSet {
 public:
  // The kinds compiled into the program (kinds/*.json). Takes a few milliseconds.
  static Result<KindSet> builtin();

  KindPtr find(const Gvr& resource) const;
  KindPtr find(const Gvk& kind) const;
  // Kinds of one group and resource in every version.
  std::vector<KindPtr> versions(std::string_view group, std::string_view resource) const;
  // In discovery order.
  const std::vector<KindPtr>& all() const { return kinds_; }
  std::vector<GroupVersion> group_versions() const;  // preferred version first within a group

  // The schema of any kind that a request body may hold: resources, bodies of subresources (Scale,
  // Eviction ...) and DeleteOptions, which clients send under every group. Null where unknown.
  const Schema* schema_of(const Gvk& kind) const;
  // All definitions of built-in kinds; null in a set that was not made by builtin().
  const std::shared_ptr<const SchemaSet>& definitions() const { return definitions_; }

  void put(KindPtr kind);  // replaces the same Gvr
  void remove(const Gvr& resource);
  // Grows with every change.
  uint64_t generation() const { return generation_; }

 private:
  std::vector<KindPtr> kinds_;
  std::map<Gvr, KindPtr> by_gvr_;
  std::map<Gvk, KindPtr> by_gvk_;
  std::map<Gvk, const Schema*> bodies_;  // of subresources
  std::shared_ptr<const SchemaSet> definitions_;
  uint64_t generation_ = 0;
};

// Reads an OpenAPI v3 schema of a CustomResourceDefinition version (structural) into the set.
// kInvalid with one cause per violation of the structural rules, paths below `path`.
Result<const Schema*> parse_structural(SchemaSet& set, const json::Value& open_api_v3,
                                       std::string_view path);
// The inverse, as OpenAPI v3 with x-kubernetes-* extensions; references to definitions stay
// references.
json::Value to_openapi(const Schema& schema);

// Brings a document into the form that is kept: fills in defaults where the parent exists, removes
// nulls and empty values that stand for none, writes amounts and times in canonical form. Adds
// 64 MiB at most.
void apply_defaults(const Schema& schema, json::Value& document);
// Removes fields that the schema does not know; appends the dotted paths of up to 100 where asked
// for.
void prune(const Schema& schema, json::Value& document,
           std::vector<std::string>* unknown = nullptr);

}  // namespace atl::api
