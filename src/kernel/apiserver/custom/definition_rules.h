#pragma once

#include "api/validate/validate.h"
#include "base/text/json.h"

// What may stand in a CustomResourceDefinition beyond its schema, in the words of Kubernetes'
// validation. Pure; structural schemas are checked by api::parse_structural.
namespace atl::apiserver {

// `old`: the definition before an update, null for a new one.
api::Findings check_definition(const json::Value& definition, const json::Value* old);

// One member of spec.versions: its name, deprecation, columns, scale paths and selectable fields.
// `path`: "spec.versions[0]".
void check_version(const json::Value& version, const std::string& path, api::Findings& out);

// A DNS-1035 label; the complaints of one name are one finding.
void check_label(std::string path, std::string_view name, api::Findings& out);

// The say of Kubernetes' reviewers over groups that are theirs (*.k8s.io, *.kubernetes.io): the
// annotation api-approved.kubernetes.io.
struct Approval {
  enum class State : uint8_t { kNotAsked, kMissing, kInvalid, kBypassed, kApproved };
  State state = State::kNotAsked;
  std::string message;
};
Approval approval_of(const json::Value& definition);
inline constexpr std::string_view kApprovedAnnotation = "api-approved.kubernetes.io";

}  // namespace atl::apiserver
