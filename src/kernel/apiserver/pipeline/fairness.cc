#include "kernel/apiserver/pipeline/fairness.h"

#include <algorithm>

namespace atl::apiserver {

bool is_long_running(const RequestInfo& info) {
  if (!info.is_resource) return false;
  static constexpr std::string_view kStreams[] = {"log", "exec", "attach", "portforward", "proxy"};
  return info.verb == "watch" || std::find(std::begin(kStreams), std::end(kStreams),
                                           info.subresource) != std::end(kStreams);
}

bool is_mutating(const RequestInfo& info) {
  static constexpr std::string_view kReads[] = {"get", "list", "watch", "head", "options"};
  return std::find(std::begin(kReads), std::end(kReads), info.verb) == std::end(kReads);
}

Result<Fairness::Ticket> Fairness::admit(const RequestInfo& info) {
  const bool writes = is_mutating(info);
  size_t& count = writes ? writes_ : reads_;
  if (count >= (writes ? limits_.writes : limits_.reads)) {
    return Error(Code::kTooMany, "too many requests, please try again later")
        .with_retry_after(std::chrono::seconds(1));
  }
  return Ticket(&count);
}

}  // namespace atl::apiserver
