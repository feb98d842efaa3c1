#include "kernel/controllers/daemon_set.h"

#include <fmt/format.h>

#include <algorithm>

#include "api/controller/parallel.h"
#include "kernel/controllers/int_or_percent.h"
#include "kernel/controllers/node_fit.h"
#include "kernel/controllers/pod_template.h"
#include "kernel/controllers/resources.h"
#include "kernel/controllers/status_write.h"

namespace atl::controllers {
namespace {

using namespace std::chrono_literals;

constexpr std::string_view kHashLabel = "controller-revision-hash";
constexpr size_t kBurst = 250;  // pods created or deleted in one go
constexpr Duration kFirstWait = 1s;
constexpr Duration kLongestWait = 15min;

// Taints that every daemon pod tolerates: it belongs to its node, whatever becomes of that.
constexpr std::pair<const char*, const char*> kTolerated[] = {
    {"node.kubernetes.io/not-ready", "NoExecute"},
    {"node.kubernetes.io/unreachable", "NoExecute"},
    {"node.kubernetes.io/disk-pressure", "NoSchedule"},
    {"node.kubernetes.io/memory-pressure", "NoSchedule"},
    {"node.kubernetes.io/pid-pressure", "NoSchedule"},
    {"node.kubernetes.io/unschedulable", "NoSchedule"}};

void add_tolerations(json::Value& pod) {
  json::Array all = json::array_at(pod, {"spec", "tolerations"});
  const auto add = [&all](const char* key, const char* effect) {
    const json::Object wanted{{"effect", effect}, {"key", key}, {"operator", "Exists"}};
    if (std::ranges::none_of(all, [&](const json::Value& one) { return json::equal(one, wanted); }))
      all.push_back(wanted);
  };
  for (const auto& [key, effect] : kTolerated) add(key, effect);
  if (json::bool_at(pod, {"spec", "hostNetwork"}))
    add("node.kubernetes.io/network-unavailable", "NoSchedule");
  json::set(pod, {"spec", "tolerations"}, std::move(all));
}

json::Value make_pod(const api::Object& set, const json::Value& pod_template,
                     const std::string& hash) {
  json::Value pod = pod_from_template(pod_template, set);
  json::set(pod, {"metadata", "labels", kHashLabel}, json::Value(hash));
  add_tolerations(pod);
  return pod;
}

// What node by node becomes of the pods of one DaemonSet.
struct Planner {
  const DaemonSetView& set;
  WallTime now;
  DaemonSetPlan todo;
  int64_t unavailable = 0, surging = 0;
  std::vector<PodView> broken, replaceable;            // old pods: not available, available
  std::vector<std::string> broken_nodes, whole_nodes;  // with such a pod alone

  bool available(const PodView& pod) const { return pod.available(set.min_ready, now); }
  void place(const std::string& name, const DaemonNode& node);
  void keep_one(std::vector<DaemonPod> running);
  void count(const DaemonNode& node);
  void look_at_update(const std::string& name, const DaemonNode& node);
  void update();
};

void Planner::place(const std::string& name, const DaemonNode& node) {
  if (node.should_run && node.pods.empty()) todo.create.push_back(name);
  std::vector<DaemonPod> running;
  for (const DaemonPod& one : node.pods) {
    if (one.pod.deleting) continue;
    if (!node.may_continue) {
      todo.remove.push_back(one.pod);
    } else if (one.pod.finished()) {
      todo.remove.push_back(one.pod);
      todo.ended.push_back(one.pod);
    } else {
      running.push_back(one);
    }
  }
  keep_one(std::move(running));
}

// The oldest stays; while a surge lasts, the oldest of each template.
void Planner::keep_one(std::vector<DaemonPod> running) {
  std::sort(running.begin(), running.end(), [](const DaemonPod& a, const DaemonPod& b) {
    return std::tuple(a.pod.node.empty(), a.pod.created, a.pod.name) <
           std::tuple(b.pod.node.empty(), b.pod.created, b.pod.name);
  });
  bool kept[2] = {false, false};
  for (const DaemonPod& one : running) {
    bool& there = kept[set.max_surge > 0 && one.updated ? 1 : 0];
    if (there) todo.remove.push_back(one.pod);
    there = true;
  }
}

void Planner::count(const DaemonNode& node) {
  if (!node.should_run) {
    const bool any = std::ranges::any_of(
        node.pods, [](const DaemonPod& one) { return one.pod.phase == "Running"; });
    todo.misscheduled += any;
    return;
  }
  ++todo.desired;
  if (node.pods.empty()) return;
  ++todo.current;
  const auto oldest = std::ranges::min_element(node.pods, {}, [](const DaemonPod& one) {
    return std::tuple(one.pod.deleting, !one.pod.ready, one.pod.created);
  });
  todo.ready += oldest->pod.ready;
  todo.available += available(oldest->pod);
  todo.updated += std::ranges::any_of(
      node.pods, [](const DaemonPod& one) { return one.updated && !one.pod.deleting; });
  for (const DaemonPod& one : node.pods) {
    const Duration wait = one.pod.until_available(set.min_ready, now);
    if (wait > Duration(0))
      todo.again = todo.again == Duration(0) ? wait : std::min(todo.again, wait);
  }
}

void Planner::look_at_update(const std::string& name, const DaemonNode& node) {
  if (!node.should_run) return;
  const PodView* before = nullptr;
  const PodView* after = nullptr;
  for (const DaemonPod& one : node.pods) (one.updated ? after : before) = &one.pod;
  if (!before) {
    unavailable += !after || !available(*after) || after->deleting;
    return;
  }
  if (set.max_surge > 0) {
    if (after) {
      if (available(*after) && !before->deleting) todo.remove.push_back(*before);
      surging += !available(*after);
    } else if (!before->deleting) {
      (available(*before) ? whole_nodes : broken_nodes).push_back(name);
    }
    return;
  }
  if (before->deleting || after) {
    ++unavailable;
  } else if (!available(*before)) {
    ++unavailable;
    broken.push_back(*before);
  } else {
    replaceable.push_back(*before);
  }
}

void Planner::update() {
  const auto remove = [this](const PodView& pod) {
    const bool there = std::ranges::any_of(
        todo.remove, [&](const PodView& other) { return other.uid == pod.uid; });
    if (!there) todo.remove.push_back(pod);
  };
  for (const PodView& pod : broken) remove(pod);  // nothing is lost with them
  for (size_t i = 0; i < replaceable.size() && unavailable < set.max_unavailable; ++i) {
    remove(replaceable[i]);
    ++unavailable;
  }
  todo.create.insert(todo.create.end(), broken_nodes.begin(), broken_nodes.end());
  for (size_t i = 0; i < whole_nodes.size() && surging < set.max_surge; ++i, ++surging)
    todo.create.push_back(whole_nodes[i]);
}

}  // namespace

DaemonSetPlan plan(const DaemonSetView& set, const std::map<std::string, DaemonNode>& nodes,
                   WallTime now) {
  Planner planner{set, now, {}, 0, 0, {}, {}, {}, {}};
  for (const auto& [name, node] : nodes) {
    planner.count(node);
    if (set.deleting) continue;
    planner.place(name, node);
    planner.look_at_update(name, node);
  }
  if (!set.deleting && !set.on_delete) planner.update();
  return std::move(planner.todo);
}

DaemonSetController::DaemonSetController(Deps deps)
    : deps_(deps),
      sets_(deps.informers.get(kDaemonSets)),
      nodes_(deps.informers.get(kNodes)),
      pods_(deps.informers.get(kPods)),
      revisions_(deps),
      writes_(deps) {}

std::vector<api::Informer*> DaemonSetController::inputs() {
  return {&sets_, &nodes_, &pods_.informer(), &revisions_.informer()};
}

void DaemonSetController::watch(api::WorkQueue& queue) {
  const auto wake = [&queue](const api::ObjectKey& key) { queue.add(key); };
  sets_.add_handler([this, wake](const api::ObjectKey& key, const api::ObjectPtr& before,
                                 const api::ObjectPtr& now) {
    if (before && !now)
      std::erase_if(ended_, [&](const auto& entry) { return entry.first.first == before->uid(); });
    wake(key);
  });
  wake_owners(pods_.informer(), sets_, "DaemonSet", wake);
  // Heartbeats are leases: what changes in a node is worth a look.
  nodes_.add_handler(
      [this, wake](const api::ObjectKey&, const api::ObjectPtr& before, const api::ObjectPtr& now) {
        const auto facts = [](const api::Object& node) {
          const json::Value document = node.parse();
          return json::Object{{"labels", json::object_at(document, {"metadata", "labels"})},
                              {"taints", json::array_at(document, {"spec", "taints"})}};
        };
        if (before && now && json::equal(facts(*before), facts(*now))) return;
        for (const api::ObjectPtr& set : sets_.list()) wake(set->key());
      });
}

Task<api::Outcome> DaemonSetController::reconcile(api::ObjectKey key) {
  const api::ObjectPtr set = sets_.get(key);
  if (!set) {
    writes_.notes().forget(key);
    co_return api::Outcome::done();  // the garbage collector removes the pods
  }
  if (set->header().deleting) co_return api::Outcome::done();
  CO_TRY(Snapshot taken, co_await take(set));
  const auto s = std::make_shared<Snapshot>(std::move(taken));
  DaemonSetPlan todo = plan(s->view, s->nodes, deps_.now());
  // The cache shows them soon, and wakes us.
  if (writes_.notes().pending(key) > 0) todo.create.clear();
  const Duration wait = hold_back_ended(*s, todo);
  Duration again = todo.again;
  if (wait > Duration(0)) again = again == Duration(0) ? wait : std::min(again, wait);
  const DaemonSetPlan counts = todo;
  const Result<> done = co_await carry_out(s, std::move(todo));
  CO_TRY_OK(co_await write_status(s, counts));
  if (!done) co_return done.error();
  std::set<std::string> in_use{s->revision.name};
  for (const TemplateRevision& revision : revisions_.of(*set)) {
    if (s->hashes.contains(revision.hash)) in_use.insert(revision.name);
  }
  CO_TRY_OK(co_await revisions_.truncate(
      set, std::move(in_use), json::int_at(s->document, {"spec", "revisionHistoryLimit"}, 10)));
  co_return api::Outcome::again_after(again);
}

Task<DaemonSetController::Snapshot> DaemonSetController::take(api::ObjectPtr set) {
  Snapshot s;
  s.object = set;
  s.document = set->parse();
  const json::Value* spec = json::find(s.document, {"spec", "selector"});
  const json::Value* pod_template = json::find(s.document, {"spec", "template"});
  if (!spec || !pod_template)
    co_return Error(Code::kInvalid, "spec.selector or spec.template is missing");
  CO_TRY(api::LabelSelector selector, api::LabelSelector::from_document(*spec));
  CO_TRY(const std::vector<api::ObjectPtr> mine,
         co_await pods_.claim(deps_, kDaemonSets, set, std::move(selector)));
  CO_TRY(s.revision, co_await revisions_.current(set, *pod_template));
  writes_.notes().settle(set->key(), pods_.informer());
  CO_TRY_OK(co_await writes_.resolve_lost_replies(set));
  read_nodes(s);
  for (const api::ObjectPtr& object : mine) {
    const std::string hash(api::label(object->header().labels, kHashLabel));
    DaemonPod one{view_pod(*object), hash == s.revision.hash};
    one.pod.deleting = one.pod.deleting || writes_.notes().was_removed(set->key(), object->uid());
    s.hashes.insert(hash);
    s.nodes[target_node(object->parse())].pods.push_back(std::move(one));
  }
  int64_t desired = 0;
  for (const auto& [name, node] : s.nodes) desired += node.should_run;
  const auto rolling = [&s](std::string_view field) {
    return json::find(s.document, {"spec", "updateStrategy", "rollingUpdate", field});
  };
  s.view.max_unavailable = int_or_percent(rolling("maxUnavailable"), desired, Rounding::kUp, 1);
  s.view.max_surge = int_or_percent(rolling("maxSurge"), desired, Rounding::kUp, 0);
  s.view.on_delete = json::string_at(s.document, {"spec", "updateStrategy", "type"}) == "OnDelete";
  s.view.min_ready = std::chrono::seconds(json::int_at(s.document, {"spec", "minReadySeconds"}));
  co_return s;
}

void DaemonSetController::read_nodes(Snapshot& s) const {
  json::Value pod = make_pod(*s.object, json::object_at(s.document, {"spec", "template"}), {});
  for (const api::ObjectPtr& object : nodes_.list()) {
    const json::Value node = object->parse();
    DaemonNode& one = s.nodes[object->name()];
    one.may_continue = node_wanted(pod, node) && taints_tolerated(pod, node, "NoExecute");
    one.should_run = one.may_continue && taints_tolerated(pod, node, "NoSchedule");
  }
}

Duration DaemonSetController::hold_back_ended(const Snapshot& s, DaemonSetPlan& todo) {
  Duration first(0);
  for (const PodView& pod : todo.ended) {
    Ended& known = ended_[{s.object->uid(), pod.node}];
    if (const Duration wait = known.next - deps_.now(); known.times > 0 && wait > Duration(0)) {
      std::erase_if(todo.remove, [&](const PodView& other) { return other.uid == pod.uid; });
      first = first == Duration(0) ? wait : std::min(first, wait);
      continue;
    }
    known.next = deps_.now() +
                 std::min(kLongestWait, kFirstWait * (int64_t(1) << std::min(known.times, 10)));
    ++known.times;
    const bool failed = pod.phase == "Failed";
    deps_.events.note(*s.object, failed ? api::EventLevel::kWarning : api::EventLevel::kNormal,
                      failed ? "FailedDaemonPod" : "SucceededDaemonPod",
                      fmt::format("Found {} daemon pod {}/{} on node {}, will try to {} it",
                                  failed ? "failed" : "succeeded", s.object->ns(), pod.name,
                                  pod.node, failed ? "kill" : "delete"));
  }
  return first;
}

Task<> DaemonSetController::carry_out(std::shared_ptr<Snapshot> s, DaemonSetPlan todo) {
  const json::Value pod =
      make_pod(*s->object, json::object_at(s->document, {"spec", "template"}), s->revision.hash);
  api::BatchResult made = co_await api::run_in_slow_start(
      std::min(todo.create.size(), kBurst), [this, s, pod, nodes = todo.create](size_t i) {
        auto document = std::make_shared<json::Value>(pod);
        pin_to_node(*document, nodes[i]);
        return writes_.create(s->object, std::move(document), pod_prefix(s->object->name()));
      });
  std::vector<std::function<Task<>()>> removals;
  for (PodView& view : todo.remove) {
    if (removals.size() == kBurst) break;
    removals.push_back([this, s, view = std::move(view)] {
      return writes_.remove(s->object, view.name, view.uid);
    });
  }
  std::vector<Result<>> removed = co_await api::run_all(std::move(removals));
  if (!made.errors.empty()) co_return std::move(made.errors.front());
  for (Result<>& result : removed) {
    if (!result) co_return std::move(result).error();
  }
  co_return Unit{};
}

Task<> DaemonSetController::write_status(std::shared_ptr<Snapshot> s, const DaemonSetPlan& todo) {
  json::Object status{{"currentNumberScheduled", todo.current},
                      {"desiredNumberScheduled", todo.desired},
                      {"numberMisscheduled", todo.misscheduled},
                      {"numberReady", todo.ready},
                      {"observedGeneration", s->object->header().generation}};
  const auto put = [&](std::string_view field, int64_t value) {
    if (value != 0) status[field] = value;
  };
  put("updatedNumberScheduled", todo.updated);
  put("numberAvailable", todo.available);
  put("numberUnavailable", todo.desired - todo.available);
  co_return co_await write_changed_status(deps_, kDaemonSets, s->object->key(), s->document,
                                          std::move(status));
}

}  // namespace atl::controllers
