#pragma once

#include <string>

#include "base/async/task.h"
#include "kernel/apiserver/contract/request_info.h"
#include "kernel/apiserver/contract/user.h"

namespace atl::apiserver {

// What is to be decided. Value type.
struct Attributes {
  UserPtr user;  // never null
  std::string verb;
  bool is_resource = true;
  std::string group, version, resource, subresource;
  std::string ns, name;
  std::string path;            // non-resource requests
  std::string field_selector;  // list, watch, deletecollection; as in the URL
  std::string label_selector;
};

struct Decision {
  bool allowed = false;
  std::string reason;   // for people; may be empty
  bool denied = false;  // refused for good: no later authorizer is asked
};

// Built by main(), outlives the server, used on its executor. An error means that the decision
// could not be made (reported as 500, or as evaluationError of a review).
class Authorizer {
 public:
  virtual ~Authorizer() = default;
  virtual Task<Decision> authorize(Attributes attributes) = 0;
};

// Lets everybody do everything: tests of layers above, never in main().
class AllowAll final : public Authorizer {
 public:
  Task<Decision> authorize(Attributes attributes) override;
};

// `pods "x" is forbidden: User "u" cannot get resource "pods" in API group "" in the namespace
// "n"`.
Error forbidden(const Attributes& attributes, std::string_view reason);

}  // namespace atl::apiserver
