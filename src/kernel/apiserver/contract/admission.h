#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "api/schema/kind.h"
#include "base/async/task.h"
#include "base/text/json.h"
#include "kernel/apiserver/contract/user.h"

namespace atl::apiserver {

enum class Operation : uint8_t { kCreate, kUpdate, kDelete, kConnect };
std::string_view name(Operation operation);  // "CREATE" ...

// One write (or connect) on its way to the store. Belongs to the pipeline, lives until the steps
// ended.
struct AdmissionRequest {
  Operation operation;
  api::KindPtr kind;        // of the resource in the URL
  std::string subresource;  // "" for the object itself
  UserPtr user;
  std::string ns;
  std::string name;  // may be empty (generateName)
  // The new state: mutating steps change it. Null for deletions and connects (there the options of
  // the connect are in `options`). For a subresource with a body of its own (scale, binding,
  // eviction, token): that body.
  json::Value* object = nullptr;
  const json::Value* old_object = nullptr;  // null for a creation
  bool dry_run = false;
  json::Value options;  // CreateOptions, DeleteOptions, PodExecOptions ... as a document
  std::vector<std::string> warnings;  // become Warning headers
};

// One named step. Built by main(), outlives the server. Mutating steps run in order, then the
// object is validated, then validating steps run in order. The first error ends the request:
// kForbidden in most cases. A retried update runs the steps again with the newer old_object.
class Admission {
 public:
  virtual ~Admission() = default;
  virtual std::string_view name() const = 0;
  // `request` stays alive until the task ended.
  virtual Task<> mutate(AdmissionRequest& request);
  virtual Task<> validate(const AdmissionRequest& request);
  // The write is stored (or was a dry run: false), or failed after this step agreed (false).
  // Steps that reserved something (quota) settle it here.
  virtual void finished(const AdmissionRequest& request, bool stored);
};

// `pods "web" is forbidden: <why>`, the form of every refusal of an admission step.
Error admission_refused(const AdmissionRequest& request, std::string_view why);

// The steps in their order.
class AdmissionChain {
 public:
  void add(std::unique_ptr<Admission> step) { steps_.push_back(std::move(step)); }
  Task<> mutate(AdmissionRequest& request) const;
  Task<> validate(const AdmissionRequest& request) const;
  void finished(const AdmissionRequest& request, bool stored) const;

 private:
  std::vector<std::unique_ptr<Admission>> steps_;
};

}  // namespace atl::apiserver
