#include "kernel/node/runtime/seccomp.h"

#include <cerrno>

#include "base/core/check.h"

namespace atl::node {
namespace {

const json::Value& profile() {
  static const json::Value parsed = [] {
    auto value = json::parse(kSeccompDefault);
    CHECK(value);
    return *std::move(value);
  }();
  return parsed;
}

json::Value rule(json::Array names, json::Array args = {}) {
  json::Object out{{"names", std::move(names)}, {"action", "SCMP_ACT_ALLOW"}};
  if (!args.empty()) out["args"] = std::move(args);
  return out;
}

json::Value argument(int index, uint64_t value, const char* op) {
  return json::Object{{"index", index}, {"value", value}, {"op", op}};
}

}  // namespace

json::Value default_seccomp(const std::set<std::string>& capabilities) {
  const json::Value& data = profile();
  json::Array rules;
  rules.push_back(rule(json::array_at(data, {"allow"})));
  for (const json::Value& personality : json::array_at(data, {"personalities"})) {
    rules.push_back(
        rule({"personality"}, {argument(0, personality.to_number<uint64_t>(), "SCMP_CMP_EQ")}));
  }
  const uint64_t family = uint64_t(json::int_at(data, {"refused_socket_family"}));
  rules.push_back(rule({"socket"}, {argument(0, family, "SCMP_CMP_NE")}));
  for (const auto& [capability, names] : json::object_at(data, {"with_capability"})) {
    if (capabilities.contains(std::string(capability))) rules.push_back(rule(names.as_array()));
  }
  if (!capabilities.contains("CAP_SYS_ADMIN")) {
    // A masked comparison: no bit that makes a namespace may be set.
    json::Value clone =
        argument(0, uint64_t(json::int_at(data, {"namespace_clone_flags"})), "SCMP_CMP_MASKED_EQ");
    clone.as_object()["valueTwo"] = 0;
    rules.push_back(rule({"clone"}, {std::move(clone)}));
    rules.push_back(json::Object{
        {"names", json::Array{"clone3"}}, {"action", "SCMP_ACT_ERRNO"}, {"errnoRet", ENOSYS}});
  }
#if defined(__aarch64__)
  json::Array architectures = {"SCMP_ARCH_AARCH64", "SCMP_ARCH_ARM"};
#else
  json::Array architectures = {"SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"};
#endif
  return json::Object{{"defaultAction", "SCMP_ACT_ERRNO"},
                      {"defaultErrnoRet", EPERM},
                      {"architectures", std::move(architectures)},
                      {"syscalls", std::move(rules)}};
}

}  // namespace atl::node
