#include "api/table/table.h"

#include <gtest/gtest.h>

#include <span>

#include "api/table/printers_impl.h"

namespace atl::api {
namespace {

constexpr WallTime kNow{std::chrono::seconds(1'800'000'000)};  // 2027-01-15T08:00:00Z

json::Value parsed(std::string_view text) {
  auto value = json::parse(text);
  EXPECT_TRUE(value) << text << "\n" << value.error().message();
  return value ? *std::move(value) : json::Value();
}

const KindSet& kinds() {
  static const KindSet set = [] {
    auto made = KindSet::builtin();
    EXPECT_TRUE(made) << made.error().message();
    return *std::move(made);
  }();
  return set;
}
const Kind& kind(std::string_view group, std::string_view version, std::string_view name) {
  const KindPtr found =
      kinds().find(Gvk{std::string(group), std::string(version), std::string(name)});
  EXPECT_NE(found, nullptr) << name;
  return *found;
}

// Cells joined by " | ", as text.
std::string cells(const Kind& of, const json::Value& document) {
  std::string out;
  for (const json::Value& cell :
       json::array_at(table_row(of, document, kNow, IncludeObject::kNone), {"cells"})) {
    if (!out.empty()) out += " | ";
    out += cell.is_string() ? std::string(cell.get_string()) : json::serialize(cell);
  }
  return out;
}

TEST(Table, EveryPrinterThatAKindNamesExists) {
  EXPECT_EQ(missing_printers(kinds()), std::vector<std::string>());
}

TEST(Table, AnEmptyObjectOfEveryKindHasARowAsWideAsItsColumns) {
  for (const KindPtr& each : kinds().all()) {
    for (const char* document : {"{}", R"({"metadata":[],"spec":"x","status":[1]})",
                                 R"({"metadata":{"name":1},"spec":{"ports":{},"rules":[1]}})"}) {
      const json::Value row = table_row(*each, parsed(document), kNow, IncludeObject::kMetadata);
      EXPECT_EQ(json::array_at(row, {"cells"}).size(), table_columns(*each).get_array().size())
          << each->gvk.kind;
      EXPECT_TRUE(json::find(row, {"object", "metadata"})) << each->gvk.kind;
    }
  }
}

TEST(HumanDuration, AsKubectlPrintsAges) {
  using std::chrono::hours, std::chrono::minutes, std::chrono::seconds;
  const std::pair<Duration, const char*> cases[] = {
      {seconds(-5), "<invalid>"},
      {seconds(-1), "0s"},
      {seconds(0), "0s"},
      {seconds(59), "59s"},
      {seconds(119), "119s"},
      {seconds(120), "2m"},
      {seconds(125), "2m5s"},
      {minutes(9) + seconds(59), "9m59s"},
      {minutes(10) + seconds(30), "10m"},
      {minutes(179), "179m"},
      {hours(3), "3h"},
      {hours(3) + minutes(5), "3h5m"},
      {hours(8) + minutes(5), "8h"},
      {hours(47), "47h"},
      {hours(48), "2d"},
      {hours(49), "2d1h"},
      {hours(24 * 8), "8d"},
      {hours(24 * 729), "729d"},
      {hours(24 * 730), "2y"},
      {hours(24 * 731), "2y1d"},
      {hours(24 * 365 * 8), "8y"},
  };
  for (const auto& [duration, want] : cases) EXPECT_EQ(human_duration(duration), want);
}

struct PodCase {
  const char* why;
  const char* pod;   // spec and status
  const char* want;  // ready | status | restarts
};

TEST(Table, PodStatusSaysWhatIsMostUrgent) {
  const PodCase cases[] = {
      {"nothing known yet",
       R"({"spec":{"containers":[{"name":"a"}]},"status":{"phase":"Pending"}})",
       "0/1 | Pending | 0"},
      {"running",
       R"({"spec":{"containers":[{"name":"a"}]},"status":{"phase":"Running","containerStatuses":[{"name":"a","ready":true,"state":{"running":{}}}]}})",
       "1/1 | Running | 0"},
      {"crashing",
       R"({"spec":{"containers":[{"name":"a"}]},"status":{"phase":"Running","containerStatuses":[{"name":"a","restartCount":3,"state":{"waiting":{"reason":"CrashLoopBackOff"}},"lastState":{"terminated":{"finishedAt":"2027-01-15T07:59:18Z"}}}]}})",
       "0/1 | CrashLoopBackOff | 3 (42s ago)"},
      {"no image",
       R"({"spec":{"containers":[{"name":"a"}]},"status":{"phase":"Pending","containerStatuses":[{"name":"a","state":{"waiting":{"reason":"ErrImagePull"}}}]}})",
       "0/1 | ErrImagePull | 0"},
      {"ended well",
       R"({"spec":{"containers":[{"name":"a"}]},"status":{"phase":"Succeeded","containerStatuses":[{"name":"a","state":{"terminated":{"reason":"Completed","exitCode":0}}}]}})",
       "0/1 | Completed | 0"},
      {"ended without a reason",
       R"({"spec":{"containers":[{"name":"a"}]},"status":{"phase":"Failed","containerStatuses":[{"name":"a","state":{"terminated":{"exitCode":3}}}]}})",
       "0/1 | ExitCode:3 | 0"},
      {"killed",
       R"({"spec":{"containers":[{"name":"a"}]},"status":{"phase":"Failed","containerStatuses":[{"name":"a","state":{"terminated":{"exitCode":137,"signal":9}}}]}})",
       "0/1 | Signal:9 | 0"},
      {"one ended, one runs and the pod is ready",
       R"({"spec":{"containers":[{"name":"a"},{"name":"b"}]},"status":{"phase":"Running","conditions":[{"type":"Ready","status":"True"}],"containerStatuses":[{"name":"a","state":{"terminated":{"reason":"Completed"}}},{"name":"b","ready":true,"state":{"running":{}}}]}})",
       "1/2 | Running | 0"},
      {"one ended, one runs, not ready",
       R"({"spec":{"containers":[{"name":"a"},{"name":"b"}]},"status":{"phase":"Running","containerStatuses":[{"name":"a","state":{"terminated":{"reason":"Completed"}}},{"name":"b","ready":true,"state":{"running":{}}}]}})",
       "1/2 | NotReady | 0"},
      {"one ended well, one failed",
       R"({"spec":{"containers":[{"name":"a"},{"name":"b"}]},"status":{"phase":"Failed","containerStatuses":[{"name":"a","state":{"terminated":{"reason":"Completed"}}},{"name":"b","state":{"terminated":{"reason":"Error","exitCode":1}}}]}})",
       "0/2 | Error | 0"},
      {"the first init container works",
       R"({"spec":{"initContainers":[{"name":"i"},{"name":"j"}],"containers":[{"name":"a"}]},"status":{"phase":"Pending","initContainerStatuses":[{"name":"i","state":{"running":{}}},{"name":"j","state":{"waiting":{"reason":"PodInitializing"}}}],"containerStatuses":[{"name":"a","state":{"waiting":{"reason":"PodInitializing"}}}]}})",
       "0/1 | Init:0/2 | 0"},
      {"the second one fails",
       R"({"spec":{"initContainers":[{"name":"i"},{"name":"j"}],"containers":[{"name":"a"}]},"status":{"phase":"Pending","initContainerStatuses":[{"name":"i","state":{"terminated":{"exitCode":0}}},{"name":"j","restartCount":2,"state":{"terminated":{"exitCode":1,"reason":"Error"}}}]}})",
       "0/1 | Init:Error | 2"},
      {"an init container without a reason",
       R"({"spec":{"initContainers":[{"name":"i"}],"containers":[{"name":"a"}]},"status":{"phase":"Pending","initContainerStatuses":[{"name":"i","state":{"terminated":{"exitCode":2}}}]}})",
       "0/1 | Init:ExitCode:2 | 0"},
      {"an init container crashes",
       R"({"spec":{"initContainers":[{"name":"i"}],"containers":[{"name":"a"}]},"status":{"phase":"Pending","initContainerStatuses":[{"name":"i","state":{"waiting":{"reason":"CrashLoopBackOff"}}}]}})",
       "0/1 | Init:CrashLoopBackOff | 0"},
      {"a sidecar counts",
       R"({"spec":{"initContainers":[{"name":"s","restartPolicy":"Always"}],"containers":[{"name":"a"}]},"status":{"phase":"Running","initContainerStatuses":[{"name":"s","started":true,"ready":true,"restartCount":1,"state":{"running":{}}}],"containerStatuses":[{"name":"a","ready":true,"restartCount":1,"state":{"running":{}}}]}})",
       "2/2 | Running | 2"},
      {"deleted",
       R"({"metadata":{"deletionTimestamp":"x"},"spec":{"containers":[{"name":"a"}]},"status":{"phase":"Running","containerStatuses":[{"name":"a","ready":true,"state":{"running":{}}}]}})",
       "1/1 | Terminating | 0"},
      {"deleted after its end",
       R"({"metadata":{"deletionTimestamp":"x"},"spec":{"containers":[{"name":"a"}]},"status":{"phase":"Succeeded"}})",
       "0/1 | Succeeded | 0"},
      {"deleted on a lost node",
       R"({"metadata":{"deletionTimestamp":"x"},"spec":{"containers":[{"name":"a"}]},"status":{"phase":"Running","reason":"NodeLost"}})",
       "0/1 | Unknown | 0"},
      {"evicted",
       R"({"spec":{"containers":[{"name":"a"}]},"status":{"phase":"Failed","reason":"Evicted"}})",
       "0/1 | Evicted | 0"},
      {"gated",
       R"({"spec":{"containers":[{"name":"a"}]},"status":{"phase":"Pending","conditions":[{"type":"PodScheduled","status":"False","reason":"SchedulingGated"}]}})",
       "0/1 | SchedulingGated | 0"},
  };
  for (const PodCase& c : cases) {
    SCOPED_TRACE(c.why);
    const std::string row = cells(kind("", "v1", "Pod"), parsed(c.pod));
    EXPECT_NE(row.find(std::string(c.want) + " | "), std::string::npos) << row;
  }
}

struct RowCase {
  const char *group, *version, *kind;
  const char* document;
  const char* want;
};

void expect_rows(std::span<const RowCase> cases) {
  for (const RowCase& c : cases) {
    SCOPED_TRACE(std::string(c.kind) + " " + c.document);
    EXPECT_EQ(cells(kind(c.group, c.version, c.kind), parsed(c.document)), c.want);
  }
}

TEST(TableRows, Workloads) {
  const RowCase cases[] = {
      {"", "v1", "Pod",
       R"({"metadata":{"name":"p","creationTimestamp":"2027-01-15T07:00:00Z"},"spec":{"nodeName":"n","containers":[{}],"readinessGates":[{"conditionType":"x"},{"conditionType":"y"}]},"status":{"phase":"Running","podIPs":[{"ip":"10.0.0.1"}],"conditions":[{"type":"x","status":"True"}]}})",
       "p | 0/1 | Running | 0 | 60m | 10.0.0.1 | n | <none> | 1/2"},
      {"apps", "v1", "Deployment",
       R"({"metadata":{"name":"d","creationTimestamp":"2027-01-15T07:59:00Z"},"spec":{"replicas":3,"selector":{"matchLabels":{"b":"2","a":"1"},"matchExpressions":[{"key":"c","operator":"In","values":["y","x"]}]},"template":{"spec":{"containers":[{"name":"x","image":"i:1"},{"name":"y","image":"j:2"}]}}},"status":{"readyReplicas":2,"updatedReplicas":3}})",
       "d | 2/3 | 3 | 0 | 60s | x,y | i:1,j:2 | a=1,b=2,c in (x,y)"},
      {"apps", "v1", "ReplicaSet",
       R"({"metadata":{"name":"r"},"spec":{"replicas":1,"selector":{}},"status":{"replicas":1}})",
       "r | 1 | 1 | 0 | <unknown> |  |  | <none>"},
      {"apps", "v1", "StatefulSet",
       R"({"metadata":{"name":"s"},"spec":{"replicas":2},"status":{"readyReplicas":1}})",
       "s | 1/2 | <unknown> |  | "},
      {"apps", "v1", "DaemonSet",
       R"({"metadata":{"name":"s"},"spec":{"template":{"spec":{"nodeSelector":{"k":"v"}}}},"status":{"desiredNumberScheduled":2}})",
       "s | 2 | 0 | 0 | 0 | 0 | k=v | <unknown> |  |  | <none>"},
      {"batch", "v1", "Job",
       R"({"metadata":{"name":"j"},"spec":{"completions":3},"status":{"succeeded":1,"startTime":"2027-01-15T07:58:00Z"}})",
       "j | Running | 1/3 | 2m | <unknown> |  |  | <none>"},
      {"batch", "v1", "Job",
       R"({"metadata":{"name":"j"},"spec":{"parallelism":4},"status":{"conditions":[{"type":"Complete","status":"True"}],"startTime":"2027-01-15T07:00:00Z","completionTime":"2027-01-15T07:00:09Z"}})",
       "j | Complete | 0/1 of 4 | 9s | <unknown> |  |  | <none>"},
      {"batch", "v1", "CronJob",
       R"({"metadata":{"name":"c"},"spec":{"schedule":"* * * * *","suspend":true},"status":{"active":[{}],"lastScheduleTime":"2027-01-15T07:59:50Z"}})",
       "c | * * * * * | <none> | true | 1 | 10s | <unknown> |  |  | <none>"},
      {"autoscaling", "v2", "HorizontalPodAutoscaler",
       R"({"metadata":{"name":"h"},"spec":{"scaleTargetRef":{"kind":"Deployment","name":"d"},"maxReplicas":5,"metrics":[{"type":"Resource","resource":{"name":"cpu","target":{"averageUtilization":80}}},{"type":"Pods","pods":{"target":{"averageValue":"10"}}},{"type":"External","external":{"target":{"value":"5"}}}]},"status":{"currentReplicas":2,"currentMetrics":[{"type":"Resource","resource":{"current":{"averageUtilization":20}}}]}})",
       "h | Deployment/d | cpu: 20%/80%, <unknown>/10 + 1 more... | <unset> | 5 | 2 | <unknown>"},
      {"autoscaling", "v1", "HorizontalPodAutoscaler",
       R"({"metadata":{"name":"h"},"spec":{"scaleTargetRef":{"kind":"Deployment","name":"d"},"minReplicas":1,"maxReplicas":5,"targetCPUUtilizationPercentage":50}})",
       "h | Deployment/d | cpu: <unknown>/50% | 1 | 5 | 0 | <unknown>"},
      {"policy", "v1", "PodDisruptionBudget",
       R"({"metadata":{"name":"p"},"spec":{"minAvailable":"50%"},"status":{"disruptionsAllowed":1}})",
       "p | 50% | N/A | 1 | <unknown>"},
      {"apps", "v1", "ControllerRevision",
       R"({"metadata":{"name":"r","ownerReferences":[{"apiVersion":"apps/v1","kind":"StatefulSet","name":"s","controller":true}]},"revision":4})",
       "r | statefulset.apps/s | 4 | <unknown>"},
  };
  expect_rows(cases);
}

TEST(TableRows, TheNetwork) {
  const RowCase cases[] = {
      {"", "v1", "Service",
       R"({"metadata":{"name":"s"},"spec":{"type":"NodePort","clusterIPs":["10.96.0.9"],"ports":[{"port":80,"nodePort":30080,"protocol":"TCP"},{"port":53,"protocol":"UDP"}],"selector":{"a":"b"}}})",
       "s | NodePort | 10.96.0.9 | <none> | 80:30080/TCP,53/UDP | <unknown> | a=b"},
      {"", "v1", "Service",
       R"({"metadata":{"name":"s"},"spec":{"type":"LoadBalancer","clusterIPs":["10.96.0.9"],"externalIPs":["1.2.3.4"]},"status":{"loadBalancer":{"ingress":[{"ip":"9.9.9.9"},{"hostname":"a.b"}]}}})",
       "s | LoadBalancer | 10.96.0.9 | 9.9.9.9,a.b,1.2.3.4 | <none> | <unknown> | <none>"},
      {"", "v1", "Service", R"({"metadata":{"name":"s"},"spec":{"type":"LoadBalancer"}})",
       "s | LoadBalancer | <none> | <pending> | <none> | <unknown> | <none>"},
      {"", "v1", "Service",
       R"({"metadata":{"name":"s"},"spec":{"type":"ExternalName","externalName":"x.org"}})",
       "s | ExternalName | <none> | x.org | <none> | <unknown> | <none>"},
      {"networking.k8s.io", "v1", "Ingress",
       R"({"metadata":{"name":"i"},"spec":{"ingressClassName":"c","tls":[{}],"rules":[{"host":"a"},{"host":"b"},{},{"host":"c"},{"host":"d"}]},"status":{"loadBalancer":{"ingress":[{"ip":"127.0.0.1"}]}}})",
       "i | c | a,b,c + 2 more... | 127.0.0.1 | 80, 443 | <unknown>"},
      {"networking.k8s.io", "v1", "Ingress", R"({"metadata":{"name":"i"},"spec":{"rules":[{}]}})",
       "i | <none> | * |  | 80 | <unknown>"},
      {"networking.k8s.io", "v1", "NetworkPolicy",
       R"({"metadata":{"name":"n"},"spec":{"podSelector":{}}})", "n | <none> | <unknown>"},
      {"networking.k8s.io", "v1", "IPAddress",
       R"({"metadata":{"name":"10.0.0.1"},"spec":{"parentRef":{"resource":"services","namespace":"default","name":"web"}}})",
       "10.0.0.1 | services/default/web"},
      {"", "v1", "Endpoints",
       R"({"metadata":{"name":"e"},"subsets":[{"addresses":[{"ip":"1.1.1.1"},{"ip":"::1"}],"ports":[{"port":80},{"port":81}]}]})",
       "e | 1.1.1.1:80,[::1]:80,1.1.1.1:81 + 1 more... | <unknown>"},
      {"discovery.k8s.io", "v1", "EndpointSlice",
       R"({"metadata":{"name":"e"},"addressType":"IPv4","ports":[{"port":80},{"name":"x"},{}],"endpoints":[{"addresses":["1.1.1.1"]},{"addresses":["2.2.2.2"]}]})",
       "e | IPv4 | 80,x,* | 1.1.1.1,2.2.2.2 | <unknown>"},
  };
  expect_rows(cases);
}

TEST(TableRows, TheCluster) {
  const RowCase cases[] = {
      {"", "v1", "Node",
       R"({"metadata":{"name":"n","labels":{"node-role.kubernetes.io/control-plane":"","kubernetes.io/role":"worker"}},"spec":{"unschedulable":true},"status":{"conditions":[{"type":"Ready","status":"True"}],"addresses":[{"type":"InternalIP","address":"10.0.0.2"}],"nodeInfo":{"kubeletVersion":"v1.36.0","kernelVersion":"6.1","architecture":"amd64","osImage":"Debian"}}})",
       "n | Ready,SchedulingDisabled | control-plane,worker | <unknown> | v1.36.0 | 10.0.0.2 | "
       "<none> | Debian | 6.1 (amd64) | <unknown>"},
      {"", "v1", "Node",
       R"({"metadata":{"name":"n"},"status":{"conditions":[{"type":"Ready","status":"Unknown"}]}})",
       "n | NotReady | <none> | <unknown> |  | <none> | <none> | <unknown> | <unknown> | "
       "<unknown>"},
      {"", "v1", "Event",
       R"({"metadata":{"name":"e"},"involvedObject":{"kind":"Pod","name":"p","fieldPath":"spec.containers{a}"},"type":"Warning","reason":"BackOff","message":" m\n","source":{"component":"kubelet","host":"n"},"firstTimestamp":"2027-01-15T07:58:00Z","lastTimestamp":"2027-01-15T07:59:55Z","count":4})",
       "5s | Warning | BackOff | pod/p | spec.containers{a} | kubelet, n | m | 2m | 4 | e"},
      {"events.k8s.io", "v1", "Event",
       R"({"metadata":{"name":"e"},"regarding":{"kind":"Node"},"type":"Normal","reason":"R","note":"n","reportingController":"c","eventTime":"2027-01-15T07:59:00.000000Z"})",
       "60s | Normal | R | node |  | c | n | 60s | 1 | e"},
      {"", "v1", "Secret", R"({"metadata":{"name":"s"},"type":"Opaque","data":{"a":"","b":""}})",
       "s | Opaque | 2 | <unknown>"},
      {"", "v1", "ConfigMap", R"({"metadata":{"name":"c"},"data":{"a":""},"binaryData":{"b":""}})",
       "c | 2 | <unknown>"},
      {"", "v1", "ResourceQuota",
       R"({"metadata":{"name":"q"},"status":{"hard":{"limits.cpu":"2","pods":"10","cpu":"1"},"used":{"pods":"3"}}})",
       "q | cpu: 0/1, pods: 3/10 | limits.cpu: 0/2 | <unknown>"},
      {"", "v1", "Namespace", R"({"metadata":{"name":"n"},"status":{"phase":"Active"}})",
       "n | Active | <unknown>"},
      {"", "v1", "LimitRange",
       R"({"metadata":{"name":"l","creationTimestamp":"2027-01-01T00:00:00Z"}})",
       "l | 2027-01-01T00:00:00Z"},
      {"", "v1", "PersistentVolumeClaim",
       R"({"metadata":{"name":"c"},"spec":{"volumeName":"v","storageClassName":"std","volumeMode":"Filesystem"},"status":{"phase":"Bound","capacity":{"storage":"1Gi"},"accessModes":["ReadWriteOnce","ReadOnlyMany"]}})",
       "c | Bound | v | 1Gi | RWO,ROX | std | <unset> | <unknown> | Filesystem"},
      {"", "v1", "PersistentVolumeClaim",
       R"({"metadata":{"name":"c","deletionTimestamp":"x"},"spec":{}})",
       "c | Terminating |  |  |  |  | <unset> | <unknown> | <unset>"},
      {"storage.k8s.io", "v1", "StorageClass",
       R"({"metadata":{"name":"s","annotations":{"storageclass.kubernetes.io/is-default-class":"true"}},"provisioner":"p"})",
       "s (default) | p | Delete | Immediate | false | <unknown>"},
      {"rbac.authorization.k8s.io", "v1", "ClusterRoleBinding",
       R"({"metadata":{"name":"b"},"roleRef":{"kind":"ClusterRole","name":"r"},"subjects":[{"kind":"User","name":"u"},{"kind":"Group","name":"g"},{"kind":"ServiceAccount","namespace":"n","name":"s"}]})",
       "b | ClusterRole/r | <unknown> | u | g | n/s"},
      {"certificates.k8s.io", "v1", "CertificateSigningRequest",
       R"({"metadata":{"name":"c"},"spec":{"signerName":"s","username":"u","expirationSeconds":3600},"status":{"conditions":[{"type":"Approved"}],"certificate":"x"}})",
       "c | <unknown> | s | u | 60m | Approved,Issued"},
      {"coordination.k8s.io", "v1", "Lease",
       R"({"metadata":{"name":"l"},"spec":{"holderIdentity":"me"}})", "l | me | <unknown>"},
      {"scheduling.k8s.io", "v1", "PriorityClass",
       R"({"metadata":{"name":"p"},"value":1000,"preemptionPolicy":"Never"})",
       "p | 1000 | false | <unknown> | Never"},
      {"apiregistration.k8s.io", "v1", "APIService",
       R"({"metadata":{"name":"v1.apps"},"spec":{},"status":{"conditions":[{"type":"Available","status":"True"}]}})",
       "v1.apps | Local | True | <unknown>"},
      {"flowcontrol.apiserver.k8s.io", "v1", "FlowSchema",
       R"({"metadata":{"name":"f"},"spec":{"priorityLevelConfiguration":{"name":"p"},"matchingPrecedence":7},"status":{"conditions":[{"type":"Dangling","status":"False"}]}})",
       "f | p | 7 | <none> | <unknown> | False"},
      {"resource.k8s.io", "v1", "ResourceClaim",
       R"({"metadata":{"name":"c"},"status":{"allocation":{},"reservedFor":[{}]}})",
       "c | allocated,reserved | <unknown>"},
  };
  expect_rows(cases);
}

TEST(Table, CustomColumnsFollowTheirPathsAndTypes) {
  Kind custom{.gvk = {"x.org", "v1", "W"}, .custom = true};
  custom.columns = {{.name = "Phase", .type = "string", .json_path = ".status.phase"},
                    {.name = "Ready",
                     .type = "string",
                     .json_path = R"(.status.conditions[?(@.type=="Ready")].status)"},
                    {.name = "N", .type = "integer", .json_path = ".spec.n", .priority = 1},
                    {.name = "On", .type = "boolean", .json_path = ".spec.on"},
                    {.name = "Seen", .type = "date", .json_path = ".status.seen"},
                    {.name = "Any", .type = "string", .json_path = ".spec.list"}};
  EXPECT_EQ(
      cells(
          custom,
          parsed(
              R"({"metadata":{"name":"w"},"spec":{"n":3,"on":true,"list":["a"]},"status":{"phase":"Up","seen":"2027-01-15T07:59:00Z","conditions":[{"type":"A"},{"type":"Ready","status":"True"}]}})")),
      R"(w | Up | True | 3 | true | 60s | ["a"])");
  EXPECT_EQ(
      cells(
          custom,
          parsed(
              R"({"metadata":{"name":"w"},"spec":{"n":"3","on":"yes"},"status":{"seen":"never"}})")),
      "w | null | null | null | null | <invalid> | null");
  const json::Value columns = table_columns(custom);
  EXPECT_EQ(json::string_at(columns.get_array()[0], {"name"}), "Name");
  EXPECT_EQ(json::string_at(columns.get_array()[0], {"format"}), "name");
  EXPECT_EQ(json::int_at(columns.get_array()[3], {"priority"}), 1);
  custom.columns.clear();
  EXPECT_EQ(
      cells(custom,
            parsed(R"({"metadata":{"name":"w","creationTimestamp":"2027-01-15T07:59:30Z"}})")),
      "w | 30s");
}

TEST(Table, TheWholeReply) {
  const Kind& pods = kind("", "v1", "Pod");
  const auto object = Object::from_document(
      parsed(
          R"({"apiVersion":"v1","kind":"Pod","metadata":{"name":"p","namespace":"n","labels":{"a":"b"}},"status":{"phase":"Succeeded"}})"),
      Revision{9});
  ASSERT_TRUE(object);
  const ObjectPtr objects[] = {*object};
  const json::Value reply =
      table(pods, objects, Revision{12}, "more", kNow, IncludeObject::kMetadata);
  EXPECT_EQ(json::string_at(reply, {"kind"}), "Table");
  EXPECT_EQ(json::string_at(reply, {"apiVersion"}), "meta.k8s.io/v1");
  EXPECT_EQ(json::string_at(reply, {"metadata", "resourceVersion"}), "12");
  EXPECT_EQ(json::string_at(reply, {"metadata", "continue"}), "more");
  ASSERT_EQ(json::array_at(reply, {"rows"}).size(), 1u);
  const json::Value& row = json::array_at(reply, {"rows"})[0];
  EXPECT_EQ(
      json::serialize(*json::find(row, {"object"})),
      R"({"apiVersion":"meta.k8s.io/v1","kind":"PartialObjectMetadata","metadata":{"labels":{"a":"b"},"name":"p","namespace":"n","resourceVersion":"9"}})");
  EXPECT_EQ(
      json::serialize(*json::find(row, {"conditions"})),
      R"([{"message":"The pod has completed successfully.","reason":"Succeeded","status":"True","type":"Completed"}])");
  EXPECT_EQ(json::serialize(*json::find(
                table(pods, {}, Revision{1}, "", kNow, IncludeObject::kNone), {"rows"})),
            "[]");
  EXPECT_TRUE(
      json::find(table_row(pods, parsed("{}"), kNow, IncludeObject::kNone), {"object"})->is_null());
  EXPECT_EQ(json::serialize(*json::find(
                table_row(pods, parsed(R"({"a":1})"), kNow, IncludeObject::kObject), {"object"})),
            R"({"a":1})");
}

}  // namespace
}  // namespace atl::api
