#include <fmt/format.h>

#include "api/schema/kind.h"

namespace atl::api {
namespace {

constexpr size_t kUnknownMax = 100;  // fields that are told; all are removed

// Walks a document beside its schema. The path is written only where somebody wants it.
class Pruner {
 public:
  explicit Pruner(std::vector<std::string>* unknown) : unknown_(unknown) {}

  void value(const Schema& schema, json::Value& value, bool resource) {
    if (json::Object* object = value.if_object()) {
      members(schema.holds_schema() ? *schema.items : schema, *object,
              resource || schema.embedded_resource);
    } else if (json::Array* array = value.if_array(); array && schema.items) {
      for (size_t i = 0; i < array->size(); ++i) {
        const size_t length = path_.size();
        if (unknown_) path_ += fmt::format("[{}]", i);
        this->value(*schema.items, (*array)[i], false);
        path_.resize(length);
      }
    }
  }

 private:
  void members(const Schema& schema, json::Object& object, bool resource) {
    if (schema.type == SchemaType::kAny && schema.properties.empty() && !schema.additional) return;
    std::vector<std::string> gone;
    for (auto& pair : object) {
      const std::string_view key = pair.key();
      const Schema* next = schema.additional;
      if (const Property* property = schema.property(key)) next = property->schema;
      if (next) {
        const size_t length = path_.size();
        if (unknown_) step(key);
        value(*next, pair.value(), false);
        path_.resize(length);
      } else if (!keeps(schema, key, resource)) {
        gone.emplace_back(key);
      }
    }
    for (const std::string& key : gone) {
      if (unknown_ && unknown_->size() < kUnknownMax) {
        const size_t length = path_.size();
        step(key);
        unknown_->push_back(json::short_path(path_));
        path_.resize(length);
      }
      object.erase(key);
    }
  }

  static bool keeps(const Schema& schema, std::string_view key, bool resource) {
    if (schema.preserve_unknown) return true;
    return resource && (key == "apiVersion" || key == "kind" || key == "metadata");
  }

  void step(std::string_view key) {
    if (!path_.empty()) path_ += '.';
    path_ += key;
  }

  std::vector<std::string>* unknown_;
  std::string path_;
};

}  // namespace

void prune(const Schema& schema, json::Value& document, std::vector<std::string>* unknown) {
  Pruner(unknown).value(schema, document, true);
}

}  // namespace atl::api
