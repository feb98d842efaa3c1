#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "api/schema/kind.h"
#include "base/core/result.h"

namespace atl::api {

// Reads the files of kinds/ into one set. Used once for each KindSet, by builtin().
// References between files are resolved by name, so files may come in any order; finish() says
// which definition was named and never given.
class KindLoader {
 public:
  explicit KindLoader(SchemaSet& set) : set_(set) {}  // borrowed

  // kInternal where the file is not what docs/formats/kinds.md describes.
  Result<> add(std::string_view name, std::string_view text);
  Result<> finish();

  std::vector<std::shared_ptr<Kind>>& kinds() { return kinds_; }

 private:
  // A use of a definition that changes how it merges: it gets a copy of the definition.
  struct Override {
    Schema* owner;
    std::string property;
    json::Object keys;
  };

  void read_definition(std::string_view name, const json::Object& from);
  void read_property(Schema& owner, std::string_view name, const json::Object& from);
  const Schema* read_node(const json::Object& from);
  const Schema* scalar(const json::Object& from);
  void read_inlined(Schema& owner, const json::Array& from);
  const Schema* schema_behind(const Schema& schema) const;
  Result<> read_resource(const GroupVersion& gv, const json::Value& from);

  SchemaSet& set_;
  std::vector<std::shared_ptr<Kind>> kinds_;
  std::vector<Override> overrides_;
  std::map<std::string, const Schema*, std::less<>> scalars_;  // shared nodes by type and format
};

// Fills the members of a node that both kinds/ and CustomResourceDefinitions write the same way:
// type, format, limits, list and map types, patch strategy, nullable and the like.
void read_keywords(Schema& schema, const json::Object& from);
// How values of a node travel, from its type and format.
WireType implied_wire(const Schema& schema);

}  // namespace atl::api
