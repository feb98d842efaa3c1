#pragma once

#include "kernel/apiserver/auth/rbac_index.h"
#include "kernel/apiserver/contract/authorizer.h"
#include "kernel/apiserver/contract/reader.h"

namespace atl::apiserver {

// Decides by Roles, ClusterRoles and bindings. Members of system:masters may do everything, so that
// an instance whose roles are damaged can be mended. Owned by main(), outlives the server; the
// Reader's executor only. A decision costs a map lookup for each group of the user.
class RbacAuthorizer final : public Authorizer {
 public:
  explicit RbacAuthorizer(Reader& reader) : index_(reader) {}
  Task<Decision> authorize(Attributes attributes) override;

  // The same without a coroutine, for checks inside hooks.
  Decision decide(const Attributes& attributes) const;
  const RbacIndex& index() const { return index_; }

 private:
  RbacIndex index_;
};

}  // namespace atl::apiserver
