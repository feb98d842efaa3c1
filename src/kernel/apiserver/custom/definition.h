#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "api/schema/kind.h"
#include "base/core/clock.h"
#include "base/text/json.h"

// A CustomResourceDefinition as the server reads it: pure functions over its document.
namespace atl::apiserver {

inline constexpr std::string_view kDefinitionGroup = "apiextensions.k8s.io";
inline constexpr std::string_view kDefinitions = "customresourcedefinitions";
// Holds a definition that is being deleted until its objects are gone.
inline constexpr std::string_view kCleanupFinalizer = "customresourcecleanup.apiextensions.k8s.io";

// ASCII letters in lower case.
std::string lower(std::string_view text);

// Names left out of the spec are filled in: singular, listKind, conversion None.
void default_definition(json::Value& definition);

// The kinds of the served versions. kInvalid with causes below spec.versions[i] where a schema is
// not structural. Names come from status.acceptedNames where they are there, else from the spec.
Result<std::vector<api::KindPtr>> kinds_of(const json::Value& definition);

// Versions that the definition serves and this server does not: all but the stored one where a
// webhook is to convert between them, which is not offered. Nobody may see an object as something
// it is not.
std::vector<std::string> versions_left_out(const json::Value& definition);

// Versions in the order of preference: v2, v1, v1beta2, v1beta1, v1alpha1, then others by name.
bool version_before(std::string_view a, std::string_view b);

// Adds or changes a condition; lastTransitionTime moves only with the status.
void set_condition(json::Value& definition, std::string_view type, bool status,
                   std::string_view reason, std::string_view message, WallTime now);
bool condition_is(const json::Value& definition, std::string_view type, std::string_view status);

// Names of the definition that other kinds of its group have: one sentence each, empty without any.
// `others`: all kinds of the server; those of this definition's own resource are left out.
std::string name_conflict(const json::Value& definition, const std::vector<api::KindPtr>& others);

}  // namespace atl::apiserver
