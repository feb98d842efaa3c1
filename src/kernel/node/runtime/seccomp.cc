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

// Of argument `index`, no bit of the mask may differ from `value`'s.
json::Value masked(int index, uint64_t mask, uint64_t value) {
  json::Value out = argument(index, mask, "SCMP_CMP_MASKED_EQ");
  json::set(out, {"valueTwo"}, value);
  return out;
}

// Sockets of every family but the refused ones: AF_ALG (CVE-2026-31431, a way to write to files of
// others in the page cache) and AF_VSOCK (leads to the hypervisor). Rules are ORed, so what is
// allowed is listed: as aligned blocks of families, one masked comparison each. The kernel reads 32
// bits of the register only, and so do we: 1 << 32 | 38 is 38.
// socketcall (32-bit programs) takes the family through a pointer, which no filter can follow, and
// libseccomp opens it wherever it allows "socket": it does not exist, and libraries that know the
// direct calls use those.
void add_socket_rules(const json::Array& refused, json::Array& rules) {
  constexpr uint64_t kFamilies = 64, kInt = 0xffffffff;
  std::set<uint64_t> closed;
  for (const json::Value& family : refused) closed.insert(uint64_t(json::int_at(family, {})));
  const auto open = [&](uint64_t from, uint64_t size) {
    const auto next = closed.lower_bound(from);
    return from % size == 0 && from + size <= kFamilies &&
           (next == closed.end() || *next >= from + size);
  };
  for (uint64_t from = 0; from < kFamilies;) {
    uint64_t size = 1;
    while (open(from, size * 2)) size *= 2;
    if (open(from, size)) rules.push_back(rule({"socket"}, {masked(0, kInt & ~(size - 1), from)}));
    from += size;
  }
  rules.push_back(json::Object{
      {"names", json::Array{"socketcall"}}, {"action", "SCMP_ACT_ERRNO"}, {"errnoRet", ENOSYS}});
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
  add_socket_rules(json::array_at(data, {"refused_socket_families"}), rules);
  for (const auto& [capability, names] : json::object_at(data, {"with_capability"})) {
    if (capabilities.contains(std::string(capability))) rules.push_back(rule(names.as_array()));
  }
  if (!capabilities.contains("CAP_SYS_ADMIN")) {
    // No bit that makes a namespace may be set.
    const uint64_t flags = uint64_t(json::int_at(data, {"namespace_clone_flags"}));
    rules.push_back(rule({"clone"}, {masked(0, flags, 0)}));
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
