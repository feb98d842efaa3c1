#pragma once

#include <set>
#include <string>
#include <vector>

#include "kernel/controllers/claim.h"

namespace atl::controllers {

// A pod template as it once was, kept as a ControllerRevision. Value type.
struct TemplateRevision {
  std::string name;    // of the ControllerRevision: "web-7d9f8c"
  std::string hash;    // its last part
  int64_t number = 0;  // grows with every change of the template
  json::Value pod_template;
};

// The history of a StatefulSet's or DaemonSet's template.
class Revisions {
 public:
  explicit Revisions(Deps deps);
  api::Informer& informer() const { return informer_; }

  // Of an owner, oldest first, as the cache shows them.
  std::vector<TemplateRevision> of(const api::Object& owner) const;
  // The revision with this template, made or brought to the front where needed.
  Task<TemplateRevision> current(api::ObjectPtr owner, json::Value pod_template);
  // Deletes the oldest that nobody uses, past `limit`.
  Task<> truncate(api::ObjectPtr owner, std::set<std::string> in_use, int64_t limit);

 private:
  static constexpr int kCollisionsMax = 16;
  Task<TemplateRevision> create(api::ObjectPtr owner, json::Value pod_template, int64_t number);

  Deps deps_;
  api::Informer& informer_;
};

}  // namespace atl::controllers
