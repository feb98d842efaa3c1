#include "kernel/network/service_table.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "kernel/network/ruleset.h"

namespace atl::network {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

Ipv4 ip(const char* text) {
  return *Ipv4::parse(text);
}

Options options() {
  Options out;
  out.instance = "atoll";
  out.pods = *Ipv4Range::parse("10.42.0.0/16");
  out.services = *Ipv4Range::parse("10.96.0.0/16");
  out.link_ip = ip("169.254.20.1");
  out.dns_ip = ip("10.96.0.10");
  out.api_port = 6443;
  out.node_port_addresses = {ip("127.0.0.1")};
  out.reserved_ports = {6443, 443};
  return out;
}

ServiceInfo web(uint16_t node_port = 0) {
  return {.key = {"default", "web"},
          .cluster_ips = {ip("10.96.1.1")},
          .ports = {{"http", Protocol::kTcp, 80, node_port}}};
}

SliceInfo slice(std::vector<Endpoint> endpoints, const char* port_name = "http") {
  return {.service = {"default", "web"},
          .endpoints = std::move(endpoints),
          .ports = {{port_name, Protocol::kTcp, 8080}}};
}

// What connections to the test's Service lead to: "10.42.0.1:8080 10.42.0.2:8080".
std::string leads_to(const ServiceTable& table, const char* address = "10.96.1.1",
                     uint16_t port = 80) {
  const auto it = table.frontends().find({ip(address), Protocol::kTcp, port});
  if (it == table.frontends().end()) return "nowhere";
  std::string out;
  for (const Backend& b : it->second.backends) {
    out += fmt::format("{}{}:{}", out.empty() ? "" : " ", b.ip.text(), b.port);
  }
  return out;
}

TEST(ServiceTable, AnswersForApiAndDnsBeforeAnythingIsKnown) {
  const ServiceTable table(options());
  EXPECT_EQ(leads_to(table, "10.96.0.1", 443), "169.254.20.1:6443");
  EXPECT_EQ(leads_to(table, "10.96.0.10", 53), "169.254.20.1:53");
}

TEST(ServiceTable, JoinsServicesAndSlices) {
  const struct {
    const char* name;
    std::vector<SliceInfo> slices;
    const char* want;
  } cases[] = {
      {"no slice: nobody answers", {}, "nowhere"},
      {"ready endpoints of all slices, sorted",
       {slice({{ip("10.42.0.2")}}), slice({{ip("10.42.0.1")}})},
       "10.42.0.1:8080 10.42.0.2:8080"},
      {"one that is not ready gets nothing",
       {slice({{ip("10.42.0.1")}, {ip("10.42.0.2"), false}})},
       "10.42.0.1:8080"},
      {"the same endpoint in two slices counts once",
       {slice({{ip("10.42.0.1")}}), slice({{ip("10.42.0.1")}})},
       "10.42.0.1:8080"},
      {"a slice's port of another name belongs to another port",
       {slice({{ip("10.42.0.1")}}, "metrics")},
       "nowhere"},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(c.name);
    ServiceTable table(options());
    int number = 0;
    for (const SliceInfo& s : c.slices) table.set_slice({"default", std::to_string(number++)}, s);
    table.set_service(web());
    EXPECT_EQ(leads_to(table), c.want);
  }
}

TEST(ServiceTable, FollowsChangesInAnyOrder) {
  ServiceTable table(options());
  table.set_service(web());
  table.set_slice({"default", "s"}, slice({{ip("10.42.0.1")}}));
  EXPECT_EQ(leads_to(table), "10.42.0.1:8080");
  SliceInfo moved = slice({{ip("10.42.0.1")}});
  moved.service.name = "other";
  table.set_slice({"default", "s"}, moved);
  EXPECT_EQ(leads_to(table), "nowhere") << "the slice belongs to another Service now";
  table.set_slice({"default", "s"}, slice({{ip("10.42.0.1")}}));
  table.remove_slice({"default", "s"});
  EXPECT_EQ(leads_to(table), "nowhere");
  table.set_slice({"default", "s"}, slice({{ip("10.42.0.1")}}));
  table.remove_service({"default", "web"});
  EXPECT_EQ(leads_to(table), "nowhere");
}

TEST(ServiceTable, TellsOnlyWhatChanged) {
  ServiceTable table(options());
  table.take_changed();
  table.set_service(web());
  table.set_slice({"default", "s"}, slice({{ip("10.42.0.1")}}));
  EXPECT_EQ(table.take_changed(), (std::set<Frontend>{{ip("10.96.1.1"), Protocol::kTcp, 80}}));
  table.set_slice({"default", "s"}, slice({{ip("10.42.0.1")}}));
  EXPECT_TRUE(table.take_changed().empty()) << "the same again is no change";
}

TEST(ServiceTable, ADrainingPodLeavesEverythingUntilItsAddressIsUsedAgain) {
  ServiceTable table(options());
  table.set_host_ports("uid", ip("10.42.0.1"), {{HostPort::Protocol::kTcp, 9000, 8080}});
  table.set_service(web());
  table.set_slice({"default", "s"}, slice({{ip("10.42.0.1")}, {ip("10.42.0.2")}}));
  table.exclude(ip("10.42.0.1"));
  EXPECT_EQ(leads_to(table), "10.42.0.2:8080");
  EXPECT_EQ(leads_to(table, "127.0.0.1", 9000), "nowhere");
  table.set_slice({"default", "s"}, slice({{ip("10.42.0.1")}, {ip("10.42.0.3")}}));
  EXPECT_EQ(leads_to(table), "10.42.0.3:8080") << "whatever a late slice says";
  table.remove_pod("uid");
  table.set_host_ports("next", ip("10.42.0.1"), {});
  EXPECT_EQ(leads_to(table), "10.42.0.1:8080 10.42.0.3:8080");
}

TEST(ServiceTable, NodePortsAnswerWhereConfiguredAndNeverAtAReservedPort) {
  ServiceTable table(options());
  table.set_slice({"default", "s"}, slice({{ip("10.42.0.1")}}));
  table.set_service(web(30080));
  EXPECT_EQ(leads_to(table, "127.0.0.1", 30080), "10.42.0.1:8080");
  table.set_service(web(6443));
  EXPECT_EQ(leads_to(table, "127.0.0.1", 6443), "nowhere");
}

TEST(ServiceTable, TheFirstByNameKeepsAFrontendAndTheNextInheritsIt) {
  ServiceTable table(options());
  table.set_host_ports("b", ip("10.42.0.2"), {{HostPort::Protocol::kTcp, 9000, 2}});
  table.set_host_ports("a", ip("10.42.0.1"), {{HostPort::Protocol::kTcp, 9000, 1}});
  EXPECT_EQ(leads_to(table, "127.0.0.1", 9000), "10.42.0.1:1");
  table.remove_pod("a");
  EXPECT_EQ(leads_to(table, "127.0.0.1", 9000), "10.42.0.2:2");
}

api::ObjectPtr object(const std::string& text) {
  return *api::Object::from_document(*json::parse(text), Revision(1));
}

TEST(ServiceModel, ReadsApiObjects) {
  const ServiceInfo service = service_info(*object(R"({"apiVersion":"v1","kind":"Service",
    "metadata":{"namespace":"default","name":"web"},"spec":{"type":"NodePort","clusterIP":"10.96.1.1",
    "clusterIPs":["10.96.1.1","fd00::1"],"sessionAffinity":"ClientIP","ports":[
    {"name":"http","port":80,"nodePort":30080},{"name":"dns","port":53,"protocol":"UDP"},
    {"name":"sctp","port":9,"protocol":"SCTP"},{"name":"bad","port":70000}]}})"));
  EXPECT_EQ(
      service,
      (ServiceInfo{.key = {"default", "web"},
                   .cluster_ips = {ip("10.96.1.1")},
                   .sticky = true,
                   .ports = {{"http", Protocol::kTcp, 80, 30080}, {"dns", Protocol::kUdp, 53}}}));
  const SliceInfo slice = slice_info(*object(R"({"apiVersion":"discovery.k8s.io/v1",
    "kind":"EndpointSlice","metadata":{"namespace":"default","name":"web-x","labels":{
    "kubernetes.io/service-name":"web"}},"addressType":"IPv4","endpoints":[
    {"addresses":["10.42.0.1"],"hostname":"web-0","targetRef":{"kind":"Pod","name":"web-0"}},
    {"addresses":["10.42.0.2"],"conditions":{"ready":false,"serving":true,"terminating":true}},
    {"addresses":["not an address"]}],"ports":[{"name":"http","port":8080}]})"));
  EXPECT_EQ(
      slice,
      (SliceInfo{.service = {"default", "web"},
                 .endpoints = {{ip("10.42.0.1"), true, "web-0", "web-0"}, {ip("10.42.0.2"), false}},
                 .ports = {{"http", Protocol::kTcp, 8080}}}));
  const SliceInfo v6 = slice_info(*object(R"({"apiVersion":"discovery.k8s.io/v1",
    "kind":"EndpointSlice","metadata":{"namespace":"default","name":"web-6"},"addressType":"IPv6",
    "endpoints":[{"addresses":["fd00::1"]}]})"));
  EXPECT_TRUE(v6.endpoints.empty());
}

TEST(SliceInfo, HoldsAddressesOfHostsOnly) {
  const std::pair<const char*, bool> cases[] = {
      {"10.42.0.1", true},        {"192.0.2.7", true},  {"127.0.0.1", false},
      {"127.255.0.9", false},     {"0.0.0.0", false},   {"0.1.2.3", false},
      {"169.254.169.254", false}, {"224.0.0.1", false}, {"255.255.255.255", false},
      {"240.0.0.1", false},       {"223.1.1.1", true},
  };
  for (const auto& [address, kept] : cases) {
    SCOPED_TRACE(address);
    const SliceInfo read = slice_info(*object(
        std::string(R"({"apiVersion":"discovery.k8s.io/v1","kind":"EndpointSlice","metadata":{)"
                    R"("namespace":"default","name":"web-x"},"addressType":"IPv4","endpoints":[)"
                    R"({"addresses":[")") +
        address + R"("]}]})"));
    EXPECT_EQ(read.endpoints.size(), kept ? 1u : 0u);
  }
}

Frontends frontends_with(size_t backends, bool sticky = false) {
  Balancing balancing{.sticky = sticky};
  for (size_t i = 0; i < backends; ++i) {
    balancing.backends.push_back({Ipv4(ip("10.42.0.1").value() + uint32_t(i)), 80});
  }
  return {{{ip("10.96.1.1"), Protocol::kTcp, 80}, balancing}};
}

size_t occurrences(std::string_view text, std::string_view of) {
  size_t count = 0;
  for (size_t at = text.find(of); at != std::string_view::npos; at = text.find(of, at + 1)) ++count;
  return count;
}

TEST(Ruleset, ChangesNameOnlyWhatDiffers) {
  const Frontends two = frontends_with(2), three = frontends_with(3);
  EXPECT_EQ(ruleset_change(options(), two, two, {}), "");
  EXPECT_EQ(ruleset_change(options(), two, three, {.gone = {}, .fresh = {ip("10.42.0.3")}}),
            "delete element inet atoll services { 10.96.1.1 . tcp . 80 }\n"
            "add element inet atoll services { 10.96.1.1 . tcp . 80 : goto pick_3 }\n"
            "add element inet atoll slots { 10.96.1.1 . tcp . 80 . 2 : 10.42.0.3 . 80 }\n"
            "add element inet atoll hairpin { 10.42.0.3 . 10.42.0.3 }\n");
  EXPECT_EQ(ruleset_change(options(), frontends_with(1), {}, {.gone = {ip("10.42.0.1")}}),
            "delete element inet atoll services { 10.96.1.1 . tcp . 80 }\n"
            "delete element inet atoll slots { 10.96.1.1 . tcp . 80 . 0 }\n"
            "delete element inet atoll hairpin { 10.42.0.1 . 10.42.0.1 }\n");
}

TEST(Ruleset, ManyBackendsShareSlotsEvenlyAndWithinABound) {
  const struct {
    size_t backends, slots;
  } cases[] = {{1, 1}, {32, 32}, {33, 128}, {64, 128}, {500, 1024}, {3000, 1024}};
  for (const auto& c : cases) {
    SCOPED_TRACE(c.backends);
    const std::string text = ruleset_change(options(), {}, frontends_with(c.backends), {});
    EXPECT_EQ(occurrences(text, " : 10.42."), c.slots);
    EXPECT_THAT(text, HasSubstr(fmt::format("goto pick_{} ", c.slots)));
  }
}

TEST(Ruleset, AStickyBackendThatLeavesMovesOnlyItsOwnClients) {
  const Frontends five = frontends_with(5, true);
  Frontends four = five;
  four.begin()->second.backends.erase(four.begin()->second.backends.begin() + 2);
  const std::string change = ruleset_change(options(), five, four, {});
  const std::string all = ruleset_change(options(), {}, five, {});
  EXPECT_EQ(occurrences(change, " : 10.42."), occurrences(all, " : 10.42.0.3 . "));
  EXPECT_LT(occurrences(change, " : 10.42."), kStickySlots / 2);
}

TEST(Ruleset, OpensNothingToTheOutsideUnlessAsked) {
  EXPECT_THAT(full_ruleset(options(), {}, {}), Not(HasSubstr("ct original")));
  Options open = options();
  open.node_port_addresses.push_back(ip("192.0.2.2"));
  EXPECT_THAT(full_ruleset(open, {}, {}), HasSubstr("ct original ip daddr { 192.0.2.2 } accept"));
}

}  // namespace
}  // namespace atl::network
