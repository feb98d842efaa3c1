#include "kernel/controllers/pod_view.h"

#include <algorithm>
#include <bit>
#include <charconv>
#include <map>
#include <tuple>

#include "api/controller/conditions.h"

namespace atl::controllers {
namespace {

int phase_rank(const std::string& phase) {
  if (phase == "Pending") return 0;
  return phase == "Unknown" ? 1 : 2;
}

// The power of two below an age; -1 for none.
int magnitude(WallTime since, WallTime now) {
  const int64_t age = (now - since).count();
  return age <= 0 ? -1 : int(std::bit_width(uint64_t(age))) - 1;
}

}  // namespace

bool PodView::available(Duration min_ready, WallTime now) const {
  return ready && (min_ready == Duration(0) || ready_since + min_ready <= now);
}

Duration PodView::until_available(Duration min_ready, WallTime now) const {
  if (!ready || deleting || available(min_ready, now)) return Duration(0);
  return ready_since + min_ready - now;
}

PodView view_pod(const api::Object& pod) {
  const json::Value document = pod.parse();
  PodView view;
  view.name = pod.name();
  view.uid = pod.uid();
  view.deleting = pod.header().deleting;
  view.node = json::string_at(document, {"spec", "nodeName"});
  view.phase = json::string_at(document, {"status", "phase"}, "Pending");
  view.created = api::time_at(document, {"metadata", "creationTimestamp"});
  const json::Value* ready =
      api::find_condition(json::array_at(document, {"status", "conditions"}), "Ready");
  if (ready && json::string_at(*ready, {"status"}) == "True") {
    view.ready = true;
    view.ready_since = api::time_at(*ready, {"lastTransitionTime"});
  }
  for (const json::Value& status : json::array_at(document, {"status", "containerStatuses"})) {
    view.restarts = std::max(view.restarts, json::int_at(status, {"restartCount"}));
  }
  const std::string_view cost = json::string_at(
      document, {"metadata", "annotations", "controller.kubernetes.io/pod-deletion-cost"});
  std::from_chars(cost.data(), cost.data() + cost.size(), view.deletion_cost);
  return view;
}

std::string node_of(const api::Object& pod) {
  return std::string(json::string_at(pod.parse(), {"spec", "nodeName"}));
}

api::Informer::Index index_by_node(api::Informer& pods) {
  return pods.add_index("node", [](const api::Object& pod, std::vector<std::string>& values) {
    values.push_back(node_of(pod));
  });
}

void sort_for_removal(std::vector<PodView>& pods, WallTime now) {
  std::map<std::string, int> ready_on_node;
  for (const PodView& pod : pods) {
    if (pod.ready) ++ready_on_node[pod.node];
  }
  const auto rank = [&](const PodView& pod) {
    const auto crowd = ready_on_node.find(pod.node);
    return std::tuple(!pod.node.empty(), phase_rank(pod.phase), pod.ready, pod.deletion_cost,
                      crowd == ready_on_node.end() ? 0 : -crowd->second,
                      pod.ready ? magnitude(pod.ready_since, now) : 0, -pod.restarts,
                      magnitude(pod.created, now), std::string_view(pod.uid));
  };
  std::sort(pods.begin(), pods.end(),
            [&](const PodView& a, const PodView& b) { return rank(a) < rank(b); });
}

}  // namespace atl::controllers
