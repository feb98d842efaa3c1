#pragma once

#include "kernel/controllers/deps.h"

namespace atl::controllers {

// Gives an object this status, where it has another: `document` is the object as it was read, and a
// newer one on the server is a kConflict. Nothing to do where the object is gone.
Task<> write_changed_status(Deps deps, api::Gvr resource, api::ObjectKey key, json::Value document,
                            json::Object status);

}  // namespace atl::controllers
