#include <fmt/format.h>

#include "api/schema/embedded_impl.h"
#include "api/schema/findings.h"
#include "api/schema/kind.h"
#include "api/schema/load_impl.h"
#include "api/schema/structural_impl.h"

namespace atl::api {
namespace {

constexpr std::string_view kObjectMeta = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta";

// Builds schemas from a document that structural_findings() has found no fault with.
class Builder {
 public:
  explicit Builder(SchemaSet& set) : set_(set) {}

  Result<Schema*> node(const json::Value& from) {
    Schema* schema = set_.make();
    schema->custom = true;
    read_keywords(*schema, from.get_object());
    schema->wire = implied_wire(*schema);
    TRY_OK(pattern(*schema));
    for (const json::Value& name : json::array_at(from, {"required"})) {
      if (name.is_string()) schema->required.emplace_back(name.get_string());
    }
    TRY_OK(children(*schema, from));
    TRY_OK(branches(*schema, from));
    for (const json::Value& rule : json::array_at(from, {"x-kubernetes-validations"}))
      schema->cel.push_back(cel(rule));
    if (schema->embedded_resource) TRY_OK(resource(*schema));
    return schema;
  }

  // What every object has, whatever its schema says.
  Result<> resource(Schema& schema) {
    for (const std::string_view name : {"apiVersion", "kind"}) {
      Property& property = schema.properties[std::string(name)];
      if (property.schema) continue;
      Schema* text = set_.make();
      text->custom = true;
      text->type = SchemaType::kString;
      text->wire = WireType::kString;
      property.schema = text;
    }
    TRY(const Schema* metadata, object_meta());
    Property& property = schema.properties["metadata"];
    if (property.schema) {
      // Only limits on the names may stand there: they are kept as a further condition.
      Schema* limits = set_.make();
      *limits = *property.schema;
      limits->type = SchemaType::kAny;
      Schema* wrapper = set_.make();
      wrapper->properties["metadata"].schema = limits;
      schema.all_of.push_back(wrapper);
    }
    property.schema = metadata;
    property.description = "Name, labels and everything else that all objects carry.";
    return Unit{};
  }

 private:
  Result<const Schema*> object_meta() {
    if (const Schema* known = set_.find(kObjectMeta)) return known;
    KindLoader loader(set_);
    for (const EmbeddedFile& file : embedded_kinds()) {
      if (file.name == "meta.v1") TRY_OK(loader.add(file.name, file.text));
    }
    TRY_OK(loader.finish());
    return set_.find(kObjectMeta);
  }

  Result<> children(Schema& schema, const json::Value& from) {
    for (const auto& pair : json::object_at(from, {"properties"})) {
      TRY(const Schema* inner, node(pair.value()));
      schema.properties[std::string(pair.key())].schema = inner;
    }
    if (const json::Value* items = json::find(from, {"items"})) {
      TRY(schema.items, node(*items));
    }
    const json::Value* values = json::find(from, {"additionalProperties"});
    if (values && values->is_object()) {
      TRY(schema.additional, node(*values));
    } else if (values && values->is_bool() && values->get_bool()) {
      Schema* any = set_.make();
      any->custom = true;
      any->preserve_unknown = true;
      schema.additional = any;
    }
    return Unit{};
  }

  Result<> branches(Schema& schema, const json::Value& from) {
    const std::pair<std::string_view, std::vector<const Schema*>*> lists[] = {
        {"allOf", &schema.all_of}, {"anyOf", &schema.any_of}, {"oneOf", &schema.one_of}};
    for (const auto& [key, list] : lists) {
      // The spelling of int-or-string says nothing beyond the type.
      if (key == "anyOf" && schema.type == SchemaType::kIntOrString) continue;
      for (const json::Value& part : json::array_at(from, {key})) {
        TRY(const Schema* inner, node(part));
        list->push_back(inner);
      }
    }
    if (const json::Value* negated = json::find(from, {"not"})) {
      TRY(schema.not_schema, node(*negated));
    }
    return Unit{};
  }

  static Result<> pattern(Schema& schema) {
    if (schema.limits.pattern.empty()) return Unit{};
    TRY(schema.limits.compiled, Pattern::compile(schema.limits.pattern));
    return Unit{};
  }

  static CelRule cel(const json::Value& from) {
    const auto text = [&](std::string_view key) {
      return std::string(json::string_at(from, {key}));
    };
    return {.rule = text("rule"),
            .message = text("message"),
            .message_expression = text("messageExpression"),
            .reason = text("reason"),
            .field_path = text("fieldPath"),
            .optional_old_self = json::bool_at(from, {"optionalOldSelf"})};
  }

  SchemaSet& set_;
};

// Defaults are stored as they will be used: without fields that pruning would take away.
void check_defaults(const Schema& schema, const std::string& path, std::vector<Cause>& out) {
  if (schema.default_value) {
    json::Value copy = *schema.default_value;
    std::vector<std::string> unknown;
    prune(schema, copy, &unknown);
    if (!unknown.empty())
      out.push_back(
          invalid_value(path + ".default", *schema.default_value, "must not have unknown fields"));
  }
  for (const auto& [name, property] : schema.properties) {
    if (property.schema->custom)
      check_defaults(*property.schema, fmt::format("{}.properties[{}]", path, name), out);
  }
  if (schema.items) check_defaults(*schema.items, path + ".items", out);
  if (schema.additional) check_defaults(*schema.additional, path + ".additionalProperties", out);
}

Error refused(std::vector<Cause> causes) {
  std::string text;
  for (const Cause& cause : causes)
    text += (text.empty() ? "" : ", ") + cause.field + ": " + cause.message;
  Error error(Code::kInvalid, causes.size() == 1 ? text : "[" + text + "]");
  for (Cause& cause : causes) error = std::move(error).with_cause(std::move(cause));
  return error;
}

}  // namespace

Result<const Schema*> parse_structural(SchemaSet& set, const json::Value& open_api_v3,
                                       std::string_view path) {
  if (auto causes = structural_findings(open_api_v3, path); !causes.empty())
    return refused(std::move(causes));
  Builder builder(set);
  TRY(Schema * root, builder.node(open_api_v3));
  TRY_OK(builder.resource(*root));
  std::vector<Cause> causes;
  check_defaults(*root, std::string(path), causes);
  if (!causes.empty()) return refused(std::move(causes));
  return root;
}

}  // namespace atl::api
