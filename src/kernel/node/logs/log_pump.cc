#include "kernel/node/logs/log_pump.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace atl::node {
namespace {

constexpr int kBlocksAtOnce = 4;  // then others get their turn

bool ended(int fd, LogStream stream, ContainerLog& log) {
  for (int i = 0; i < kBlocksAtOnce; ++i) {
    const ContainerLog::Source source = log.take(stream, fd);
    if (source != ContainerLog::Source::kMore) return source == ContainerLog::Source::kEnded;
  }
  return false;
}

}  // namespace

Async<void> pump_log(Executor executor, io::UniqueFd fd, LogStream stream, ContainerLogPtr log) {
  asio::posix::stream_descriptor descriptor(executor, fd.release());
  while (!ended(descriptor.native_handle(), stream, *log)) {
    auto [error] = co_await descriptor.async_wait(asio::posix::descriptor_base::wait_read,
                                                  asio::as_tuple(asio::use_awaitable));
    if (error) co_return;
  }
}

}  // namespace atl::node
