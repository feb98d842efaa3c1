#pragma once

#include <string>

#include "kernel/apiserver/contract/admission.h"
#include "kernel/apiserver/contract/reader.h"

namespace atl::apiserver {

// What of a pod depends on its own fields, before any other step looks at it: requests follow
// limits, so that limit ranges and quotas see what will run. First in the chain.
class PodDefaults final : public Admission {
 public:
  std::string_view name() const override { return "PodDefaults"; }
  Task<> mutate(AdmissionRequest& request) override;
};

// The class that new objects get which name none: the one with the annotation
// `<is-default-class>: "true"`; of several the newest, then the first by name.
class DefaultClass final : public Admission {
 public:
  struct Names {
    std::string step;   // "DefaultStorageClass"
    std::string group;  // of the objects and their resource
    std::string resource;
    std::string class_group;
    std::string class_resource;
    std::string annotation;
    std::string field;  // of spec
  };
  static Names storage();  // PersistentVolumeClaims
  static Names ingress();  // Ingresses

  DefaultClass(const Reader& reader, Names names) : reader_(reader), names_(std::move(names)) {}
  std::string_view name() const override { return names_.step; }
  Task<> mutate(AdmissionRequest& request) override;

 private:
  std::string find_default() const;
  const Reader& reader_;
  Names names_;
};

// Volumes and claims in use are not removed: they get a finalizer.
class StorageObjectInUseProtection final : public Admission {
 public:
  std::string_view name() const override { return "StorageObjectInUseProtection"; }
  Task<> mutate(AdmissionRequest& request) override;
};

// A pod's RuntimeClass must exist; its overhead and node selection become the pod's.
class RuntimeClassAdmission final : public Admission {
 public:
  explicit RuntimeClassAdmission(const Reader& reader) : reader_(reader) {}
  std::string_view name() const override { return "RuntimeClass"; }
  Task<> mutate(AdmissionRequest& request) override;
  Task<> validate(const AdmissionRequest& request) override;

 private:
  const Reader& reader_;
};

}  // namespace atl::apiserver
