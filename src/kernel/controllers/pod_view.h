#pragma once

#include <string>
#include <vector>

#include "api/cache/informer.h"
#include "api/object/object.h"
#include "base/core/clock.h"

namespace atl::controllers {

// What controllers of pods look at in a pod. Value type.
struct PodView {
  std::string name;
  std::string uid;
  std::string node;   // empty: not placed yet
  std::string phase;  // "Pending", "Running", "Succeeded", "Failed", "Unknown"
  bool deleting = false;
  bool ready = false;
  WallTime ready_since{};
  WallTime created{};
  int64_t restarts = 0;
  int64_t deletion_cost = 0;  // annotation controller.kubernetes.io/pod-deletion-cost

  bool finished() const { return phase == "Succeeded" || phase == "Failed"; }
  bool active() const { return !deleting && !finished(); }
  // Ready for at least `min_ready`.
  bool available(Duration min_ready, WallTime now) const;
  // When an unavailable, ready pod will become available; 0 where it is not ready or is available.
  Duration until_available(Duration min_ready, WallTime now) const;
};

PodView view_pod(const api::Object& pod);

// The node a pod is placed on, or empty.
std::string node_of(const api::Object& pod);
// The index of pods by node; shared by all who ask for it.
api::Informer::Index index_by_node(api::Informer& pods);

// Puts those first that should be deleted first: unplaced, pending, not ready, cheap by deletion
// cost, crowded on their node, ready for a short time, often restarted, young. Times are compared
// by magnitude (powers of two), so that equals leave in random order by uid.
void sort_for_removal(std::vector<PodView>& pods, WallTime now);

}  // namespace atl::controllers
