#pragma once

// Findings are made one layer below, where the rules for CustomResourceDefinitions need them as
// well.
#include "api/schema/findings.h"  // IWYU pragma: export
