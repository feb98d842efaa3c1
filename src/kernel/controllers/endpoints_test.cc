#include "kernel/controllers/endpoints.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "kernel/controllers/endpoint_slice.h"
#include "kernel/controllers/fake_cluster.h"

namespace atl::controllers {
namespace {

using namespace std::chrono_literals;

EndpointPod pod(std::string name,
                std::string_view ports = R"([{"name":"http","containerPort":8080}])") {
  EndpointPod view;
  view.ns = "d";
  view.name = view.uid = name;
  view.node = "n1";
  view.ips = {"10.0.0." + std::to_string(name.back())};
  view.ready = true;
  view.document = manifest(R"({"spec":{"containers":[{}]}})");
  view.document.at("spec").at("containers").at(0).as_object()["ports"] = manifest(ports);
  return view;
}
json::Value service(std::string_view ports, std::string_view more = "{}") {
  json::Value out =
      manifest(R"({"metadata":{"name":"web","namespace":"d"},"spec":{"selector":{"app":"web"}}})");
  for (const auto& [key, value] : manifest(more).as_object()) json::set(out, {"spec", key}, value);
  json::set(out, {"spec", "ports"}, manifest(ports));
  return out;
}

TEST(EndpointGroups, NamesAreLookedUpInEachPod) {
  const auto groups = desired_groups(
      service(R"([{"name":"web","port":80,"targetPort":"http"}])"),
      {pod("a"), pod("b", R"([{"name":"http","containerPort":9090}])"), pod("c", "[]")}, {});
  ASSERT_EQ(groups.size(), 2u);
  EXPECT_EQ(json::int_at(groups[0].ports[0], {"port"}), 8080);
  EXPECT_EQ(json::int_at(groups[1].ports[0], {"port"}), 9090);
  EXPECT_EQ(groups[0].endpoints.size() + groups[1].endpoints.size(), 2u)
      << "a pod without the port serves nobody";
}

TEST(EndpointGroups, ConditionsSayHowAPodServes) {
  struct Case {
    const char* sentence;
    bool ready_pod, terminating, publish;
    bool ready, serving;
  };
  const Case cases[] = {
      {"a ready pod is ready", true, false, false, true, true},
      {"an unready one is not", false, false, false, false, false},
      {"a terminating one still serves, but gets nothing new", true, true, false, false, true},
      {"published regardless", false, false, true, true, false},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.sentence);
    EndpointPod view = pod("a");
    view.ready = c.ready_pod;
    view.terminating = c.terminating;
    const auto groups = desired_groups(
        service(R"([{"port":80}])", c.publish ? R"({"publishNotReadyAddresses":true})" : "{}"),
        {view}, {{"n1", "z"}});
    const json::Value endpoint = groups.at(0).endpoints.at("a");
    EXPECT_EQ(json::bool_at(endpoint, {"conditions", "ready"}), c.ready);
    EXPECT_EQ(json::bool_at(endpoint, {"conditions", "serving"}), c.serving);
    EXPECT_EQ(json::bool_at(endpoint, {"conditions", "terminating"}), c.terminating);
    EXPECT_EQ(json::string_at(endpoint, {"zone"}), "z");
  }
}

TEST(EndpointGroups, EachFamilyHasItsOwn) {
  EndpointPod both = pod("a");
  both.ips = {"10.0.0.1", "fd00::1"};
  const auto groups = desired_groups(
      service(R"([{"port":80}])", R"({"ipFamilies":["IPv4","IPv6"]})"), {both, pod("b")}, {});
  ASSERT_EQ(groups.size(), 2u);
  EXPECT_EQ(groups[0].endpoints.size(), 2u);
  EXPECT_EQ(groups[1].family, "IPv6");
  EXPECT_EQ(groups[1].endpoints.size(), 1u);
}

class SlicePlanTest : public testing::Test {
 protected:
  static EndpointGroup group(int from, int to) {
    EndpointGroup out{"IPv4", json::Array{json::Object{{"port", 80}}}, {}};
    for (int i = from; i < to; ++i)
      out.endpoints.emplace("u" + std::to_string(1000 + i), endpoint(i));
    return out;
  }
  static json::Value endpoint(int i) {
    return json::Object{{"targetRef", json::Object{{"uid", "u" + std::to_string(1000 + i)}}}};
  }
  static SliceView slice(std::string name, int from, int to) {
    SliceView out{std::move(name), "IPv4", json::Array{json::Object{{"port", 80}}}, {}};
    for (int i = from; i < to; ++i) out.endpoints.push_back(endpoint(i));
    return out;
  }
};

TEST_F(SlicePlanTest, NothingToDoWritesNothing) {
  const SlicePlan todo = plan({group(0, 150)}, {slice("a", 0, 100), slice("b", 100, 150)});
  EXPECT_TRUE(todo.create.empty() && todo.update.empty() && todo.remove.empty());
}
TEST_F(SlicePlanTest, AHundredFillASlice) {
  const SlicePlan todo = plan({group(0, 250)}, {});
  ASSERT_EQ(todo.create.size(), 3u);
  EXPECT_EQ(todo.create[0].endpoints.size(), kSliceMax);
  EXPECT_EQ(todo.create[2].endpoints.size(), 50u);
}
TEST_F(SlicePlanTest, ANewOneGoesWhereThereIsRoom) {
  const SlicePlan todo = plan({group(0, 151)}, {slice("a", 0, 100), slice("b", 100, 150)});
  ASSERT_EQ(todo.update.size(), 1u);
  EXPECT_EQ(todo.update[0].name, "b");
}
TEST_F(SlicePlanTest, AnEndpointInTwoSlicesLeavesOne) {
  const SlicePlan todo = plan({group(0, 10)}, {slice("a", 0, 10), slice("b", 5, 10)});
  EXPECT_TRUE(todo.update.empty());
  EXPECT_EQ(todo.remove, std::vector<std::string>{"b"});
}
TEST_F(SlicePlanTest, TheLastSliceStaysEmpty) {
  EndpointGroup none{"IPv4", {}, {}};
  SliceView empty{"a", "IPv4", {}, {}};
  EXPECT_TRUE(plan({none}, {empty}).remove.empty());
  EXPECT_EQ(plan({none}, {}).create.size(), 1u);
  EXPECT_EQ(plan({none}, {slice("b", 0, 3), empty}).remove, std::vector<std::string>{"b"});
}
TEST_F(SlicePlanTest, OtherPortsAreOtherSlices) {
  EndpointGroup moved = group(0, 3);
  moved.ports = json::Array{json::Object{{"port", 81}}};
  const SlicePlan todo = plan({moved}, {slice("a", 0, 3)});
  EXPECT_EQ(todo.create.size(), 1u);
  EXPECT_EQ(todo.remove, std::vector<std::string>{"a"});
}

TEST(EndpointSubsets, ReadyAndNotReadyAreApart) {
  EndpointPod unready = pod("b"), going = pod("c");
  unready.ready = false;
  going.terminating = true;
  const EndpointSubsets out = subsets_of(service(R"([{"name":"web","port":80,"targetPort":8080}])"),
                                         {pod("a"), unready, going});
  ASSERT_EQ(out.subsets.size(), 1u);
  EXPECT_EQ(json::array_at(out.subsets[0], {"addresses"}).size(), 1u);
  EXPECT_EQ(json::array_at(out.subsets[0], {"notReadyAddresses"}).size(), 1u);
  EXPECT_EQ(json::int_at(out.subsets[0].at("ports").at(0), {"port"}), 8080);
}

class ServiceTest : public testing::Test {
 protected:
  ServiceTest() {
    cluster_.add<EndpointSliceController>();
    cluster_.add<EndpointsController>();
  }
  void put_pod(std::string_view name, std::string_view ip, bool ready = true) {
    json::Value document = manifest(
        R"({"apiVersion":"v1","kind":"Pod","metadata":{"namespace":"d","labels":{"app":"web"}},
      "spec":{"nodeName":"n1","containers":[{"ports":[{"name":"http","containerPort":8080}]}]},"status":{"phase":"Running"}})");
    json::set(document, {"metadata", "name"}, json::Value(name));
    json::set(document, {"status", "podIP"}, json::Value(ip));
    json::set(document, {"status", "conditions"},
              json::Array{json::Object{{"type", "Ready"}, {"status", ready ? "True" : "False"}}});
    ASSERT_TRUE(cluster_.world.client.put(kPods, document));
  }
  void put_service(std::string_view extra = "{}") {
    json::Value document = service(R"([{"port":80,"targetPort":"http"}])", extra);
    document.as_object()["kind"] = "Service";
    document.as_object()["apiVersion"] = "v1";
    ASSERT_TRUE(cluster_.world.client.put(kServices, document));
  }
  // "ip ready" of every endpoint in every slice.
  std::vector<std::string> endpoints() const {
    std::vector<std::string> out;
    for (const json::Value& slice : cluster_.all(kEndpointSlices)) {
      for (const json::Value& e : json::array_at(slice, {"endpoints"})) {
        out.push_back(std::string(e.at("addresses").at(0).as_string()) +
                      (json::bool_at(e, {"conditions", "ready"}) ? " ready" : ""));
      }
    }
    return out;
  }
  FakeCluster cluster_;
};

TEST_F(ServiceTest, FollowsPodsAndTheService) {
  put_pod("a", "10.0.0.1");
  put_pod("b", "10.0.0.2", false);
  EXPECT_EQ(cluster_.run([&]() -> Task<> {
    put_service();
    co_await cluster_.settle();
    EXPECT_THAT(endpoints(), testing::UnorderedElementsAre("10.0.0.1 ready", "10.0.0.2"));
    const json::Value slice = cluster_.all(kEndpointSlices).at(0);
    EXPECT_EQ(json::string_at(slice, {"metadata", "labels", "kubernetes.io/service-name"}), "web");
    EXPECT_EQ(
        json::string_at(slice, {"metadata", "labels", "endpointslice.kubernetes.io/managed-by"}),
        "endpointslice-controller.k8s.io");
    EXPECT_EQ(json::string_at(slice.at("metadata").at("ownerReferences").at(0), {"kind"}),
              "Service");
    const json::Value legacy = cluster_.get(kEndpoints, {"d", "web"});
    EXPECT_EQ(json::string_at(legacy.at("subsets").at(0).at("addresses").at(0), {"ip"}),
              "10.0.0.1");

    put_pod("b", "10.0.0.2", true);
    EXPECT_TRUE(cluster_.world.client.drop(kPods, {"d", "a"}));
    co_await cluster_.settle();
    EXPECT_THAT(endpoints(), testing::UnorderedElementsAre("10.0.0.2 ready"));
    EXPECT_EQ(cluster_.all(kEndpointSlices).size(), 1u);

    put_service(R"({"clusterIP":"None"})");
    co_await cluster_.settle();
    EXPECT_TRUE(json::find(cluster_.all(kEndpointSlices).at(0),
                           {"metadata", "labels", "service.kubernetes.io/headless"}));

    EXPECT_TRUE(cluster_.world.client.drop(kServices, {"d", "web"}));
    co_await cluster_.settle();
    EXPECT_TRUE(cluster_.all(kEndpoints).empty());
    co_return Unit{};
  }),
            "");
}

TEST_F(ServiceTest, LateEventsMakeNoSecondSlice) {
  cluster_.world.client.set_event_delay([] { return 900ms; });
  EXPECT_EQ(cluster_.run([&]() -> Task<> {
    put_service();
    for (int i = 1; i < 9; ++i) {
      put_pod("p" + std::to_string(i), "10.0.0." + std::to_string(i));
      co_await cluster_.settle(200ms);
    }
    co_await cluster_.settle();
    EXPECT_EQ(endpoints().size(), 8u);
    EXPECT_LE(cluster_.all(kEndpointSlices).size(), 1u);
    co_return Unit{};
  }),
            "");
}

}  // namespace
}  // namespace atl::controllers
