#include "kernel/controllers/deployment_plan.h"

#include <algorithm>
#include <tuple>

#include "kernel/controllers/int_or_percent.h"

namespace atl::controllers {
namespace {

template <class F>
int64_t sum(const Sets& sets, F field) {
  int64_t total = sets.current ? field(*sets.current) : 0;
  for (const SetView& set : sets.old) total += field(set);
  return total;
}
int64_t total_size(const Sets& sets) {
  return sum(sets, [](const SetView& s) { return s.size; });
}
// A set that is shrinking may still report pods that it is about to lose: they do not count.
int64_t total_available(const Sets& sets) {
  return sum(sets, [](const SetView& s) { return std::min(s.available, s.size); });
}

std::vector<SetView> active_sets(const Sets& sets) {
  std::vector<SetView> out;
  for (const SetView& set : sets.old) {
    if (set.size > 0) out.push_back(set);
  }
  if (sets.current && sets.current->size > 0) out.push_back(*sets.current);
  return out;
}

std::vector<SetView> oldest_first(std::vector<SetView> sets) {
  std::sort(sets.begin(), sets.end(), [](const SetView& a, const SetView& b) {
    return std::tie(a.created, a.name) < std::tie(b.created, b.name);
  });
  return sets;
}

// The size of the current set that the surge allows.
int64_t room_for_current(const DeploymentView& d, const Sets& sets) {
  const int64_t size = sets.current ? sets.current->size : 0;
  if (d.strategy == Strategy::kRecreate) return d.want;
  const int64_t room = d.want + d.max_surge - total_size(sets);
  return room <= 0 ? size : size + std::min(room, d.want - size);
}

// How many replicas of a change of the whole fall to one set, by its share before the change.
int64_t share(const DeploymentView& d, const SetView& set, int64_t to_add, int64_t added) {
  if (set.size == 0 || to_add == 0 || to_add == added) return 0;
  int64_t fraction = -set.size;
  if (d.want > 0) {
    const int64_t before =
        set.max_replicas > 0 ? set.max_replicas : json::int_at(d.status, {"replicas"});
    if (before == 0) return 0;
    fraction = std::llround(double(set.size * (d.want + d.max_surge)) / double(before)) - set.size;
  }
  const int64_t left = to_add - added;
  return to_add > 0 ? std::min(fraction, left) : std::max(fraction, left);
}

// A scaled rollout keeps its proportions, so that scaling neither hastens nor undoes it.
std::vector<Resize> scale_in_proportion(const DeploymentView& d, const Sets& sets) {
  std::vector<SetView> active = active_sets(sets);
  const int64_t allowed = d.want > 0 ? d.want + d.max_surge : 0;
  const int64_t to_add = allowed - total_size(sets);
  std::sort(active.begin(), active.end(), [&](const SetView& a, const SetView& b) {
    if (a.size != b.size) return a.size > b.size;
    return to_add > 0 ? a.created > b.created : a.created < b.created;
  });
  std::vector<Resize> out;
  int64_t added = 0;
  for (const SetView& set : active) {
    const int64_t part = share(d, set, to_add, added);
    added += part;
    out.push_back({set.name, set.size, set.size + part});
  }
  if (!out.empty() && to_add != 0) out[0].to = std::max<int64_t>(0, out[0].to + to_add - added);
  return out;
}

bool saturated(const DeploymentView& d, const std::optional<SetView>& set) {
  return set && set->size == d.want && set->desired == d.want && set->available == d.want;
}

std::vector<Resize> scale(const DeploymentView& d, const Sets& sets) {
  const std::vector<SetView> active = active_sets(sets);
  std::optional<SetView> only;
  if (active.size() == 1) only = active[0];
  if (active.empty()) only = sets.current;
  if (active.empty() && !only && !sets.old.empty()) only = oldest_first(sets.old).back();
  if (only) return {{only->name, only->size, d.want}};
  std::vector<Resize> out;
  if (saturated(d, sets.current)) {
    for (const SetView& set : sets.old) {
      if (set.size > 0) out.push_back({set.name, set.size, 0});
    }
    return out;
  }
  if (d.strategy == Strategy::kRollingUpdate) return scale_in_proportion(d, sets);
  return out;
}

// Old sets shrink by their unavailable pods first, then by what availability allows.
std::vector<Resize> shrink_old(const DeploymentView& d, const Sets& sets) {
  const int64_t min_available = d.want - d.max_unavailable;
  const int64_t current_unavailable = sets.current->size - sets.current->available;
  const int64_t most = total_size(sets) - min_available - current_unavailable;
  if (most <= 0) return {};
  std::vector<SetView> old = oldest_first(sets.old);
  std::vector<int64_t> target(old.size());
  int64_t cleaned = 0;
  for (size_t i = 0; i < old.size(); ++i) {
    const int64_t unhealthy = std::max<int64_t>(0, old[i].size - old[i].available);
    const int64_t less = std::min(most - cleaned, unhealthy);
    target[i] = old[i].size - less;
    cleaned += less;
  }
  int64_t spare = total_available(sets) - min_available;
  for (size_t i = 0; i < old.size() && spare > 0; ++i) {
    const int64_t less = std::min(target[i], spare);
    target[i] -= less;
    spare -= less;
  }
  std::vector<Resize> out;
  for (size_t i = 0; i < old.size(); ++i) {
    if (target[i] != old[i].size) out.push_back({old[i].name, old[i].size, target[i]});
  }
  return out;
}

std::vector<std::string> history_to_remove(const DeploymentView& d, const Sets& sets) {
  std::vector<SetView> old = sets.old;
  std::erase_if(old, [](const SetView& set) { return set.deleting; });
  if (!d.history_limit || int64_t(old.size()) <= *d.history_limit) return {};
  std::sort(old.begin(), old.end(), [](const SetView& a, const SetView& b) {
    return std::tie(a.revision, a.created, a.name) < std::tie(b.revision, b.created, b.name);
  });
  old.resize(old.size() - size_t(*d.history_limit));
  std::vector<std::string> out;
  for (const SetView& set : old) {
    if (set.replicas == 0 && set.size == 0 && set.observed) out.push_back(set.name);
  }
  return out;
}

DeploymentPlan plan_recreate(const DeploymentView& d, const Sets& sets) {
  DeploymentPlan todo;
  for (const SetView& set : sets.old) {
    if (set.size > 0) todo.resize.push_back({set.name, set.size, 0});
  }
  if (!todo.resize.empty() || sets.old_pods_running) return todo;
  if (!sets.current) {
    todo.create = d.want;
  } else if (sets.current->size != d.want) {
    todo.resize.push_back({sets.current->name, sets.current->size, d.want});
  } else if (complete(d, d.status)) {
    todo.remove = history_to_remove(d, sets);
  }
  return todo;
}

DeploymentPlan plan_rolling(const DeploymentView& d, const Sets& sets) {
  DeploymentPlan todo;
  if (!sets.current) {
    todo.create = room_for_current(d, sets);
    return todo;
  }
  const int64_t size = sets.current->size;
  const int64_t target = size > d.want ? d.want : room_for_current(d, sets);
  if (target != size) {
    todo.resize.push_back({sets.current->name, size, target});
    return todo;
  }
  todo.resize = shrink_old(d, sets);
  if (todo.resize.empty() && complete(d, d.status)) todo.remove = history_to_remove(d, sets);
  return todo;
}

bool scaling_event(const DeploymentView& d, const Sets& sets) {
  const std::vector<SetView> active = active_sets(sets);
  return std::any_of(active.begin(), active.end(),
                     [&](const SetView& set) { return set.desired && *set.desired != d.want; });
}

}  // namespace

DeploymentPlan plan(const DeploymentView& d, const Sets& sets) {
  if (d.paused || scaling_event(d, sets)) {
    DeploymentPlan todo;
    todo.resize = scale(d, sets);
    if (d.paused) todo.remove = history_to_remove(d, sets);
    return todo;
  }
  return d.strategy == Strategy::kRecreate ? plan_recreate(d, sets) : plan_rolling(d, sets);
}

void resolve_bounds(const json::Value& document, DeploymentView& view) {
  view.strategy = json::string_at(document, {"spec", "strategy", "type"}) == "Recreate"
                      ? Strategy::kRecreate
                      : Strategy::kRollingUpdate;
  view.max_surge = view.max_unavailable = 0;
  if (view.strategy == Strategy::kRecreate || view.want == 0) return;
  const json::Value quarter("25%");
  const json::Value* surge =
      json::find(document, {"spec", "strategy", "rollingUpdate", "maxSurge"});
  const json::Value* less =
      json::find(document, {"spec", "strategy", "rollingUpdate", "maxUnavailable"});
  view.max_surge = int_or_percent(surge ? surge : &quarter, view.want, Rounding::kUp, 0);
  view.max_unavailable = int_or_percent(less ? less : &quarter, view.want, Rounding::kDown, 0);
  if (view.max_surge == 0 && view.max_unavailable == 0) view.max_unavailable = 1;
  view.max_unavailable = std::min(view.max_unavailable, view.want);
}

}  // namespace atl::controllers
