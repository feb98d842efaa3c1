#pragma once

#include "kernel/apiserver/registry/versions.h"

namespace atl::apiserver {

// The built-in kinds whose versions differ in more than their apiVersion:
// events.k8s.io/v1 Event lies in the store as core Event (the same objects in two groups), and
// autoscaling/v1 HorizontalPodAutoscaler as autoscaling/v2, where what v1 cannot say travels in
// annotations (autoscaling.alpha.kubernetes.io/metrics, .../behavior).
void add_builtin_conversions(Versions& versions);

}  // namespace atl::apiserver
