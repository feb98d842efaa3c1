#include "kernel/node/runtime/seccomp_filter.h"

#include <seccomp.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <memory>
#include <optional>
#include <vector>

#include "base/io/files.h"
#include "base/io/unique_fd.h"

namespace atl::node {
namespace {

using Filter = std::unique_ptr<void, void (*)(void*)>;

std::optional<uint32_t> action_of(std::string_view name, int64_t error) {
  if (name == "SCMP_ACT_ALLOW") return SCMP_ACT_ALLOW;
  if (name == "SCMP_ACT_ERRNO") return SCMP_ACT_ERRNO(uint32_t(error));
  if (name == "SCMP_ACT_KILL_PROCESS") return SCMP_ACT_KILL_PROCESS;
  if (name == "SCMP_ACT_LOG") return SCMP_ACT_LOG;
  return std::nullopt;
}

std::optional<scmp_compare> operator_of(std::string_view name) {
  static const std::pair<std::string_view, scmp_compare> all[] = {
      {"SCMP_CMP_NE", SCMP_CMP_NE},
      {"SCMP_CMP_LT", SCMP_CMP_LT},
      {"SCMP_CMP_LE", SCMP_CMP_LE},
      {"SCMP_CMP_EQ", SCMP_CMP_EQ},
      {"SCMP_CMP_GE", SCMP_CMP_GE},
      {"SCMP_CMP_GT", SCMP_CMP_GT},
      {"SCMP_CMP_MASKED_EQ", SCMP_CMP_MASKED_EQ}};
  const auto it =
      std::find_if(std::begin(all), std::end(all), [&](const auto& e) { return e.first == name; });
  return it == std::end(all) ? std::nullopt : std::optional(it->second);
}

uint64_t unsigned_at(const json::Value& value, json::Path path) {
  const json::Value* found = json::find(value, path);
  return found && found->is_number() ? found->to_number<uint64_t>() : 0;
}

Result<> add_architectures(scmp_filter_ctx filter, const json::Value& seccomp) {
  for (const json::Value& name : json::array_at(seccomp, {"architectures"})) {
    std::string word(name.as_string());
    if (word.starts_with("SCMP_ARCH_")) word.erase(0, sizeof("SCMP_ARCH_") - 1);
    std::transform(word.begin(), word.end(), word.begin(),
                   [](unsigned char c) { return char(std::tolower(c)); });
    const uint32_t token = ::seccomp_arch_resolve_name(word.c_str());
    if (token == 0) return Error(Code::kInvalid, "seccomp: unknown architecture " + word);
    const int error = -::seccomp_arch_add(filter, token);
    if (error != 0 && error != EEXIST) return io::errno_error("seccomp: add " + word, error);
  }
  return Unit{};
}

Result<std::vector<scmp_arg_cmp>> comparisons_of(const json::Value& rule) {
  std::vector<scmp_arg_cmp> out;
  for (const json::Value& arg : json::array_at(rule, {"args"})) {
    const auto op = operator_of(json::string_at(arg, {"op"}));
    const uint64_t index = unsigned_at(arg, {"index"});
    if (!op || index > 5) return Error(Code::kInvalid, "seccomp: an argument's rule is wrong");
    out.push_back(
        {unsigned(index), *op, unsigned_at(arg, {"value"}), unsigned_at(arg, {"valueTwo"})});
  }
  return out;
}

Result<> add_rule(scmp_filter_ctx filter, const json::Value& rule, uint32_t default_action) {
  const std::string_view name = json::string_at(rule, {"action"});
  const auto action = action_of(name, json::int_at(rule, {"errnoRet"}, EPERM));
  if (!action) return Error(Code::kInvalid, "seccomp: unknown action " + std::string(name));
  if (*action == default_action) return Unit{};
  TRY(const std::vector<scmp_arg_cmp> args, comparisons_of(rule));
  for (const json::Value& call : json::array_at(rule, {"names"})) {
    const std::string text(call.as_string());
    const int number = ::seccomp_syscall_resolve_name(text.c_str());
    if (number == __NR_SCMP_ERROR) continue;  // newer than the library
    const int error =
        -::seccomp_rule_add_array(filter, *action, number, unsigned(args.size()), args.data());
    if (error != 0) return io::errno_error("seccomp: rule for " + text, error);
  }
  return Unit{};
}

Result<std::string> program_of(scmp_filter_ctx filter) {
  const io::UniqueFd memory(::memfd_create("seccomp", MFD_CLOEXEC));
  if (!memory) return io::errno_error("seccomp: memory", errno);
  if (const int error = -::seccomp_export_bpf(filter, memory.get()); error != 0)
    return io::errno_error("seccomp: compile", error);
  const off_t size = ::lseek(memory.get(), 0, SEEK_END);
  std::string out(size_t(std::max<off_t>(size, 0)), '\0');
  if (::pread(memory.get(), out.data(), out.size(), 0) != ssize_t(out.size()))
    return io::errno_error("seccomp: read", errno);
  return out;
}

}  // namespace

Result<std::string> compile_seccomp(const json::Value& seccomp) {
  const std::string_view name = json::string_at(seccomp, {"defaultAction"});
  const auto action = action_of(name, json::int_at(seccomp, {"defaultErrnoRet"}, EPERM));
  if (!action) return Error(Code::kInvalid, "seccomp: unknown action " + std::string(name));
  const Filter filter(::seccomp_init(*action), [](void* f) { ::seccomp_release(f); });
  if (!filter) return Error(Code::kInternal, "seccomp: no filter");
  TRY_OK(add_architectures(filter.get(), seccomp));
  for (const json::Value& rule : json::array_at(seccomp, {"syscalls"}))
    TRY_OK(add_rule(filter.get(), rule, *action));
  return program_of(filter.get());
}

}  // namespace atl::node
