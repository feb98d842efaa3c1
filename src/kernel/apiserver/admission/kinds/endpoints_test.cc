#include "kernel/apiserver/admission/kinds/endpoints.h"

#include <gtest/gtest.h>

#include "kernel/apiserver/admission/kinds/test_writes.h"

namespace atl::apiserver {
namespace {

json::Value slice(const std::string& type, const std::string& address) {
  return *json::parse(R"({"metadata":{"name":"s"},"addressType":")" + type +
                      R"(","endpoints":[{"addresses":[")" + address + R"("]}]})");
}

TEST(EndpointSlices, Addresses) {
  struct Case {
    const char* name;
    const char* type;
    const char* address;
    const char* finding;  // how it goes on after "...: Invalid value: "x": "; empty: fine
  };
  const Case cases[] = {
      {"a pod's", "IPv4", "10.0.0.7", ""},
      {"a pod's of the other family", "IPv6", "fd00::7", ""},
      {"no address", "IPv4", "metadata", "must be a valid IP address, (e.g. 10.9.8.7"},
      {"none at all", "IPv4", "", "must be a valid IP address"},
      {"leading zeros mean octal to some", "IPv4", "10.0.0.010", "must be a valid IP address"},
      {"a port is no part of it", "IPv4", "10.0.0.1:80", "must be a valid IP address"},
      {"a zone is no part of it", "IPv6", "fd00::7%eth0", "must be a valid IP address"},
      {"the wrong family", "IPv4", "fd00::7", "must be an IPv4 address"},
      {"the wrong family too", "IPv6", "10.0.0.7", "must be an IPv6 address"},
      {"IPv4 in disguise", "IPv6", "::ffff:127.0.0.1", "must not be an IPv4-mapped IPv6 address"},
      {"the node itself", "IPv4", "127.0.0.1", "may not be in the loopback range"},
      {"all of the range", "IPv4", "127.255.3.4", "may not be in the loopback range"},
      {"the node itself, IPv6", "IPv6", "::1", "may not be in the loopback range"},
      {"a cloud's metadata", "IPv4", "169.254.169.254", "may not be in the link-local range"},
      {"the link, IPv6", "IPv6", "febf::1", "may not be in the link-local range"},
      {"not the link any more", "IPv6", "fec0::1", ""},
      {"many", "IPv4", "224.0.0.1", "may not be in the link-local multicast range"},
      {"many elsewhere", "IPv4", "239.1.2.3", "may not be in the multicast range"},
      {"many, IPv6", "IPv6", "ff02::1", "may not be in the link-local multicast range"},
      {"this host", "IPv4", "0.0.0.0", "may not be unspecified (0.0.0.0)"},
      {"this host, IPv6", "IPv6", "::", "may not be unspecified (::)"},
      {"a domain", "FQDN", "db.example.com", ""},
      {"a domain to its root", "FQDN", "db.example.com.", ""},
      {"half a domain", "FQDN", "localhost", "should be a domain with at least two segments"},
      {"no domain", "FQDN", "a_b.c", "a lowercase RFC 1123 subdomain"},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name);
    TestWrite write(slice(c.type, c.address));
    const std::string found = texts(EndpointSliceHook().validate(write.context));
    if (*c.finding == 0) {
      EXPECT_EQ(found, "");
    } else {
      EXPECT_NE(found.find(std::string("endpoints[0].addresses[0]: Invalid value: \"") + c.address +
                           "\": " + c.finding),
                std::string::npos)
          << found;
    }
  }
}

TEST(EndpointSlices, TheSystemsOwnWriterAndWhatStaysAreNotJudged) {
  const json::Value api = slice("IPv4", "169.254.77.1");
  TestWrite own(api);
  own.context.user = std::make_shared<const UserInfo>(UserInfo{.name = "system:apiserver"});
  EXPECT_EQ(texts(EndpointSliceHook().validate(own.context)), "");
  TestWrite labelled(api, api);
  EXPECT_EQ(texts(EndpointSliceHook().validate(labelled.context)), "");
  TestWrite changed(api, slice("IPv4", "10.0.0.1"));
  EXPECT_NE(texts(EndpointSliceHook().validate(changed.context)), "");
  TestWrite turned(slice("IPv6", "fd00::1"), slice("IPv4", "10.0.0.1"));
  EXPECT_EQ(texts(EndpointSliceHook().validate(turned.context)),
            "addressType: Invalid value: \"IPv6\": field is immutable");
}

TEST(EndpointSlices, PortsAndHints) {
  TestWrite write(*json::parse(
      R"({"addressType":"IPv4","ports":[{"name":"a"},{"name":"a"},{"name":"A B"}],"endpoints":[
          {"addresses":["10.0.0.1"],"nodeName":"No","hints":{"forZones":[{"name":"z"},{"name":"z"}]}}]})"));
  const std::string found = texts(EndpointSliceHook().validate(write.context));
  for (const char* field : {"ports[1].name: Duplicate value", "ports[2].name: Invalid value",
                            "endpoints[0].nodeName: Invalid value",
                            "endpoints[0].hints.forZones[1].name: Duplicate value"}) {
    EXPECT_NE(found.find(field), std::string::npos) << field << " in " << found;
  }
}

TEST(Endpoints, Subsets) {
  struct Case {
    const char* name;
    const char* subset;
    const char* finding;
  };
  const Case cases[] = {
      {"an address", R"({"addresses":[{"ip":"10.0.0.1"}],"ports":[{"port":80}]})", ""},
      {"nothing", "{}", "subsets[0]: Required value: must specify `addresses`"},
      {"a cloud's metadata", R"({"addresses":[{"ip":"169.254.169.254"}]})",
       "subsets[0].addresses[0].ip: Invalid value: \"169.254.169.254\": may not be in the "
       "link-local range (169.254.0.0/16, fe80::/10)"},
      {"not ready, and not allowed", R"({"notReadyAddresses":[{"ip":"::1"}]})",
       "subsets[0].notReadyAddresses[0].ip: Invalid value: \"::1\": may not be in the loopback"},
      {"two ports need names",
       R"({"addresses":[{"ip":"10.0.0.1"}],"ports":[{"port":1},{"port":2}]})",
       "subsets[0].ports[0].name: Required value"},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name);
    TestWrite write(*json::parse(std::string(R"({"subsets":[)") + c.subset + "]}"));
    const std::string found = texts(EndpointsHook().validate(write.context));
    if (*c.finding == 0) {
      EXPECT_EQ(found, "");
    } else {
      EXPECT_NE(found.find(c.finding), std::string::npos) << found;
    }
  }
}

}  // namespace
}  // namespace atl::apiserver
